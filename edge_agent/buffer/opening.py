"""Start-up: what is in the buffer's files decides what happens, and none of it can stop the start.

Damaged files are moved aside, never deleted; the new chain then names the last batch of the old
one that still verifies.
"""

import asyncio
import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from edge_agent.buffer.committing import Beginning
from edge_agent.buffer.content import Damaged, Intact
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.reading import key_after, last_verified
from edge_agent.buffer.records import Head
from edge_agent.buffer.verifying import inspect_file
from edge_agent.wire.batch import Origin

QUARANTINE: Final = "quarantine"
KEY_ROTATION: Final = "key_rotation"
# The database first: a log without its database is found and moved at the next start, a database
# without its log would pass for an older, intact buffer.
SUFFIXES: Final = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What start-up found and did: the verified content, and what was wrong if something was."""

    intact: Intact
    beginning: Beginning | None
    damage: Damaged | None
    quarantine: Path | None


@contextmanager
def sole_owner(path: Path) -> Iterator[None]:
    """Hold the buffer for this process alone.

    Raises:
        BufferUnavailableError: another agent has it, or the folder cannot be written.

    """
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise BufferUnavailableError(
            f"{path}: {error.strerror}; make its folder writable for the agent"
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BufferUnavailableError(
                f"{path}: another agent has this buffer open; stop it first"
            ) from error
        yield
    finally:
        os.close(lock)


async def examine(path: Path, *, origin: Origin, utc_ns: int) -> Found:
    """Verify the buffer's files, move them aside if they are damaged, and say how to go on.

    Raises:
        BufferUnavailableError: the files cannot be read, written or moved.

    """
    try:
        return await asyncio.to_thread(_examine, path, origin, utc_ns)
    except (OSError, sqlite3.Error) as error:
        raise BufferUnavailableError(f"{path}: {error}; see that the agent may write it") from error


def _examine(path: Path, origin: Origin, utc_ns: int) -> Found:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "its folder cannot be written")
    content = _content(path, origin)
    if isinstance(content, Damaged):
        boot_count = 0 if content.last is None else content.last.header.boot_count
        return Found(
            intact=Intact(chains={}),
            beginning=beginning("quarantine", content.last or _last_set_aside(path, origin)),
            damage=content,
            quarantine=set_aside(path, utc_ns=utc_ns, boot_count=boot_count),
        )
    return Found(
        intact=content, beginning=_beginning(path, origin, content), damage=None, quarantine=None
    )


def _content(path: Path, origin: Origin) -> Intact | Damaged:
    """Return what is in the files, also where there is no database, or no file at all."""
    if path.is_file() and path.stat().st_size:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, "cannot be read and written")
        return inspect_file(path, gateway_id=origin.gateway_id, key=origin.key.verifying_key)
    if any(_is_content(file) for file in _files(path)):
        return Damaged(what="a log without its database, or no file where one should be", last=None)
    return Intact(chains={})


def _beginning(path: Path, origin: Origin, content: Intact) -> Beginning | None:
    """Return the chain to begin, or None to go on with the one there is."""
    if content.head is None:
        is_first = not list(_set_aside_files(path))
        if is_first:
            return beginning("enrol")
        return beginning("quarantine", _last_set_aside(path, origin))
    if content.head.header.key_id != origin.key.key_id:
        is_next = key_after(path) == origin.key.key_id
        return beginning(KEY_ROTATION if is_next else "reset")
    return None


def beginning(reason: str, previous: Head | None = None) -> Beginning:
    """Return a new chain with a random id."""
    return Beginning(reason=reason, chain_id=uuid4(), previous=previous)


def set_aside(path: Path, *, utc_ns: int, boot_count: int) -> Path | None:
    """Move the buffer's files into quarantine/<utc>-<boot>/ beside it; return that folder.

    Returns None where there is nothing to move. The folders are flushed before it returns.

    Raises:
        BufferUnavailableError: the files cannot be moved.

    """
    try:
        return _moved(path, utc_ns, boot_count)
    except OSError as error:
        raise BufferUnavailableError(
            f"{path}: damaged, and cannot be set aside: {error.strerror}"
        ) from error


def _moved(path: Path, utc_ns: int, boot_count: int) -> Path | None:
    present = [file for file in _files(path) if os.path.lexists(file)]
    if not present:
        return None
    utc = datetime.fromtimestamp(utc_ns // 1_000_000_000, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = _new_folder(path.parent / QUARANTINE, f"{utc}-{boot_count}")
    for file in present:
        file.rename(folder / file.name)
    for changed in (folder, folder.parent, path.parent):
        _flush_folder(changed)
    return folder


def _files(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in SUFFIXES]


def _is_content(file: Path) -> bool:
    return os.path.lexists(file) and not (file.is_file() and not file.stat().st_size)


def _set_aside_files(path: Path) -> Iterator[Path]:
    """Yield the databases of earlier quarantines."""
    yield from (path.parent / QUARANTINE).glob(f"*/{path.name}")


def _last_set_aside(path: Path, origin: Origin) -> Head | None:
    """Return the newest batch of the newest quarantine that has one.

    Found when a start was cut off between moving damaged files and its first commit.
    """
    for file in sorted(_set_aside_files(path), key=_age, reverse=True):
        if file.is_file():
            return last_verified(file, gateway_id=origin.gateway_id, key=origin.key.verifying_key)
    return None


def _age(file: Path) -> tuple[float, str]:
    return file.parent.stat().st_mtime, file.parent.name


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder of this name, with a number behind it if there is one already."""
    parent.mkdir(exist_ok=True)
    for attempt in range(1000):
        folder = parent / (name if attempt == 0 else f"{name}-{attempt}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise BufferUnavailableError(f"{parent / name}: a thousand quarantines; remove old ones")


def _flush_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut (fsync(2), NOTES on directories)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
