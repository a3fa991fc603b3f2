"""The gateway's signing key on disk, and the public keys of the centre's receipts.

A key file that others can read is refused. Keys are made here and never leave: what is exported
is the public half.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.wire.signing import SigningKey, VerifyingKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OWNER_ONLY: Final = 0o600
# No key file is as long; a device or a log given by mistake would be.
LONGEST_FILE_BYTES: Final = 64 * 1024
_END: Final = b"-----END PUBLIC KEY-----"


def create_signing_key(path: Path) -> SigningKey:
    """Make a key, write it durably as PEM (PKCS#8) that only the owner can read, and return it.

    Raises:
        OperatorError: there is a file already, or it cannot be written.

    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as fault:
        raise OperatorError(
            f"{path}: a file is there already. A lost key cannot be made again: move it away first",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault
    except OSError as fault:
        raise _unusable(path, fault) from fault
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - by descriptor, made with its mode
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(path.parent)
    except OSError as fault:
        with suppress(OSError):
            path.unlink()
        raise _unusable(path, fault) from fault
    return SigningKey(key)


def load_signing_key(path: Path, *, credentials: Path | None = None) -> SigningKey:
    """Return the key in a PEM (PKCS#8) file.

    Args:
        path: the file.
        credentials: $CREDENTIALS_DIRECTORY of systemd, if any: what stands there was given to
            this service alone, by an access list that shows as permission for the group.

    Raises:
        OperatorError: missing, not ours to read, readable by others, or not an Ed25519 key.

    """
    allowed = 0o440 if credentials is not None and path.parent == credentials else OWNER_ONLY
    pem = _read(path, allowed=allowed)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as fault:
        raise OperatorError(
            f"{path}: not a private key in PEM (PKCS#8) without a passphrase",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError(
            f"{path}: not an Ed25519 key. Make one with: edge-agent init",
            exit_code=ExitCode.CONFIGURATION,
        )
    return SigningKey(key)


def public_pem(key: VerifyingKey) -> str:
    """Return a public key as PEM (SubjectPublicKeyInfo), to be registered at the centre."""
    public = Ed25519PublicKey.from_public_bytes(key.public_bytes)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def load_receipt_keys(path: Path) -> Mapping[bytes, VerifyingKey]:
    """Return the centre's receipt keys by key id, from one file of one or more PEM blocks.

    Several, because the centre's key may change while gateways still wait for old receipts.

    Raises:
        OperatorError: missing, unreadable, empty, or a block that is no Ed25519 public key.

    """
    blocks = _read(path, allowed=0o777).split(_END)
    if len(blocks) == 1:
        raise OperatorError(
            f"{path}: no public key in PEM (-----BEGIN PUBLIC KEY-----). Ask the central team",
            exit_code=ExitCode.CONFIGURATION,
        )
    keys = [_public_key(path, block + _END) for block in blocks[:-1]]
    return {key.key_id: key for key in keys}


def _public_key(path: Path, pem: bytes) -> VerifyingKey:
    try:
        key = load_pem_public_key(pem)
    except ValueError as fault:
        raise OperatorError(
            f"{path}: a public key that cannot be read", exit_code=ExitCode.CONFIGURATION
        ) from fault
    if not isinstance(key, Ed25519PublicKey):
        raise OperatorError(
            f"{path}: a public key that is not Ed25519", exit_code=ExitCode.CONFIGURATION
        )
    return VerifyingKey(key.public_bytes_raw())


def _read(path: Path, *, allowed: int) -> bytes:
    """Return a file's bytes if its mode has no permission beyond the allowed ones."""
    try:
        # By descriptor, so that the file that was checked is the file that is read.
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            if not stat.S_ISREG(status.st_mode):
                raise OperatorError(f"{path}: not a file", exit_code=ExitCode.CONFIGURATION)
            if mode & 0o077 & ~allowed:
                raise OperatorError(
                    f"{path}: others can read this key (mode {mode:04o}). Run: chmod 600 {path}",
                    exit_code=ExitCode.PERMISSION,
                )
            return file.read(LONGEST_FILE_BYTES)
    except OSError as fault:
        raise _unusable(path, fault) from fault


def _unusable(path: Path, fault: OSError) -> OperatorError:
    is_forbidden = isinstance(fault, PermissionError)
    return OperatorError(
        f"{path}: {fault.strerror or fault}",
        exit_code=ExitCode.PERMISSION if is_forbidden else ExitCode.CONFIGURATION,
    )


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
