"""Objects of DNP3 responses: layouts and values against dnp3py's, and what cannot be read."""

import struct
from datetime import UTC, datetime, timedelta

import pytest
from dnp3.application.parser import parse_response_object_blocks
from dnp3.master.handler import ResponseInfo
from dnp3.master.master import Master
from dnp3.objects.layout import LAYOUTS as THEIRS
from dnp3.objects.layout import TimeKind
from hypothesis import given, settings
from hypothesis.strategies import DrawFn, binary, composite, integers, lists, sampled_from

from edge_agent.config.protocols.dnp3 import ObjectKind
from edge_agent.drivers.dnp3_layouts import LAYOUTS
from edge_agent.drivers.dnp3_objects import Values, values_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READ = [key for key, layout in LAYOUTS.items() if layout.kind is not None]
# Present in dnp3py's table and of no use in a response to a READ of classes.
NOT_OURS = {12, 41, 60, 80, 86, 120}


def test_every_layout_is_that_of_dnp3py() -> None:
    ours_too = {key for key in THEIRS if key[0] not in NOT_OURS and key != (50, 3)}
    assert ours_too == set(LAYOUTS)
    for key, ours in LAYOUTS.items():
        theirs = THEIRS[key]
        assert (ours.width, ours.bits) == (theirs.width, theirs.bits_per_point), key
        if ours.kind is not None:
            assert ours.kind.value == theirs.point_kind.value, key
            assert ours.has_flags == theirs.has_flags, key
            assert ours.time == theirs.time.octets, key
            assert ours.is_event is (key[0] in {2, 4, 11, 22, 23, 32, 42}), key


