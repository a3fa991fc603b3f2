"""The two parts of a payload: there and back, and every length that does not add up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.payload import MAX_LINE, MAX_LINES, join, split
from edge_agent.wire.refusal import Code
from tests.edge_agent.wire.samples import refused, unless_refused

LINES = st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"")), max_size=5)


@given(readings=st.binary(max_size=40), lines=LINES)
def test_parts_survive_their_payload(readings: bytes, lines: list[bytes]) -> None:
    if not readings and not lines:
        return
    parts = split(join(readings, lines))
    assert (parts.readings, parts.event_lines) == (readings, tuple(lines))


@given(payload=st.binary(max_size=60))
def test_garbage_is_refused_or_is_a_payload(payload: bytes) -> None:
    parts = unless_refused(Code.PARTS, lambda: split(payload))
    assert parts is None or join(parts.readings, parts.event_lines) == payload


def test_the_layout_is_that_of_the_page() -> None:
    """docs/wire-format.md section 4."""
    assert join(b"abc", [b"{}", b"[]"]).hex() == "03000000" + b"abc".hex() + "06000000" + (
        b"{}\n[]\n".hex()
    )


def test_the_most_and_longest_events_fit() -> None:
    most = [b"{}"] * MAX_LINES
    assert split(join(b"", most)).event_lines == tuple(most)
    longest = [b"x" * MAX_LINE]
    assert split(join(b"", longest)).event_lines == tuple(longest)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00\x00\x00", id="half a length"),
        pytest.param(bytes(4), id="no events_length"),
        pytest.param(bytes(7), id="half an events_length"),
        pytest.param(bytes(8), id="neither rows nor events"),
        pytest.param(b"\x02\x00\x00\x00a" + bytes(4), id="readings swallow a length"),
        pytest.param(b"\xff\xff\xff\xff" + bytes(8), id="readings beyond the end"),
        pytest.param(b"\x01\x00\x00\x00a\x01\x00\x00\x00", id="events beyond the end"),
        pytest.param(b"\x01\x00\x00\x00a" + bytes(5), id="a byte behind"),
        pytest.param(bytes(4) + b"\x02\x00\x00\x00{}", id="a line without end"),
        pytest.param(bytes(4) + b"\x03\x00\x00\x00\n{}", id="a last line without end"),
        pytest.param(
            bytes(4) + (MAX_LINES + 1).to_bytes(4, "little") + b"\n" * (MAX_LINES + 1),
            id="too many events",
        ),
        pytest.param(
            bytes(4) + (MAX_LINE + 2).to_bytes(4, "little") + b"x" * (MAX_LINE + 1) + b"\n",
            id="too long an event",
        ),
    ],
)
def test_payloads_that_break_a_rule_are_refused(payload: bytes) -> None:
    with refused(Code.PARTS):
        split(payload)


@pytest.mark.parametrize(
    ("readings", "lines"),
    [(b"", []), (b"", [b""] * (MAX_LINES + 1)), (b"a", [b"x" * (MAX_LINE + 1)])],
    ids=["nothing", "too many events", "too long an event"],
)
def test_what_a_reader_would_refuse_is_not_written(readings: bytes, lines: list[bytes]) -> None:
    with refused(Code.PARTS):
        join(readings, lines)
