"""The readings of a payload: one Arrow IPC stream of one record batch, and its rows.

The framing and the flatbuffer messages are read by hand for what a library forgives (byte order,
compression, custom metadata, legacy framing); pyarrow then decodes (docs/wire-format.md section 4).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.ipc

from ewcheck.faults import InvalidError
from ewcheck.header import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

END = bytes.fromhex("ffffffff00000000")
CONTINUATION = b"\xff\xff\xff\xff"
VERSION_5 = 4  # MetadataVersion.V5 of Apache Arrow's Schema.fbs
SCHEMA, RECORD_BATCH = 1, 3  # MessageHeader of Message.fbs
COLUMNS = pa.schema(
    [
        pa.field("scan", pa.uint32(), nullable=False),
        pa.field("channel", pa.uint32(), nullable=False),
        pa.field("at", pa.int64(), nullable=False),
        pa.field("mono", pa.int64(), nullable=False),
        pa.field("raw", pa.int64(), nullable=False),
        pa.field("status", pa.uint32(), nullable=False),
        pa.field("quality", pa.uint32(), nullable=False),
    ]
)


class Row(NamedTuple):
    """One reading, in the order in which a leaf packs it."""

    scan: int
    channel: int
    at: int
    mono: int
    raw: int
    status: int
    quality: int


def decoded(readings: bytes) -> list[Row]:
    """Return the rows of a readings part; an empty part has none."""
    if not readings:
        return []
    _check_stream(readings)
    try:
        stream = pa.ipc.open_stream(readings)
        if not stream.schema.equals(COLUMNS, check_metadata=True):
            raise InvalidError(f"schema: {stream.schema.to_string()[:200]}")
        batches = list(stream)
        batches[0].validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise InvalidError(f"arrow: {error}") from error
    if len(batches) != 1 or not 1 <= batches[0].num_rows <= MAX_ROWS:
        raise InvalidError("arrow: not exactly one record batch of 1 to 65,536 rows")
    if any(column.null_count for column in batches[0].columns):
        raise InvalidError("arrow: a null")
    rows = [Row(*r) for r in zip(*(c.to_pylist() for c in batches[0].columns), strict=True)]
    _check_scans(rows)
    return rows


def _check_scans(rows: list[Row]) -> None:
    """Raise InvalidError unless scans stand together and channels rise within each."""
    scan, channel = 0, 0
    for index, row in enumerate(rows):
        if row.scan == scan + 1 and index:
            scan, channel = row.scan, 0
        if row.scan != scan:
            raise InvalidError(f"scans: row {index} is of scan {row.scan} after {scan}")
        if row.channel <= channel:
            raise InvalidError(f"scans: row {index} has channel {row.channel} after {channel}")
        channel = row.channel


def _check_stream(readings: bytes) -> None:
    """Raise InvalidError unless the stream is schema, one record batch, end marker."""
    try:
        behind_schema = _check_message(readings, 0, SCHEMA)
        end = _check_message(readings, behind_schema, RECORD_BATCH)
    except (struct.error, IndexError):
        raise InvalidError("arrow: a message is cut off") from None
    if readings[end:] != END:
        raise InvalidError("arrow: not exactly the end marker behind the record batch")


def _check_message(stream: bytes, at: int, kind: int) -> int:
    """Check the encapsulated message at `at`; return where the next one begins."""
    if stream[at : at + 4] != CONTINUATION:
        raise InvalidError("arrow: no continuation marker")
    length = int.from_bytes(stream[at + 4 : at + 8], "little")
    if length == 0 or length % 8 or at + 8 + length > len(stream):
        raise InvalidError(f"arrow: metadata of {length} bytes")
    message = _Table.root(stream[at + 8 : at + 8 + length])
    body_length = message.number(3, "<q")
    for is_broken, what in _message_rules(message, kind, body_length):
        if is_broken:
            raise InvalidError(f"arrow: {what}")
    end = at + 8 + length + body_length
    if body_length < 0 or end > len(stream):
        raise InvalidError(f"arrow: a body of {body_length} bytes")
    return end


def _message_rules(message: _Table, kind: int, body_length: int) -> Iterator[tuple[bool, str]]:
    """Yield (is broken, what is wrong) for one message; its kind before what depends on it."""
    yield message.number(0, "<h") != VERSION_5, "metadata version is not 5"
    yield message.number(1, "<B") != kind, f"message kind is not {kind}"
    yield message.has(4), "custom metadata in a message"
    header = message.table(2)
    if kind == SCHEMA:
        yield header.number(0, "<h") != 0, "big-endian"
        yield header.has(2), "custom metadata in the schema"
        yield body_length != 0, "a schema with a body"
    else:
        yield header.has(3), "a compressed body"


class _Table:
    """One flatbuffers table: enough of it to ask for scalars and sub-tables by field number."""

    def __init__(self, buffer: bytes, at: int) -> None:
        self._buffer = buffer
        self._at = at
        self._vtable = at - struct.unpack_from("<i", buffer, at)[0]
        if not 0 <= self._vtable < len(buffer):
            raise IndexError

    @classmethod
    def root(cls, buffer: bytes) -> _Table:
        """Return the root table of a flatbuffer."""
        return cls(buffer, struct.unpack_from("<I", buffer)[0])

    def _place(self, field: int) -> int:
        """Return where a field's value stands, 0 if it is absent."""
        (size,) = struct.unpack_from("<H", self._buffer, self._vtable)
        entry = 4 + 2 * field
        if entry + 2 > size:
            return 0
        offset: int = struct.unpack_from("<H", self._buffer, self._vtable + entry)[0]
        return self._at + offset if offset else 0

    def has(self, field: int) -> bool:
        """Return whether the field is present."""
        return self._place(field) != 0

    def number(self, field: int, layout: str) -> int:
        """Return a scalar; 0, flatbuffers' default, if it is absent."""
        place = self._place(field)
        value: int = struct.unpack_from(layout, self._buffer, place)[0] if place else 0
        return value

    def table(self, field: int) -> _Table:
        """Return a sub-table that must be present."""
        place = self._place(field)
        if not place:
            raise InvalidError(f"arrow: a message without its field {field}")
        return _Table(self._buffer, place + struct.unpack_from("<I", self._buffer, place)[0])
