"""The Arrow stream that is written without an Arrow library, against one that has it."""

import struct
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.wire.arrow import (
    END_MARKER,
    SCHEMA_MESSAGE,
    arrow_stream,
    rows_of_stream,
    stream_size,
)
from edge_agent.wire.readings import MAX_ROWS, ROW, RowArray
from edge_agent.wire.refusal import Code
from tests.edge_agent.wire.samples import refused, row_arrays, scans, unless_refused

SCHEMA = pa.schema(
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


def by_pyarrow(rows: RowArray) -> bytes:
    """Return the stream that pyarrow writes."""
    sink = pa.BufferOutputStream()
    columns = [np.ascontiguousarray(rows[name]) for name in SCHEMA.names]
    with pa.ipc.new_stream(sink, SCHEMA) as writer:
        writer.write_batch(pa.record_batch(columns, schema=SCHEMA))
    stream: bytes = sink.getvalue().to_pybytes()
    return stream


def some_rows(count: int) -> RowArray:
    """Return so many rows of random bits."""
    return np.frombuffer(np.random.default_rng(count).bytes(count * ROW.itemsize), ROW)


@given(rows=row_arrays())
def test_the_stream_is_byte_for_byte_that_of_pyarrow(rows: RowArray) -> None:
    assert arrow_stream(rows) == by_pyarrow(rows)


@settings(max_examples=25)
@given(count=st.integers(1, MAX_ROWS))
def test_the_stream_equals_that_of_pyarrow_for_every_count(count: int) -> None:
    rows = some_rows(count)
    stream = arrow_stream(rows)
    assert stream == by_pyarrow(rows)
    assert len(stream) == stream_size(count)


@pytest.mark.parametrize("count", [1, 2, 3, MAX_ROWS - 1, MAX_ROWS])
def test_the_limits_of_a_batch_equal_pyarrow(count: int) -> None:
    assert arrow_stream(some_rows(count)) == by_pyarrow(some_rows(count))


def test_no_rows_are_no_bytes() -> None:
    assert arrow_stream(scans()) == b""
    assert stream_size(0) == 0
    assert len(rows_of_stream(b"")) == 0


def test_more_rows_than_a_batch_takes_are_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="65537 rows"):
        arrow_stream(np.zeros(MAX_ROWS + 1, dtype=ROW))


def test_the_record_batch_says_lengths_and_offsets_where_the_page_says() -> None:
    """docs/wire-format.md section 4, layout of the record-batch message, for three rows."""
    message = arrow_stream(scans(3))[len(SCHEMA_MESSAGE) :]
    assert struct.unpack_from("<Ii", message) == (0xFFFFFFFF, 424)
    assert struct.unpack_from("<q", message, 40) == (136,)
    assert struct.unpack_from("<q", message, 72) == (3,)
    offsets = (0, 16, 32, 56, 80, 104, 120)
    lengths = (12, 12, 24, 24, 24, 12, 12)
    buffers = chain.from_iterable(
        (offset, 0, offset, length) for offset, length in zip(offsets, lengths, strict=True)
    )
    assert struct.unpack_from("<28q", message, 88) == tuple(buffers)
    assert struct.unpack_from("<14q", message, 320) == (3, 0) * 7
    assert message[432 + 136 :] == END_MARKER


@given(rows=row_arrays())
def test_a_gateway_reads_back_what_it_wrote(rows: RowArray) -> None:
    assert rows_of_stream(arrow_stream(rows)).tolist() == rows.tolist()


@given(rows=row_arrays(5), place=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_every_changed_byte_is_refused_or_is_a_changed_row(
    rows: RowArray, place: int, flip: int
) -> None:
    stream = bytearray(arrow_stream(rows))
    place %= len(stream)
    stream[place] ^= flip
    found = unless_refused(Code.ARROW, lambda: rows_of_stream(bytes(stream)))
    if found is not None:
        assert place >= len(SCHEMA_MESSAGE) + 432
        assert arrow_stream(found) == bytes(stream)


@pytest.mark.parametrize(
    "stream",
    [
        pytest.param(b"x", id="a byte"),
        pytest.param(SCHEMA_MESSAGE, id="schema only"),
        pytest.param(arrow_stream(scans(3)) + b"\0", id="a byte behind"),
        pytest.param(arrow_stream(scans(3))[:-1], id="a byte short"),
        pytest.param(SCHEMA_MESSAGE + bytes(432) + END_MARKER, id="no rows"),
    ],
)
def test_other_streams_are_left_to_an_arrow_library(stream: bytes) -> None:
    with refused(Code.ARROW):
        rows_of_stream(stream)
