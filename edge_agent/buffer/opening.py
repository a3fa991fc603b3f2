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
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from edge_agent.buffer.committing import Beginning
from edge_agent.buffer.content import Damaged, Intact
from edge_agent.buffer.disk import MIB, Disk
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.log_check import read_log
from edge_agent.buffer.quarantine import files_of, folders, put_away, set_aside
from edge_agent.buffer.reading import Limit, key_after, last_verified
from edge_agent.buffer.records import Backlog, Head, Usage
from edge_agent.buffer.verifying import inspect_file
from edge_agent.clock import Clock
from edge_agent.wire.batch import Origin

KEY_ROTATION: Final = "key_rotation"

log = structlog.get_logger()

# The index of the log, the log with the first batch, and what folders need. Less room than this is
# none: SQLite then cannot even read the file.
START_BYTES: Final = MIB
# To find what a new chain follows may take so long, after the start has looked at the file itself.
LAST_LIMIT_S: Final = 2.0


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
        lock = _lock_file(path.with_name(path.name + ".lock"))
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


def _lock_file(file: Path) -> int:
    """Return the open lock file; what is no file, and so was never locked by us, is put away."""
    if os.path.lexists(file) and not file.is_file():
        put_away(file)
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


async def examine(path: Path, *, origin: Origin, clock: Clock) -> Found:
    """Verify the buffer's files, move them aside if they are damaged, and say how to go on.

    Raises:
        BufferUnavailableError: the files cannot be read, written or moved.

    """
    try:
        return await asyncio.to_thread(_examine, path, origin, clock)
    except (OSError, sqlite3.Error) as error:
        remedy = "see that the agent may write it"
        if _is_spent(Disk(path)):
            remedy = "there is no room on its disk: free some, the buffer itself is left as it is"
        raise BufferUnavailableError(f"{path}: {error}; {remedy}") from error


def _is_spent(disk: Disk) -> bool:
    """Return whether a disk has no room for what a start writes."""
    space = disk.look()
    return space is not None and space.free_bytes < START_BYTES


def _examine(path: Path, origin: Origin, clock: Clock) -> Found:
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "its folder cannot be written")
    disk = Disk(path)
    if _is_spent(disk) and disk.release():
        log.error("ballast.released", path=str(disk.ballast))
    content = _content(path, origin, clock)
    if isinstance(content, Damaged):
        boot_count = 0 if content.last is None else content.last.header.boot_count
        last = content.last or _last_set_aside(path, origin, clock)
        return Found(
            intact=Intact(chains={}),
            beginning=beginning("quarantine", last),
            damage=content,
            quarantine=set_aside(path, utc_ns=clock.now().utc_ns, boot_count=boot_count),
        )
    return Found(
        intact=content,
        beginning=_beginning(path, origin, content, clock),
        damage=None,
        quarantine=None,
    )


def _content(path: Path, origin: Origin, clock: Clock) -> Intact | Damaged:
    """Return what is in the files, also where there is no database, or no file at all."""
    foreign = next((file for file in files_of(path) if _is_foreign(file)), None)
    if foreign is not None:
        return Damaged(
            what=f"{foreign.name} is no file that the agent may read and write", last=None
        )
    if path.is_file() and path.stat().st_size:
        found = inspect_file(
            path,
            gateway_id=origin.gateway_id,
            key=origin.key.verifying_key,
            earlier=origin.earlier,
            clock=clock,
        )
        if isinstance(found, Damaged):
            return found
        fault = _log_fault(path, found, origin)
        return found if fault is None else Damaged(what=fault, last=found.head)
    if any(_is_content(file) for file in files_of(path)):
        return Damaged(what="a log without its database, or no file where one should be", last=None)
    return Intact(chains={})


def _log_fault(path: Path, found: Intact, origin: Origin) -> str | None:
    read = read_log(path.with_name(f"{path.name}-wal"))
    if read.fault is not None or not read.behind:
        return read.fault
    # What reads damaged files loads where a transaction was cut off.
    from edge_agent.buffer.forgotten import forgotten  # noqa: PLC0415 - see the line above

    return forgotten(path, read.behind, found, origin)


def _is_foreign(file: Path) -> bool:
    """Return whether SQLite would stumble over what stands in the place of one of its files."""
    if not os.path.lexists(file):
        return False
    return not file.is_file() or not os.access(file, os.R_OK | os.W_OK)


def _beginning(path: Path, origin: Origin, content: Intact, clock: Clock) -> Beginning | None:
    """Return the chain to begin, or None to go on with the one there is."""
    if content.head is None:
        if not folders(path):
            return beginning("enrol")
        return beginning("quarantine", _last_set_aside(path, origin, clock))
    own, after = origin.key.key_id, key_after(path)
    if content.head.header.key_id != own:
        return beginning(KEY_ROTATION if after == own else "reset")
    # A key that has said its last word signs nothing more in that chain, whoever brought it back.
    return None if after in (own, None) else beginning("reset")


def beginning(reason: str, previous: Head | None = None) -> Beginning:
    """Return a new chain with a random id."""
    return Beginning(reason=reason, chain_id=uuid4(), previous=previous)


def tell_opening(path: Path, found: Found, backlog: Backlog, usage: Usage) -> None:
    """Log what a start found and what it goes on with."""
    if found.damage is not None:
        log.error("buffer.quarantined", fault=found.damage.what, folder=str(found.quarantine))
    log.info(
        "buffer.opened",
        path=str(path),
        unreceipted=backlog.unreceipted_count,
        used_bytes=usage.used_bytes,
    )


def _is_content(file: Path) -> bool:
    return os.path.lexists(file) and not (file.is_file() and not file.stat().st_size)


def _last_set_aside(path: Path, origin: Origin, clock: Clock) -> Head | None:
    """Return the newest batch of the newest quarantine that has one.

    Found when a start was cut off between moving damaged files and its first commit.
    """
    for folder in reversed(folders(path)):
        file = folder / path.name
        if file.is_file() and os.access(file, os.R_OK):
            return last_verified(
                file,
                gateway_id=origin.gateway_id,
                keys=origin.verifying_keys,
                limit=Limit(clock, LAST_LIMIT_S),
            )
    return None
