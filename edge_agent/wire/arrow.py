"""Rows as one Arrow IPC stream, written without an Arrow library.

Our columns never change, so the schema message is a constant and the record-batch message is one
struct of lengths and offsets. Reads back only what it wrote itself; streams of others are for an
Arrow library at the centre. Why: docs/adr/0002-arrow-without-a-library.md.
"""

import struct
from typing import Final

import numpy as np

from edge_agent.wire.readings import MAX_ROWS, ROW, RowArray
from edge_agent.wire.refusal import Code, RefusedError

# Byte for byte what pyarrow writes for the seven columns; docs/wire-format.md section 4 explains
# every word of both messages, and a test compares them with pyarrow.
SCHEMA_MESSAGE: Final = bytes.fromhex(
    "ffffffffa00100001000000000000a000c000600050008000a000000000104000c0000000800080000000400"
    "0800000004000000070000004001000000010000c800000094000000640000003400000004000000ecfeffff"
    "0000000210000000180000000400000000000000070000007175616c69747900defeffff2000000018ffffff"
    "00000002100000001800000004000000000000000600000073746174757300000affffff2000000044ffffff"
    "00000002100000001400000004000000000000000300000072617700a4ffffff000000014000000070ffffff"
    "0000000210000000180000000400000000000000040000006d6f6e6f00000000d4ffffff0000000140000000"
    "a0ffffff00000002100000001c0000000400000000000000020000006174000008000c000800070008000000"
    "0000000140000000d4ffffff0000000210000000180000000400000000000000070000006368616e6e656c00"
    "c6ffffff20000000100014000800000007000c00000010001000000000000002100000001c00000004000000"
    "00000000040000007363616e00000600080004000600000020000000"
)
END_MARKER: Final = bytes.fromhex("ffffffff00000000")

# The record-batch message, body excluded: start | body length | vtable | rows | 14 buffers follow |
# 7 x (validity offset, 0, column offset, column length) | 7 nodes follow | 7 x (rows, nulls).
_METADATA: Final = struct.Struct("<40sq24sq8s28q8s14q")
_START: Final = bytes.fromhex(
    "ffffffffa801000014000000000000000c0016000600050008000c000c0000000003040018000000"
)
_VTABLE: Final = bytes.fromhex("00000a0018000c00040008000a000000fc00000010000000")
_BUFFERS_FOLLOW: Final = bytes.fromhex("000000000e000000")
_NODES_FOLLOW: Final = bytes.fromhex("0000000007000000")

_ROW_COUNT_AT: Final = len(SCHEMA_MESSAGE) + 72
_BODY_AT: Final = len(SCHEMA_MESSAGE) + _METADATA.size
_ALIGNMENT: Final = 8
_NAMES: Final = ROW.names or ()
_WIDTHS: Final = tuple(ROW[name].itemsize for name in _NAMES)


def stream_size(row_count: int) -> int:
    """Return the bytes of arrow_stream for so many rows: what they add to a payload."""
    if row_count == 0:
        return 0
    return _BODY_AT + sum(_padded(row_count * width) for width in _WIDTHS) + len(END_MARKER)


def arrow_stream(rows: RowArray) -> bytes:
    """Return the rows as one Arrow IPC stream; no bytes at all for no rows.

    Args:
        rows: dtype ROW; shape (n,), n at most 65,536.

    Raises:
        ValueError: too many rows for one record batch.

    """
    row_count = len(rows)
    if row_count == 0:
        return b""
    if row_count > MAX_ROWS:
        raise ValueError(f"{row_count} rows, one batch holds at most {MAX_ROWS}")
    parts = [SCHEMA_MESSAGE, _record_batch_metadata(row_count)]
    for name, width in zip(_NAMES, _WIDTHS, strict=True):
        size = row_count * width
        parts += (rows[name].tobytes(), bytes(_padded(size) - size))
    parts.append(END_MARKER)
    return b"".join(parts)


def rows_of_stream(stream: bytes) -> RowArray:
    """Return the rows of a stream that arrow_stream made: for a gateway reading its own buffer.

    Raises:
        RefusedError: ARROW: arrow_stream would not have made these bytes.

    """
    if not stream:
        return np.empty(0, dtype=ROW)
    row_count = int.from_bytes(stream[_ROW_COUNT_AT : _ROW_COUNT_AT + 8], "little")
    if not 1 <= row_count <= MAX_ROWS or len(stream) != stream_size(row_count):
        raise RefusedError(Code.ARROW, f"{len(stream)} bytes are no stream of {row_count} rows")
    rows = np.empty(row_count, dtype=ROW)
    start = _BODY_AT
    for name, width in zip(_NAMES, _WIDTHS, strict=True):
        rows[name] = np.frombuffer(stream, ROW[name], row_count, start)
        start += _padded(row_count * width)
    if arrow_stream(rows) != stream:
        raise RefusedError(Code.ARROW, "framing or padding is not as this gateway writes it")
    return rows


def _record_batch_metadata(row_count: int) -> bytes:
    buffers: list[int] = []
    offset = 0
    for width in _WIDTHS:
        size = row_count * width
        buffers += (offset, 0, offset, size)
        offset += _padded(size)
    return _METADATA.pack(
        _START,
        offset,
        _VTABLE,
        row_count,
        _BUFFERS_FOLLOW,
        *buffers,
        _NODES_FOLLOW,
        *(row_count, 0) * len(_WIDTHS),
    )


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
