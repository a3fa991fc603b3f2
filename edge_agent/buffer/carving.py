"""Finds records in pages whose tree may be damaged, and follows them over their overflow pages.

A record is known by the header that SQLite puts before it, so that neither the tree nor the page's
own list of cells is needed. What comes out is bytes that look like a record: verifying is next.
Source: SQLite file format, sections 1.5 (cells), 1.6 (overflow) and 2.1 (record format).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from edge_agent.buffer import schema

Lookup: TypeAlias = Callable[[int], bytes | None]

# Serial types of the columns of `sealed`: NULL (the row id stands for it), blobs of 32, 312 and 64
# bytes (12 + 2 n); before it stands the length of the record's header, behind it the body's type.
SEALED: Final = bytes.fromhex("00 4c 847c 810c")
FIXED_BYTES: Final = 32 + 312 + 64
# What a compressed payload of 4 MiB may take, and a document.
LONGEST_BODY: Final = 5 * 1024 * 1024
LONGEST_DOCUMENT: Final = 72 * 1024 * 1024
TABLE_LEAF: Final = 0x0D
_POINTER: Final = schema.PAGE_POINTER_BYTES
_VARINT_MOST: Final = 9
_BLOB_BASE: Final = 12
# Bytes of the integers of serial types 1 to 6.
_INTEGERS: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A record that begins in a page: where, its length, and where its columns begin."""

    page: bytes
    start: int
    total: int
    columns_at: int

    def content(self, most: int, lookup: Lookup, *, is_straight: bool = False) -> bytes | None:
        """Return the first bytes of its columns; None where they are not to be had.

        Args:
            most: so many at most; the record may be shorter.
            lookup: page number -> page.
            is_straight: take the pages behind the first as they follow one another: a pointer
                in one of them may be damaged.

        """
        wanted = min(self.columns_at + most, self.total)
        local = local_bytes(self.total)
        parts = [self.page[self.start : self.start + min(local, wanted)]]
        have = len(parts[0])
        at = self.start + local
        number = int.from_bytes(self.page[at : at + _POINTER], "big")
        while have < wanted:
            page = lookup(number)
            if page is None:
                return None
            parts.append(page[_POINTER : _POINTER + wanted - have])
            have += len(parts[-1])
            number = number + 1 if is_straight else int.from_bytes(page[:_POINTER], "big")
        return b"".join(parts)[self.columns_at :]


def local_bytes(total: int) -> int:
    """Return how much of a record of so many bytes stands in the page of a table's leaf.

    Source: SQLite file format, section 1.6: U = bytes of a page, X = U - 35,
    M = (U - 12) 32 / 255 - 23, K = M + (P - M) mod (U - 4).
    """
    usable = schema.PAGE_BYTES
    if total <= usable - 35:
        return total
    least = (usable - 12) * 32 // 255 - 23
    wanted = least + (total - least) % (usable - _POINTER)
    return wanted if wanted <= usable - 35 else least


def sealed_cells(page: bytes) -> Iterator[Cell]:
    """Yield the batches that begin in a page, deleted ones among them."""
    at = page.find(SEALED)
    while at >= 0:
        serial, behind = varint(page, at + len(SEALED))
        start = at - 1
        body_bytes, is_odd = divmod(serial - _BLOB_BASE, 2)
        if start >= 0 and not is_odd and page[start] == behind - start:
            total = behind - start + FIXED_BYTES + body_bytes
            is_there = start + local_bytes(total) <= len(page)
            if 0 <= body_bytes <= LONGEST_BODY and is_there:
                yield Cell(page=page, start=start, total=total, columns_at=behind - start)
        at = page.find(SEALED, at + 1)


def leaf_records(page: bytes) -> Iterator[tuple[int, tuple[int, ...], Cell]]:
    """Yield row id, serial types and cell of each record that a table's leaf lists."""
    if len(page) < schema.PAGE_BYTES or page[0] != TABLE_LEAF:
        return
    for index in range(int.from_bytes(page[3:5], "big")):
        at = 8 + 2 * index
        place = int.from_bytes(page[at : at + 2], "big")
        if at + 2 > schema.PAGE_BYTES or not 8 <= place < schema.PAGE_BYTES - 4:
            return
        total, behind = varint(page, place)
        row_id, start = varint(page, behind)
        header_bytes, at = varint(page, start)
        end = start + header_bytes
        if end > len(page) or total < header_bytes or total > LONGEST_DOCUMENT:
            continue
        serials: list[int] = []
        while at < end:
            serial, at = varint(page, at)
            serials.append(serial)
        if start + local_bytes(total) <= len(page):
            cell = Cell(page=page, start=start, total=total, columns_at=header_bytes)
            yield _signed(row_id), tuple(serials), cell


def columns(content: bytes, serials: tuple[int, ...]) -> list[bytes | int | None]:
    """Return the values of a record: blobs and texts as bytes.

    Raises:
        ValueError: it is too short, or has a column of a kind that a buffer has not.

    """
    values: list[bytes | int | None] = []
    at = 0
    for serial in serials:
        size = _column_bytes(serial)
        part = content[at : at + size]
        at += size
        if len(part) < size:
            raise ValueError("a record is shorter than its header says")
        if serial >= _BLOB_BASE:
            values.append(part)
        elif serial in _INTEGERS:
            values.append(int.from_bytes(part, "big", signed=True))
        else:
            values.append({8: 0, 9: 1}.get(serial))
    return values


def varint(page: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer and where it ends; zero behind the page's end."""
    value = 0
    for count, byte in enumerate(page[at : at + _VARINT_MOST], start=1):
        if count == _VARINT_MOST:
            return value << 8 | byte, at + count
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count
    return 0, at + 1


def _column_bytes(serial: int) -> int:
    if serial >= _BLOB_BASE:
        return (serial - _BLOB_BASE) // 2
    if serial in _INTEGERS:
        return _INTEGERS[serial]
    if serial in {0, 8, 9}:
        return 0
    raise ValueError(f"a column of serial type {serial}")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value
