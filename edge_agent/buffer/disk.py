"""The file system under the buffer: how much of it is free, and the ballast that is given up first.

A full disk cannot be emptied through SQLite: to delete takes room as well. The ballast is a file of
real blocks beside the buffer that is removed when the first write is refused, and made anew once
there is room (docs/adr/0012-a-full-disk.md). Every call here may block.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

MIB: Final = 1024 * 1024
BALLAST_BYTES: Final = 16 * MIB
# stat(2): st_blocks counts units of 512 bytes.
BLOCK_UNIT: Final = 512


class Level(IntEnum):
    """How scarce the room on the disk is; each level includes what the one before it means."""

    AMPLE = 0
    LOW = 1
    """A person is told."""
    SCARCE = 2
    """Receipted batches go before the file grows."""
    SPENT = 3
    """The file does not grow any more: what is new takes the place of what is old."""


# Part of the file system, or so many bytes where that is less: a twentieth of a terabyte is no
# reason to give up readings.
_LIMITS: Final = (
    (Level.SPENT, 0.05, 64 * MIB),
    (Level.SCARCE, 0.10, 512 * MIB),
    (Level.LOW, 0.20, 2048 * MIB),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What a file system has, bytes."""

    total_bytes: int
    free_bytes: int
    is_read_only: bool = False

    @property
    def level(self) -> Level:
        """How scarce the room is."""
        for level, part, most_bytes in _LIMITS:
            if self.free_bytes < min(part * self.total_bytes, most_bytes):
                return level
        return Level.AMPLE


class Disk:
    """The file system of one buffer, and the ballast on it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ballast = path.with_name(f"{path.name}.ballast")
        self.space: Space | None = None
        self.has_ballast = False

    def look(self) -> Space | None:
        """Return how much is free; None where nobody says."""
        try:
            found = os.statvfs(self._path.parent)
        except OSError:
            return None
        self.space = Space(
            total_bytes=found.f_blocks * found.f_frsize,
            free_bytes=found.f_bavail * found.f_frsize,
            is_read_only=bool(found.f_flag & os.ST_RDONLY),
        )
        return self.space

    def release(self) -> bool:
        """Give up the ballast; return whether there was one."""
        self.has_ballast = False
        try:
            self.ballast.unlink()
        except OSError:
            return False
        return True

    def restore(self) -> bool:
        """Make the ballast where there is none and room for it; return whether it is there now."""
        self.has_ballast = self._is_whole() or self._make()
        return self.has_ballast

    def _is_whole(self) -> bool:
        try:
            found = self.ballast.stat()
        except OSError:
            return False
        return found.st_size == BALLAST_BYTES and found.st_blocks * BLOCK_UNIT >= BALLAST_BYTES

    def _make(self) -> bool:
        space = self.look()
        if space is None:
            return False
        after = Space(total_bytes=space.total_bytes, free_bytes=space.free_bytes - BALLAST_BYTES)
        if after.level >= Level.SPENT:
            return False
        try:
            descriptor = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            finally:
                os.close(descriptor)
        except OSError:
            with suppress(OSError):
                self.ballast.unlink()
            return False
        return True
