"""What the centre's reader of Arrow streams takes, and what it must never hand to the library."""

import io
import struct
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_sync.model.arrow import SCHEMA, rows_of_arrow
from edge_agent.wire.arrow import END_MARKER, SCHEMA_MESSAGE, arrow_stream
from edge_agent.wire.readings import MAX_ROWS, ROW, RowArray
from edge_agent.wire.refusal import Code, RefusedError
from tests.central_sync.ingest.signed_chain import TEN, rows_at

ROWS = rows_at([TEN, TEN + 1, TEN + 2])
GOOD = arrow_stream(ROWS)
# Where the record batch's metadata and its body start in GOOD: 8 bytes of marker and length.
BATCH_AT = len(SCHEMA_MESSAGE)
BODY_AT = BATCH_AT + 8 + struct.unpack_from("<I", GOOD, BATCH_AT + 4)[0]


def batch_of(rows: RowArray, schema: pa.Schema = SCHEMA) -> pa.RecordBatch:
    columns = [pa.array(np.ascontiguousarray(rows[field.name]), field.type) for field in schema]
    return pa.record_batch(columns, schema=schema)


def stream_of(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema = SCHEMA, **options: object
) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def with_schema(fields: Iterable[pa.Field]) -> bytes:
    """Return a stream of no rows under another schema: it must be refused for that alone."""
    return stream_of([], pa.schema(list(fields)))


def without_end(stream: bytes) -> bytes:
    assert stream.endswith(END_MARKER)
    return stream[: -len(END_MARKER)]


def repeated(count: int) -> RowArray:
    return np.resize(ROWS, count)


@pytest.mark.parametrize("count", [1, 2, 7, 600, MAX_ROWS])
def test_rows_come_out_as_they_went_in(count: int) -> None:
    rows = repeated(count)
    assert rows_of_arrow(arrow_stream(rows)).tobytes() == rows.tobytes()
    assert rows_of_arrow(stream_of([batch_of(rows)])).tobytes() == rows.tobytes()


def test_no_bytes_are_no_rows() -> None:
    assert rows_of_arrow(b"").shape == (0,)


