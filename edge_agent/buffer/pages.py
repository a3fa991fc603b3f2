"""The pages of files that were set aside: every version of each, and nothing of them believed.

SQLite is not asked. The layout is that of schema.PAGE_BYTES; a page is found by its number, in the
log first, then in the database (SQLite file format, sections 1.2, 1.6 and 4.1).
"""

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from edge_agent.buffer import schema

LOG_HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
_PAGE_NUMBER: Final = struct.Struct(">I")
# Pages read at once.
CHUNK_PAGES: Final = 512
# The log of a buffer is kept at schema.LOG_BYTES; what is behind this is looked at as pages of
# their own, but not found by its number: the index of a log must not cost memory without end.
INDEXED_FRAMES: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some pages of one file, one behind the other.

    Attributes:
        start: where they begin, in bytes over both files.
        end: where the next begin.
        content: the pages; in the log each behind its frame's header.
        stride: bytes from one page to the next.
        offset: bytes of a stride before the page.
        frame: number of the first frame; None in the database.

    """

    start: int
    end: int
    content: bytes
    stride: int
    offset: int
    frame: int | None

    def page_at(self, index: int) -> bytes:
        """Return the page of this index; shorter where the file ends in it."""
        at = index * self.stride + self.offset
        return self.content[at : at + schema.PAGE_BYTES]


class Pages:
    """Two open files: a database and its log, either of which may be missing."""

    def __init__(self, path: Path) -> None:
        self._files = tuple(map(_opened, (path, path.with_name(path.name + "-wal"))))
        self._sizes = tuple(map(_size, self._files))
        self._frames = self._index()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            if file is not None:
                os.close(file)

    @property
    def size(self) -> int:
        """Bytes of both files."""
        return sum(self._sizes)

    def newest(self, number: int) -> bytes | None:
        """Return the newest version of a page; None where there is none."""
        frames = self._frames.get(number)
        return self.of_log(frames[-1]) if frames else self.stored(number)

    def as_of(self, number: int, frame: int) -> bytes | None:
        """Return a page as it was when a frame of the log was written."""
        before = [one for one in self._frames.get(number, ()) if one <= frame]
        return self.of_log(before[-1]) if before else self.stored(number)

    def stored(self, number: int) -> bytes | None:
        """Return a page of the database, whatever the log says."""
        at = (number - 1) * schema.PAGE_BYTES
        return self._read(0, at) if number > 0 else None

    def chunks(self, start: int) -> Iterator[Chunk]:
        """Yield all pages from a place on: those of the database, then those of the log."""
        database_bytes, log_bytes = self._sizes
        at = start - start % schema.PAGE_BYTES
        while at < database_bytes:
            at = self._next_content(at)
            content = self._bytes(0, at, CHUNK_PAGES * schema.PAGE_BYTES)
            if not content:
                break
            end = at + len(content)
            yield Chunk(
                start=at, end=end, content=content, stride=schema.PAGE_BYTES, offset=0, frame=None
            )
            at = end
        stride = FRAME_HEADER_BYTES + schema.PAGE_BYTES
        frame = max(0, start - database_bytes - LOG_HEADER_BYTES) // stride
        while (place := LOG_HEADER_BYTES + frame * stride) < log_bytes:
            content = self._bytes(1, place, CHUNK_PAGES * stride)
            if not content:
                break
            place += database_bytes
            yield Chunk(
                start=place,
                end=place + len(content),
                content=content,
                stride=stride,
                offset=FRAME_HEADER_BYTES,
                frame=frame,
            )
            frame += CHUNK_PAGES

    def _index(self) -> dict[int, list[int]]:
        """Return the frames of each page in the log, in order."""
        found: dict[int, list[int]] = {}
        stride = FRAME_HEADER_BYTES + schema.PAGE_BYTES
        frame = 0
        while frame < INDEXED_FRAMES:
            content = self._bytes(1, LOG_HEADER_BYTES + frame * stride, CHUNK_PAGES * stride)
            for at in range(0, len(content) - FRAME_HEADER_BYTES, stride):
                (number,) = _PAGE_NUMBER.unpack_from(content, at)
                found.setdefault(number, []).append(frame + at // stride)
            if len(content) < CHUNK_PAGES * stride:
                break
            frame += CHUNK_PAGES
        return found

    def of_log(self, frame: int) -> bytes | None:
        """Return the page in a frame of the log; None where it ends before."""
        stride = FRAME_HEADER_BYTES + schema.PAGE_BYTES
        return self._read(1, LOG_HEADER_BYTES + frame * stride + FRAME_HEADER_BYTES)

    def _read(self, which: int, at: int) -> bytes | None:
        page = self._bytes(which, at, schema.PAGE_BYTES)
        return page if len(page) == schema.PAGE_BYTES else None

    def _bytes(self, which: int, at: int, count: int) -> bytes:
        """Return bytes of a file; none where it ends, or where the disk cannot read them."""
        file = self._files[which]
        if file is None or at >= self._sizes[which]:
            return b""
        try:
            return os.pread(file, count, at)
        except OSError:
            return self._by_page(file, at, count)

    def _by_page(self, file: int, at: int, count: int) -> bytes:
        """Return the same, with zeros for what the disk cannot read."""
        parts: list[bytes] = []
        for place in range(at, at + count, schema.PAGE_BYTES):
            part = bytes(schema.PAGE_BYTES)
            with suppress(OSError):
                part = os.pread(file, schema.PAGE_BYTES, place)
            parts.append(part)
            if len(part) < schema.PAGE_BYTES:
                break
        return b"".join(parts)

    def _next_content(self, at: int) -> int:
        """Return where the database goes on behind a hole in the file (lseek(2), SEEK_DATA)."""
        file = self._files[0]
        if file is None:
            return at
        try:
            found = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            return self._sizes[0]
        return max(at, found - found % schema.PAGE_BYTES)


def _opened(path: Path) -> int | None:
    """Return a file that can be read, without waiting for whoever writes to a pipe."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def _size(file: int | None) -> int:
    return 0 if file is None else os.fstat(file).st_size