class Collected:
    """Keeps what dnp3py's master makes of a response: kind, index, value, quality, time."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, int, float, int, int | None]] = []

    def _keep(self, kind: str, values: list[object]) -> None:
        for value in values:
            at = getattr(value, "timestamp")  # noqa: B009 - of several types
            at_ms = None if at is None else (at - EPOCH) // timedelta(milliseconds=1)
            held = getattr(value, "state", None) if kind == "double_bit_input" else None
            held = getattr(value, "value", None) if held is None else held
            index, quality = getattr(value, "index"), getattr(value, "quality")  # noqa: B009
            self.rows.append((kind, index, float(held or 0), quality, at_ms))

    def __getattr__(self, name: str) -> object:
        kind = name.removeprefix("on_")
        return lambda values, _info: self._keep(kind, values)

    def on_double_bit_input(self, values: list[object], _info: ResponseInfo) -> None:
        self._keep("double_bit_input", values)


def theirs(objects: bytes) -> list[tuple[str, int, float, int, int | None]]:
    """Return what dnp3py reads."""
    collected = Collected()
    master = Master(handler=collected)  # type: ignore[arg-type]  # has every callback
    info = ResponseInfo.__new__(ResponseInfo)
    object.__setattr__(info, "relative_time_without_cto", 0)
    master._parse_response_objects(parse_response_object_blocks(objects), info)
    return collected.rows


def number(raw_type: str, raw: int) -> float:
    """Return what a raw word says."""
    if raw_type == "float32":
        return float(struct.unpack("<f", struct.pack("<I", raw))[0])
    if raw_type == "float64":
        return float(struct.unpack("<d", struct.pack("<q", raw))[0])
    return raw


def ours(values: list[Values]) -> list[tuple[str, int, float, int, int | None]]:
    """Return the same as dnp3py says it: a state is no flag, and no flags are ONLINE."""
    rows = []
    for one in values:
        is_double = one.kind is ObjectKind.DOUBLE_BIT_INPUT
        mask = 0x3F if is_double else 0x7F if one.raw_type == "bool" else 0xFF
        for at, index in enumerate(one.index.tolist()):
            flags = 1 if one.flags is None else int(one.flags[at]) & mask
            at_ms = None if one.at_ms is None else int(one.at_ms[at])
            held = float(number(one.raw_type, int(one.raw[at])))
            rows.append((one.kind.value, index, held, flags, at_ms))
    return rows


@composite
def headers(draw: DrawFn) -> bytes:
    """Return one header with its objects."""
    group, variation = draw(sampled_from(READ))
    layout = LAYOUTS[group, variation]
    count = draw(integers(1, 12))
    if layout.bits:
        first = draw(integers(0, 200))
        octets = draw(binary(min_size=(n := (count * layout.bits + 7) // 8), max_size=n))
        return bytes((group, variation, 0x00, first, first + count - 1)) + octets
    if layout.is_event or draw(sampled_from([True, False])):
        prefix, size = draw(sampled_from([(0x17, 1), (0x28, 2)]))
        head = bytes((group, variation, prefix)) + count.to_bytes(size, "little")
        width = layout.width + size
    else:
        first = draw(integers(0, 60_000))
        head = bytes((group, variation, 0x01)) + struct.pack("<HH", first, first + count - 1)
        width = layout.width
    body = b""
    for _ in range(count):
        body += _object(draw, layout.width, layout.time, width)
    return head + body


def _object(draw: DrawFn, width: int, time: int, size: int) -> bytes:
    """Return an object whose time dnp3py can say, which is before the year 10000."""
    octets = draw(binary(min_size=size, max_size=size))
    if time == TimeKind.ABSOLUTE.octets:
        octets = octets[:-6] + integers_to_time(draw(integers(0, 250_000_000_000_000)))
    return octets


def integers_to_time(at_ms: int) -> bytes:
    return at_ms.to_bytes(6, "little")


COMMON = b"\x33\x01\x07\x01" + integers_to_time(1_700_000_000_000)


@settings(max_examples=300)
@given(parts=lists(headers(), min_size=1, max_size=5), is_common=sampled_from([True, False]))
def test_values_are_those_that_dnp3py_reads(parts: list[bytes], *, is_common: bool) -> None:
    objects = (COMMON if is_common else b"") + b"".join(parts)
    values, fault = values_of(objects)
    assert fault == ""
    assert [repr(row) for row in ours(values)] == [repr(row) for row in theirs(objects)]


@given(octets=binary(max_size=60))
def test_whatever_comes_is_read_or_refused(octets: bytes) -> None:
    values, fault = values_of(octets)
    assert fault or all(len(one.raw) == len(one.index) for one in values)


@given(part=headers(), cut=integers(1, 200))
def test_what_is_cut_off_gives_nothing_and_what_stands_before_it_stays(
    part: bytes, cut: int
) -> None:
    good = b"\x1e\x01\x00\x00\x00\x01\x05\x00\x00\x00"
    values, fault = values_of(good + part[: -min(cut, len(part) - 1)])
    assert fault
    assert [one.raw.tolist() for one in values] == [[5]]


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        (b"\x63\x01\x00\x00\x00\x01", "group 99 variation 1 is of unknown length"),
        (b"\x1e\x01\x00\x05\x04", "counts from 5 to 4"),
        (b"\x1e\x01\x06", "qualifier 0x06"),
        (b"\x1e\x01\x80\x00\x00", "qualifier 0x80"),
        (b"\x01\x01\x17\x01\x00\x01", "packed objects cannot have an index each"),
        (b"\x1e\x01", "an object header is cut off"),
        (b"\x1e\x01\x01\x00", "an object header is cut off"),
    ],
)
def test_what_cannot_be_read_says_why_and_where(objects: bytes, why: str) -> None:
    values, fault = values_of(b"\x6e\x03\x00\x00\x00abc" + objects)
    assert values == []
    assert why in fault
    assert "(octet 8)" in fault


def test_a_relative_time_counts_from_the_common_time_before_it() -> None:
    event = b"\x02\x03\x17\x01\x05\x81\xe8\x03"
    synchronised = b"\x33\x01\x07\x01" + integers_to_time(5_000)
    not_synchronised = b"\x33\x02\x07\x01" + integers_to_time(7_000)
    values, _ = values_of(event + synchronised + event + not_synchronised + event)
    times = [None if one.at_ms is None else one.at_ms.tolist() for one in values]
    assert times == [None, [6_000], [8_000]]
    assert [one.is_time_doubted for one in values] == [False, False, True]