def test_another_alignment_is_equally_valid() -> None:
    """The rules of section 4 leave padding free: 64-byte buffers are as good as 8-byte ones."""
    columns = [pa.array(ROWS[name].copy()) for name in ROW.names or ()]
    body = b""
    entries = []
    for column in columns:
        data = column.buffers()[1].to_pybytes()[: len(ROWS) * column.type.bit_width // 8]
        entries.append((len(body), len(data)))
        body += data + bytes(-len(data) % 64)
    message = bytearray(GOOD[BATCH_AT:BODY_AT])
    # The fourteen buffers stand before the nodes: (offset, length) pairs, validity ones empty.
    plain = bytearray()
    offset = 0
    for column in columns:
        size = len(ROWS) * column.type.bit_width // 8
        plain += struct.pack("<4q", offset, 0, offset, size)
        offset += -(-size // 8) * 8
    at = message.index(plain)
    wide = b"".join(struct.pack("<4q", start, 0, start, size) for start, size in entries)
    message[at : at + len(wide)] = wide
    length_at = message.index(struct.pack("<q", offset))
    message[length_at : length_at + 8] = struct.pack("<q", len(body))
    made = SCHEMA_MESSAGE + bytes(message) + body + END_MARKER
    assert rows_of_arrow(made).tobytes() == ROWS.tobytes()


REFUSED = {
    "no end marker": (without_end(GOOD), Code.ARROW),
    "half an end marker": (GOOD[:-4], Code.ARROW),
    "bytes after the end": (GOOD + bytes(8), Code.ARROW),
    "the stream twice": (GOOD + GOOD, Code.ARROW),
    "two record batches": (stream_of([batch_of(ROWS)] * 2), Code.ARROW),
    "no record batch": (stream_of([]), Code.ARROW),
    "an empty record batch": (stream_of([batch_of(ROWS[:0])]), Code.ARROW),
    "too many rows": (stream_of([batch_of(repeated(MAX_ROWS + 1))]), Code.ARROW),
    "compressed with zstd": (stream_of([batch_of(repeated(600))], compression="zstd"), Code.ARROW),
    "compressed with lz4": (stream_of([batch_of(repeated(600))], compression="lz4"), Code.ARROW),
    "legacy framing": (
        stream_of([batch_of(ROWS)], use_legacy_format=True),
        Code.ARROW,
    ),
    "metadata version 4": (
        stream_of([batch_of(ROWS)], metadata_version=pa.ipc.MetadataVersion.V4),
        Code.ARROW,
    ),
    "the file format": (b"ARROW1\0\0" + GOOD, Code.ARROW),
    "one byte": (b"\xff", Code.ARROW),
    "only the schema": (SCHEMA_MESSAGE, Code.ARROW),
    "the record batch first": (GOOD[BATCH_AT:], Code.ARROW),
    "a schema twice": (SCHEMA_MESSAGE + GOOD, Code.ARROW),
    "another name": (
        with_schema([SCHEMA.field(0).with_name("scans"), *list(SCHEMA)[1:]]),
        Code.SCHEMA,
    ),
    "another order": (with_schema(list(SCHEMA)[::-1]), Code.SCHEMA),
    "a column less": (with_schema(list(SCHEMA)[:-1]), Code.SCHEMA),
    "a column more": (
        with_schema([*SCHEMA, pa.field("more", pa.int64(), nullable=False)]),
        Code.SCHEMA,
    ),
    "a wider type": (
        with_schema([pa.field("scan", pa.uint64(), nullable=False), *list(SCHEMA)[1:]]),
        Code.SCHEMA,
    ),
    "a signed type": (
        with_schema([pa.field("scan", pa.int32(), nullable=False), *list(SCHEMA)[1:]]),
        Code.SCHEMA,
    ),
    "a nullable column": (
        with_schema([SCHEMA.field(0).with_nullable(nullable=True), *list(SCHEMA)[1:]]),
        Code.SCHEMA,
    ),
    "metadata of the schema": (
        stream_of([], SCHEMA.with_metadata({"a": "b"})),
        Code.SCHEMA,
    ),
    "metadata of a column": (
        with_schema([SCHEMA.field(0).with_metadata({"a": "b"}), *list(SCHEMA)[1:]]),
        Code.SCHEMA,
    ),
    "a dictionary": (
        with_schema(
            [
                pa.field("scan", pa.dictionary(pa.int32(), pa.uint32()), nullable=False),
                *list(SCHEMA)[1:],
            ]
        ),
        Code.SCHEMA,
    ),
}


@pytest.mark.parametrize(("stream", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_every_other_stream_is_refused(stream: bytes, code: Code) -> None:
    with pytest.raises(RefusedError) as refused:
        rows_of_arrow(stream)
    assert refused.value.code is code


def test_nulls_are_refused_where_the_schema_promises_none() -> None:
    columns = list(batch_of(ROWS).columns)
    columns[4] = pa.array([None, *ROWS["raw"].tolist()[1:]], pa.int64())
    nullable = SCHEMA.set(4, SCHEMA.field(4).with_nullable(nullable=True))
    stream = stream_of([pa.record_batch(columns, schema=nullable)], nullable)
    with_nulls = SCHEMA_MESSAGE + stream[len(stream_of([], nullable)) - len(END_MARKER) :]
    with pytest.raises(RefusedError) as refused:
        rows_of_arrow(with_nulls)
    assert refused.value.code is Code.ARROW


@settings(max_examples=300)
@given(
    at=st.integers(0, BODY_AT - 1),
    flips=st.lists(st.integers(0, 255), min_size=1, max_size=8),
)
def test_damaged_metadata_is_refused_or_gives_rows_but_never_harms(
    at: int, flips: list[int]
) -> None:
    damaged = bytearray(GOOD)
    for step, value in enumerate(flips):
        damaged[(at + step) % BODY_AT] ^= value
    try:
        rows = rows_of_arrow(bytes(damaged))
    except RefusedError:
        return
    assert rows.dtype == ROW
    assert 1 <= len(rows) <= len(GOOD) // ROW.itemsize


@settings(max_examples=200)
@given(cut=st.integers(0, len(GOOD) - 1))
def test_a_stream_cut_off_anywhere_is_refused(cut: int) -> None:
    if cut == 0:
        return
    with pytest.raises(RefusedError):
        rows_of_arrow(GOOD[:cut])
