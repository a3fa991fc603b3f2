"""The centre's reader of readings: one Arrow IPC stream in, rows out.

What a device sent meets the Arrow library only after this module has looked at its framing: exactly
a schema message, one record batch and the end marker, version 5, no compression, no dictionary, no
metadata (docs/wire-format.md section 4). A corrupt offset could otherwise crash the library.
"""

import struct
from contextlib import suppress
from typing import Final

import numpy as np
import pyarrow as pa

from edge_agent.wire.arrow import END_MARKER, SCHEMA_MESSAGE, rows_of_stream
from edge_agent.wire.readings import MAX_ROWS, ROW, RowArray
from edge_agent.wire.refusal import Code, RefusedError

_CONTINUATION: Final = 0xFFFF_FFFF
_PREFIX: Final = struct.Struct("<II")

# Apache Arrow format, Message.fbs: MetadataVersion.V5, MessageHeader.Schema and .RecordBatch, and
# the places of the fields in the tables Message and RecordBatch.
_VERSION_5: Final = 4
_SCHEMA: Final = 1
_RECORD_BATCH: Final = 3
_MESSAGE_VERSION, _MESSAGE_KIND, _MESSAGE_HEADER, _MESSAGE_BODY, _MESSAGE_METADATA = range(5)
_BATCH_LENGTH, _BATCH_NODES, _BATCH_BUFFERS, _BATCH_COMPRESSION, _BATCH_VARIADIC = range(5)

_TYPES: Final = {4: pa.uint32(), 8: pa.int64()}
SCHEMA: Final = pa.schema(
    [pa.field(name, _TYPES[ROW[name].itemsize], nullable=False) for name in ROW.names or ()]
)


def rows_of_arrow(readings: bytes) -> RowArray:
    """Return the rows of an Arrow stream; shape (n,); no bytes are no rows.

    Raises:
        RefusedError: ARROW: framing, versions, kinds, compression or values out of bounds;
            SCHEMA: other columns, types, nulls or metadata.

    """
    if not readings:
        return np.empty(0, dtype=ROW)
    with suppress(RefusedError):
        # Byte for byte what our own writer makes of these rows: no library needs to look at it.
        return rows_of_stream(readings)
    batch_at = _check_schema(readings)
    row_count = _check_batch(readings, batch_at)
    try:
        with pa.ipc.open_stream(readings) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, EOFError) as fault:
        raise RefusedError(Code.ARROW, f"cannot be read: {fault}") from fault
    if batch.num_rows != row_count or any(column.null_count for column in batch.columns):
        raise RefusedError(Code.ARROW, "rows are missing or null")
    rows = np.empty(row_count, dtype=ROW)
    for name, column in zip(ROW.names or (), batch.columns, strict=True):
        rows[name] = column.to_numpy(zero_copy_only=True)
    return rows


