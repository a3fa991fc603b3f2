"""Key files: for their owner alone, written durably, whole or not at all."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from edge_agent.errors import ExitCode, OperatorError

OWNER_ONLY: Final = 0o600
PUBLIC: Final = 0o644
# What the service manager gave to this service alone has an access list, which shows as permission
# for the group (systemd.exec(5), LoadCredential=).
OF_THE_MANAGER: Final = 0o440
# No key file is as long; a device or a log given by mistake would be.
LONGEST_FILE_BYTES: Final = 64 * 1024


def credentials_folder() -> Path | None:
    """Return the folder of what systemd gave to this service alone; None without."""
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(given) if given else None


def create_key_file(path: Path, pem: bytes) -> None:
    """Write a file that only its owner can read, durably.

    Raises:
        OperatorError: there is a file already, or it cannot be written.

    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as fault:
        raise OperatorError(
            f"{path}: a file is there already. A lost key cannot be made again: move it away first",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault
    except OSError as fault:
        raise unusable(path, fault) from fault
    try:
        _fill(descriptor, pem)
        sync_directory(path.parent)
    except OSError as fault:
        with suppress(OSError):
            path.unlink()
        raise unusable(path, fault) from fault


def put_file(path: Path, content: bytes, *, mode: int = OWNER_ONLY) -> None:
    """Put a file in the place of another, durably, whole or not at all.

    Raises:
        OperatorError: it cannot be written.

    """
    beside = path.with_name(f".{path.name}.new")
    try:
        with suppress(FileNotFoundError):
            beside.unlink()
        _fill(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), content)
        beside.replace(path)
        sync_directory(path.parent)
    except OSError as fault:
        raise unusable(path, fault) from fault


def wipe(path: Path) -> bool:
    """Overwrite a key and remove its file; return whether there was one.

    What has a second name keeps its content under that. Flash may keep old copies of what was
    overwritten: a key that somebody may have copied must be revoked at the centre.

    Raises:
        OperatorError: it cannot be removed.

    """
    try:
        with path.open("r+b") as file:
            status = os.fstat(file.fileno())
            if status.st_nlink == 1:
                file.write(b"\0" * status.st_size)
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
        sync_directory(path.parent)
    except FileNotFoundError:
        return False
    except OSError as fault:
        raise unusable(path, fault) from fault
    return True


def read_key_file(path: Path, *, credentials: Path | None = None) -> bytes:
    """Return the bytes of a file that only its owner can read.

    Args:
        path: the file.
        credentials: $CREDENTIALS_DIRECTORY of systemd, if any: what stands there was given to
            this service alone.

    Raises:
        OperatorError: missing, not ours to read, or readable by others.

    """
    is_given = credentials is not None and path.parent == credentials
    return _read(path, allowed=OF_THE_MANAGER if is_given else OWNER_ONLY)


def read_public_file(path: Path) -> bytes:
    """Return the bytes of a file that anybody may read.

    Raises:
        OperatorError: missing, or not ours to read.

    """
    return _read(path, allowed=0o777)


def unusable(path: Path, fault: OSError) -> OperatorError:
    """Return what an operator is told about a file that cannot be used."""
    is_forbidden = isinstance(fault, PermissionError)
    return OperatorError(
        f"{path}: {fault.strerror or fault}",
        exit_code=ExitCode.PERMISSION if is_forbidden else ExitCode.CONFIGURATION,
    )


def sync_directory(path: Path) -> None:
    """Make renames in a folder survive a power cut (fsync(2), NOTES on directories)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(descriptor: int, content: bytes) -> None:
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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
        raise unusable(path, fault) from fault
