"""Start-up: what is in the buffer's files decides what happens, and none of it can stop the start.

Damaged files are moved aside, never deleted; the new chain then names the last batch of the old
one that still verifies.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from edge_agent.buffer.committing import Beginning
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.records import Head
from edge_agent.buffer.verifying import Damaged, Intact, inspect_file, last_verified
from edge_agent.wire.batch import Origin

QUARANTINE: Final = "quarantine"
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
    """Verify the buffer's files, move them aside if they are damaged, and say how to go on."""
    return await asyncio.to_thread(_examine, path, origin, utc_ns)


def _examine(path: Path, origin: Origin, utc_ns: int) -> Found:
    key, gateway_id = origin.key.verifying_key, origin.gateway_id
    empty = Intact(chains={})
    if not path.exists():
        leftovers = set_aside(path, utc_ns=utc_ns, boot_count=0)
        return Found(
            intact=empty,
            beginning=_after_quarantine(path, origin),
            damage=None,
            quarantine=leftovers,
        )
    content = inspect_file(path, gateway_id=gateway_id, key=key)
    if isinstance(content, Damaged):
        boot_count = 0 if content.last is None else content.last.header.boot_count
        folder = set_aside(path, utc_ns=utc_ns, boot_count=boot_count)
        return Found(
            intact=empty,
            beginning=beginning("quarantine", content.last),
            damage=content,
            quarantine=folder,
        )
    if content.head is None:
        start = _after_quarantine(path, origin)
    elif content.head.header.key_id != origin.key.key_id:
        start = beginning("reset", content.head)
    else:
        start = None
    return Found(intact=content, beginning=start, damage=None, quarantine=None)


def beginning(reason: str, previous: Head | None) -> Beginning:
    """Return a new chain with a random id."""
    return Beginning(reason=reason, chain_id=uuid4(), previous=previous)


def set_aside(path: Path, *, utc_ns: int, boot_count: int) -> Path | None:
    """Move the buffer's files into quarantine/<utc>-<boot>/ beside it; return that folder.

    Returns None where there is nothing to move. Both folders are flushed before it returns.
    """
    files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    present = [file for file in files if file.exists()]
    if not present:
        return None
    utc = datetime.fromtimestamp(utc_ns // 1_000_000_000, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = _new_folder(path.parent / QUARANTINE, f"{utc}-{boot_count}")
    for file in present:
        file.rename(folder / file.name)
    for changed in (folder, folder.parent, path.parent):
        _flush_folder(changed)
    return folder


def _after_quarantine(path: Path, origin: Origin) -> Beginning:
    """Return how an empty buffer begins: anew, or behind files that an earlier start moved."""
    folders = sorted((path.parent / QUARANTINE).glob(f"*/{path.name}"), key=_age)
    if not folders:
        return beginning("enrol", None)
    last = last_verified(folders[-1], gateway_id=origin.gateway_id, key=origin.key.verifying_key)
    return beginning("quarantine", last)


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