def _check_schema(readings: bytes) -> int:
    """Refuse another schema than ours; return where the record-batch message starts."""
    if readings.startswith(SCHEMA_MESSAGE):
        return len(SCHEMA_MESSAGE)
    message, end = _message(readings, 0)
    _require_kind(message, _SCHEMA)
    if message.number(_MESSAGE_BODY, 8):
        raise RefusedError(Code.ARROW, "the schema message has a body")
    try:
        schema = pa.ipc.read_schema(pa.py_buffer(readings[:end]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError, ValueError) as fault:
        raise RefusedError(Code.SCHEMA, f"cannot be read: {fault}") from fault
    if not schema.equals(SCHEMA, check_metadata=True):
        raise RefusedError(Code.SCHEMA, "columns, types, nullability or metadata differ")
    # Features and byte order stand outside what the library shows; both are 0 when absent.
    header = message.table(_MESSAGE_HEADER)
    if header is None or header.number(0, 2) or header.vector_length(3):
        raise RefusedError(Code.SCHEMA, "must be little-endian, without features")
    return end


def _check_batch(readings: bytes, start: int) -> int:
    """Refuse anything but one plain record batch and the end; return its number of rows."""
    message, body_at = _message(readings, start)
    _require_kind(message, _RECORD_BATCH)
    header = message.table(_MESSAGE_HEADER)
    if header is None:
        raise RefusedError(Code.ARROW, "the record batch has no header")
    if header.has(_BATCH_COMPRESSION):
        raise RefusedError(Code.ARROW, "the body is compressed")
    if header.has(_BATCH_VARIADIC):
        raise RefusedError(Code.ARROW, "there are variadic buffers")
    row_count = header.number(_BATCH_LENGTH, 8)
    if not 1 <= row_count <= MAX_ROWS:
        raise RefusedError(Code.ARROW, f"{row_count} rows, must be 1 to {MAX_ROWS}")
    nodes, buffers = header.vector_length(_BATCH_NODES), header.vector_length(_BATCH_BUFFERS)
    if (nodes, buffers) != (len(SCHEMA), 2 * len(SCHEMA)):
        raise RefusedError(Code.ARROW, f"{nodes} nodes and {buffers} buffers")
    _check_body(readings, body_at, message.number(_MESSAGE_BODY, 8), row_count)
    return row_count


def _check_body(readings: bytes, body_at: int, body_length: int, row_count: int) -> None:
    """Refuse a body that cannot hold the rows, or that anything but the end marker follows."""
    if not 0 <= body_length <= len(readings) - body_at:
        raise RefusedError(Code.ARROW, f"body of {body_length}, {len(readings) - body_at} left")
    if body_length < row_count * ROW.itemsize:
        raise RefusedError(Code.ARROW, f"body of {body_length} for {row_count} rows")
    if readings[body_at + body_length :] != END_MARKER:
        raise RefusedError(Code.ARROW, "the end marker must follow the record batch, and nothing")


def _require_kind(message: "_Table", kind: int) -> None:
    version = message.number(_MESSAGE_VERSION, 2)
    if version != _VERSION_5:
        raise RefusedError(Code.ARROW, f"metadata version is {version}, must be {_VERSION_5}")
    found = message.number(_MESSAGE_KIND, 1)
    if found != kind:
        raise RefusedError(Code.ARROW, f"message of kind {found}, must be {kind}")
    if message.vector_length(_MESSAGE_METADATA):
        raise RefusedError(Code.ARROW, "the message has custom metadata")


def _message(readings: bytes, start: int) -> tuple["_Table", int]:
    """Return the flatbuffer of the message at start, and where what follows it begins."""
    if len(readings) - start < _PREFIX.size:
        raise RefusedError(Code.ARROW, f"no message at {start}")
    marker, size = _PREFIX.unpack_from(readings, start)
    begin = start + _PREFIX.size
    if marker != _CONTINUATION:
        raise RefusedError(Code.ARROW, f"no continuation marker at {start}")
    if not 0 < size <= len(readings) - begin or size % 8:
        raise RefusedError(Code.ARROW, f"metadata of {size} bytes at {start}")
    return _Table.root(readings[begin : begin + size]), begin + size


class _Table:
    """A table of a flatbuffer, read with every offset checked.

    Source: FlatBuffers internals: a table starts with the signed distance back to its vtable;
    the vtable holds its own size, the table's, and per field the distance from the table.
    """

    __slots__ = ("_at", "_buffer", "_vtable", "_vtable_size")

    def __init__(self, buffer: bytes, at: int) -> None:
        self._buffer = buffer
        self._at = at
        self._vtable = at - self._read(at, 4, is_signed=True)
        self._vtable_size = self._read(self._vtable, 2)

    @classmethod
    def root(cls, buffer: bytes) -> "_Table":
        """Return the root table."""
        if len(buffer) < 4:
            raise RefusedError(Code.ARROW, "metadata is cut off")
        return cls(buffer, int.from_bytes(buffer[:4], "little"))

    def has(self, field: int) -> bool:
        """Return whether a field is there."""
        return self._place(field) != 0

    def number(self, field: int, size: int) -> int:
        """Return a number of so many bytes, 0 where it is left out."""
        place = self._place(field)
        return self._read(place, size, is_signed=True) if place else 0

    def table(self, field: int) -> "_Table | None":
        """Return a table that this one refers to."""
        place = self._place(field)
        return _Table(self._buffer, place + self._read(place, 4)) if place else None

    def vector_length(self, field: int) -> int:
        """Return the number of elements of a vector, 0 where it is left out."""
        place = self._place(field)
        return self._read(place + self._read(place, 4), 4) if place else 0

    def _place(self, field: int) -> int:
        entry = 4 + 2 * field
        if entry + 2 > self._vtable_size:
            return 0
        distance = self._read(self._vtable + entry, 2)
        return self._at + distance if distance else 0

    def _read(self, at: int, size: int, *, is_signed: bool = False) -> int:
        if not 0 <= at <= len(self._buffer) - size:
            raise RefusedError(Code.ARROW, f"metadata points to {at} of {len(self._buffer)} bytes")
        return int.from_bytes(self._buffer[at : at + size], "little", signed=is_signed)
