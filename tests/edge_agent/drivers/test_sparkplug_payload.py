"""Our Sparkplug codec agrees with the `protobuf` library, both ways, and refuses what is broken."""

import struct
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.protobuf import MalformedPayloadError
from edge_agent.drivers.sparkplug_payload import (
    DataType,
    Metric,
    Payload,
    Slot,
    decoded,
    double_bits,
    encoded,
    float_bits,
    whole_number,
)
from tests.edge_agent.drivers.sparkplug_schema import payload_class

Library: Any = payload_class()  # made at run time: no checker knows its fields

U32 = st.integers(0, 2**32 - 1)
U64 = st.integers(0, 2**64 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
SLOTS = st.one_of(
    st.tuples(st.just(Slot.INT), U32),
    st.tuples(st.just(Slot.LONG), U64),
    st.tuples(st.just(Slot.FLOAT), st.floats(width=32, allow_nan=False).map(float_bits)),
    st.tuples(st.just(Slot.DOUBLE), st.floats(allow_nan=False).map(double_bits)),
    st.tuples(st.just(Slot.BOOLEAN), st.integers(0, 1)),
    st.tuples(st.just(Slot.STRING), TEXTS),
    st.tuples(st.none(), st.just(0)),
)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    slot, value = draw(SLOTS)
    return Metric(
        name=draw(st.none() | TEXTS),
        alias=draw(st.none() | U64),
        timestamp_ms=draw(st.none() | U64),
        datatype=draw(st.none() | U32),
        is_historical=draw(st.booleans()),
        is_null=draw(st.booleans()),
        slot=slot,
        value=value,
        properties=draw(st.dictionaries(TEXTS, st.integers(-(2**31), 2**31 - 1), max_size=3)),
    )


PAYLOADS = st.builds(
    Payload,
    timestamp_ms=st.none() | U64,
    seq=st.none() | U64,
    metrics=st.lists(metrics(), max_size=4).map(tuple),
)


@given(PAYLOADS)
def test_what_was_encoded_is_decoded(payload: Payload) -> None:
    assert decoded(encoded(payload)) == payload


@given(PAYLOADS)
def test_the_library_reads_what_we_write(payload: Payload) -> None:
    message = Library.FromString(encoded(payload))
    assert (message.timestamp if message.HasField("timestamp") else None) == payload.timestamp_ms
    assert (message.seq if message.HasField("seq") else None) == payload.seq
    assert [one_of_library(metric) for metric in message.metrics] == list(payload.metrics)


@given(PAYLOADS)
def test_we_read_what_the_library_writes(payload: Payload) -> None:
    octets = Library.FromString(encoded(payload)).SerializeToString()
    assert decoded(octets) == payload


@given(st.binary(max_size=80))
def test_whatever_we_read_the_library_reads_in_the_same_way(octets: bytes) -> None:
    try:
        payload = decoded(octets)
    except MalformedPayloadError:
        return
    try:
        message = Library.FromString(octets)
    except DecodeError:  # the library also looks into what we pass over
        return
    assert (message.seq if message.HasField("seq") else None) == payload.seq
    assert len(message.metrics) == len(payload.metrics)


@given(PAYLOADS.filter(lambda payload: payload.metrics), st.data())
def test_a_payload_that_is_cut_is_refused_or_ends_between_fields(
    payload: Payload, data: st.DataObject
) -> None:
    octets = encoded(payload)
    cut = octets[: data.draw(st.integers(0, len(octets) - 1))]
    try:
        found = decoded(cut)
    except MalformedPayloadError:
        return
    assert found.metrics == payload.metrics[: len(found.metrics)]


def one_of_library(message: Any) -> Metric:  # noqa: ANN401 - made at run time
    """Return a metric of the library as one of ours."""

    def field(name: str) -> Any:  # noqa: ANN401 - of any type
        return getattr(message, name) if message.HasField(name) else None

    chosen = message.WhichOneof("value")
    slot = None if chosen is None else Slot[chosen.removesuffix("_value").upper()]
    value = 0 if chosen is None else getattr(message, chosen)
    if slot is Slot.FLOAT:
        value = struct.unpack("<I", struct.pack("<f", value))[0]
    elif slot is Slot.DOUBLE:
        value = struct.unpack("<Q", struct.pack("<d", value))[0]
    properties = {
        key: one.int_value - (1 << 32) if one.int_value >= 1 << 31 else one.int_value
        for key, one in zip(message.properties.keys, message.properties.values, strict=True)
    }
    return Metric(
        name=field("name"),
        alias=field("alias"),
        timestamp_ms=field("timestamp"),
        datatype=field("datatype"),
        is_historical=message.is_historical,
        is_null=message.is_null,
        slot=slot,
        value=int(value) if isinstance(value, bool) else value,
        properties=properties,
    )


@pytest.mark.parametrize(
    "octets",
    [
        b"\x08",  # a number without an end
        b"\x12\x05\x0a",  # a metric that is shorter than it says
        b"\x0b",  # a group: wire type 3
        b"\x02\x00",  # field number 0
        b"\x12\x03\x0a\x01\xff",  # a name that is not UTF-8
        b"\x12\x02\x50\x00\x0a",  # behind a metric a field that ends at once
        b"\x18" + b"\xff" * 10 + b"\x01",  # a number of eleven bytes
        b"\x12\x02\x65\x00",  # a float of two bytes
        b"\x1d\x01\x00\x00\x00",  # a seq of four fixed bytes
        b"\x12\x05\x4a\x03\x0a\x01\x61",  # a property with a name and no value
    ],
)
def test_what_does_not_follow_the_encoding_is_refused(octets: bytes) -> None:
    with pytest.raises(MalformedPayloadError):
        decoded(octets)


@pytest.mark.parametrize(
    ("datatype", "slot", "value", "expected"),
    [
        (DataType.INT8, Slot.INT, 0x7F, 127),
        (DataType.INT8, Slot.INT, 0x80, -128),
        (DataType.INT8, Slot.INT, 0xFF, -1),
        (DataType.INT8, Slot.INT, 0xFFFF_FFFF, -1),
        (DataType.INT8, Slot.INT, 0xFFFF_FF7F, None),
        (DataType.INT8, Slot.INT, 0x100, None),
        (DataType.INT16, Slot.INT, 0xFFFF, -1),
        (DataType.INT16, Slot.INT, 0xFFFF_8000, -32768),
        (DataType.INT32, Slot.INT, 0x8000_0000, -(2**31)),
        (DataType.INT64, Slot.LONG, 2**64 - 1, -1),
        (DataType.INT64, Slot.LONG, 2**63 - 1, 2**63 - 1),
        (DataType.UINT8, Slot.INT, 255, 255),
        (DataType.UINT8, Slot.INT, 256, None),
        (DataType.UINT32, Slot.LONG, 2**32 - 1, 2**32 - 1),
        (DataType.UINT64, Slot.LONG, 2**64 - 1, 2**64 - 1),
        (DataType.FLOAT, Slot.INT, 1, None),
        (DataType.INT32, Slot.FLOAT, 1, None),
        (DataType.INT32, None, 0, None),
        (99, Slot.INT, 1, None),
    ],
)
def test_an_integer_is_what_its_data_type_says_or_nothing(
    datatype: int, slot: Slot | None, value: int, expected: int | None
) -> None:
    assert whole_number(Metric(slot=slot, value=value), datatype) == expected


def test_of_two_values_the_last_counts_also_one_that_is_not_read() -> None:
    message = encoded(Payload(metrics=(Metric(slot=Slot.INT, value=1),)))
    both = message[:1] + bytes((message[1] + 3,)) + message[2:] + b"\x82\x01\x00"
    (metric,) = decoded(both).metrics
    assert metric.slot is None
