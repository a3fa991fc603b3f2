"""Where damaged files go: quarantine/<utc>-<boot>/ beside the buffer. Nothing there is changed.

Files are moved, never copied and never deleted; whatever lies in their place is moved too.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import uuid4

from edge_agent.buffer.faults import BufferUnavailableError

FOLDER: Final = "quarantine"
# An operator has looked at what became of a quarantine (`edge-agent buffer info`).
SEEN: Final = "seen"
# The database first: a log without its database is found and moved at the next start, a database
# without its log would pass for an older, intact buffer.
SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
# So many names are tried with a number, so that they stay short; then one at random.
NUMBERED: Final = 100


def files_of(path: Path) -> list[Path]:
    """Return the names that SQLite may use for a database at this path."""
    return [path.with_name(path.name + suffix) for suffix in SUFFIXES]


def set_aside(path: Path, *, utc_ns: int, boot_count: int) -> Path | None:
    """Move the buffer's files into a folder of their own; return that folder.

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


def put_away(file: Path) -> None:
    """Give what stands in the place of a file of ours another name beside it.

    Raises:
        OSError: the folder cannot be written.

    """
    file.rename(file.with_name(f"{file.name}-{uuid4().hex}"))


def folders(path: Path) -> list[Path]:
    """Return the folders that hold files of this buffer, the oldest first."""
    try:
        with os.scandir(path.parent / FOLDER) as entries:
            found = [
                (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []
    parent = path.parent / FOLDER
    return [parent / name for _, name in sorted(found) if _holds(parent / name, path.name)]


def is_seen(folder: Path) -> bool:
    """Return whether an operator has looked at what became of a quarantine."""
    return (folder / SEEN).exists()


def is_closed(path: Path) -> bool:
    """Return whether a database or its log is there and may not be read."""
    return any(file.is_file() and not os.access(file, os.R_OK) for file in files_of(path)[:2])


def _holds(folder: Path, name: str) -> bool:
    return any(os.path.lexists(file) for file in files_of(folder / name))


def _moved(path: Path, utc_ns: int, boot_count: int) -> Path | None:
    present = [file for file in files_of(path) if os.path.lexists(file)]
    if not present:
        return None
    parent = path.parent / FOLDER
    if os.path.lexists(parent) and not parent.is_dir():
        put_away(parent)
    utc = datetime.fromtimestamp(utc_ns // 1_000_000_000, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = _new_folder(parent, f"{utc}-{boot_count}")
    for file in present:
        file.rename(folder / file.name)
    for changed in (folder, folder.parent, path.parent):
        _flush_folder(changed)
    return folder


def _names(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{attempt}" for attempt in range(1, NUMBERED))
    yield f"{name}-{uuid4().hex}"


def _new_folder(parent: Path, name: str) -> Path:
    """Make a folder of this name, with something behind it if there is one already."""
    parent.mkdir(exist_ok=True)
    for attempt in _names(name):
        try:
            (parent / attempt).mkdir()
        except FileExistsError:
            continue
        return parent / attempt
    raise FileExistsError(f"{parent / name}: no name is free")


def _flush_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut (fsync(2), NOTES on directories)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
