"""Where the bytes of each batch lie in a sound buffer file and its log.

A small reader of SQLite files, made from the published format (sections 1.2, 1.5, 1.6, 2.1, 4.1)
for sound files only: it says which bytes must be unharmed for a batch to be intact.
"""

from __future__ import annotations

import sqlite3
import struct
from bisect import bisect_right
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

LOG_SUFFIX = "-wal"
HASH, HEADER, SIGNATURE = 32, 312, 64
Place = tuple[str, int]  # file suffix, offset


@dataclass(frozen=True, slots=True)
class Extent:
    """Some bytes of a batch: the file they are in, by suffix, and where."""

    suffix: str
    at: int
    content: bytes


class Image:
    """A sound buffer, as pages."""

    def __init__(self, path: Path) -> None:
        self.files = {"": path.read_bytes(), LOG_SUFFIX: b""}
        log = path.with_name(path.name + LOG_SUFFIX)
        if log.exists():
            self.files[LOG_SUFFIX] = log.read_bytes()
        self.size = int.from_bytes(self.files[""][16:18], "big")
        # Where the transactions in the log end, rising.
        self.ends: list[int] = []
        self.places: dict[int, Place] = dict(self._committed())
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'sealed'"
            (self.root,) = connection.execute(query).fetchone()

    def _committed(self) -> Iterator[tuple[int, Place]]:
        """Yield pages that the log has, as of its last commit."""
        log = self.files[LOG_SUFFIX]
        if len(log) < 32:
            return
        salts, waiting = log[16:24], dict[int, Place]()
        for at in range(32, len(log) - self.size - 23, 24 + self.size):
            number, is_commit = struct.unpack_from(">II", log, at)
            if log[at + 8 : at + 16] != salts:
                return
            waiting[number] = (LOG_SUFFIX, at + 24)
            if is_commit:
                self.ends.append(at + 24 + self.size)
                yield from waiting.items()
                waiting = {}

    def place(self, number: int) -> Place:
        """Return where the newest version of a page is."""
        return self.places.get(number, ("", (number - 1) * self.size))

    def page(self, number: int) -> bytes:
        """Return the newest version of a page."""
        suffix, at = self.place(number)
        return self.files[suffix][at : at + self.size]

    def batches(self) -> Mapping[bytes, list[Extent]]:
        """Return the extents of header, signature and body of each batch, by batch hash."""
        return dict(self._walk(self.root))

    def transaction(self, extents: Iterable[Extent]) -> int:
        """Return which transaction of the log made a batch durable; -1: none that is still there.

        Pages are written again by later ones, but not all of a batch.
        """
        return min(
            bisect_right(self.ends, extent.at) if extent.suffix == LOG_SUFFIX else -1
            for extent in extents
        )

    def damaged_from(self, log: bytes) -> int:
        """Return the first transaction that is not what it was in a damaged log."""
        sound = self.files[LOG_SUFFIX]
        same = next(
            (at for at, (one, other) in enumerate(zip(sound, log, strict=False)) if one != other),
            min(len(sound), len(log)),
        )
        # Its header is written anew only when all of the log is in the database.
        return len(self.ends) if same < 32 else bisect_right(self.ends, same)

    def _walk(self, number: int) -> Iterator[tuple[bytes, list[Extent]]]:
        page = self.page(number)
        kind, count = page[0], int.from_bytes(page[3:5], "big")
        first = 12 if kind == 5 else 8
        cells = [
            int.from_bytes(page[first + 2 * n : first + 2 * n + 2], "big") for n in range(count)
        ]
        if kind == 5:
            for cell in cells:
                yield from self._walk(int.from_bytes(page[cell : cell + 4], "big"))
            yield from self._walk(int.from_bytes(page[8:12], "big"))
            return
        for cell in cells:
            yield self._batch(number, page, cell)

    def _batch(self, number: int, page: bytes, cell: int) -> tuple[bytes, list[Extent]]:
        total, at = _varint(page, cell)
        _, at = _varint(page, at)
        header_bytes, _ = _varint(page, at)
        usable = self.size
        local = total
        if total > usable - 35:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (total - least) % (usable - 4)
            local = local if local <= usable - 35 else least
        suffix, base = self.place(number)
        extents = [Extent(suffix, base + at, page[at : at + local])]
        following = int.from_bytes(page[at + local : at + local + 4], "big")
        left = total - local
        while left > 0:
            suffix, base = self.place(following)
            there = self.page(following)
            extents.append(Extent(suffix, base + 4, there[4 : 4 + min(left, usable - 4)]))
            following = int.from_bytes(there[:4], "big")
            left -= usable - 4
        whole = b"".join(extent.content for extent in extents)
        return whole[header_bytes : header_bytes + HASH], _without(extents, header_bytes + HASH)


def _without(extents: list[Extent], count: int) -> list[Extent]:
    """Return the extents without their first bytes: the batch itself, nothing of SQLite's."""
    rest: list[Extent] = []
    for extent in extents:
        cut = min(count, len(extent.content))
        count -= cut
        if cut < len(extent.content):
            rest.append(Extent(extent.suffix, extent.at + cut, extent.content[cut:]))
    return rest


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(9):
        byte = page[at + index]
        if index == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("no variable-length integer")
