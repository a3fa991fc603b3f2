"""Private keys of the centre on disk: made once, readable by their owner alone."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from central_sync.config import ExitCode, OperatorError


def keep_new(path: Path, pem: bytes) -> bool:
    """Write a key durably if there is none; return whether it was written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return True


def put(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put a file in the place of another, whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def private_key_in(path: Path, *, remedy: str) -> PrivateKeyTypes:
    """Return the key in a file.

    Args:
        path: PEM (PKCS#8) without a passphrase.
        remedy: what makes it, where it is missing.

    Raises:
        OperatorError: it is missing, readable by others, or no private key.

    """
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as fault:
        raise OperatorError(
            f"{path}: cannot be read: {fault.strerror}. {remedy}",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault
    if stat.S_IMODE(mode) & 0o077 & ~_allowed_in(path.parent):
        raise OperatorError(
            f"{path}: others can read it (mode {stat.S_IMODE(mode):o}). Run: chmod 600 {path}",
            exit_code=ExitCode.PERMISSION,
        )
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise OperatorError(
            f"{path}: is no private key in PEM: {fault}", exit_code=ExitCode.BAD_DATA
        ) from fault


def _allowed_in(folder: Path) -> int:
    """Return which permissions of others are no harm.

    What the service manager gives to this service alone has an access list, which shows as
    permission for the group (systemd.exec(5), LoadCredential=).
    """
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    return 0o040 if given and folder == Path(given) else 0
