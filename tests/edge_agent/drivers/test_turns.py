"""The grid of one device: what is due, what is missed, and how a dead device is spared."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device, Table
from edge_agent.drivers.gaps import MissReason
from edge_agent.drivers.turns import MAX_PAUSE_NS, Turn, turn_of
from edge_agent.wire.events import Event

MakeDevice = Callable[..., Device]
S = NS_PER_S


@pytest.fixture
def turn(make_device: MakeDevice) -> Turn:
    """Return a turn of 1 s whose first poll is due 100 s after boot."""
    device = make_device((Table.HOLDING, 0, "uint16"))
    return turn_of(device, origin_ns=100 * S, phase=0)


def now(mono_s: float) -> Instant:
    mono_ns = round(mono_s * S)
    return Instant(utc_ns=1_800_000_000 * S + mono_ns, mono_ns=mono_ns)


def told(event: Event | None) -> tuple[object, ...] | None:
    if event is None:
        return None
    return (event.fields["state"], event.fields["missed"], event.fields["reason"])


def test_the_grid_is_absolute_however_late_a_poll_is_answered(turn: Turn) -> None:
    for arrival_s in (100.0, 101.9, 102.3, 103.0):
        assert turn.skipped(now(arrival_s)) is None
        turn.answered(now(arrival_s))
    assert turn.next_mono_ns == 104 * S


def test_devices_are_spread_over_the_period(make_device: MakeDevice) -> None:
    device = make_device((Table.HOLDING, 0, "uint16"), period_s=10)
    assert turn_of(device, origin_ns=5, phase=0.25).next_mono_ns == 5 + 2_500_000_000


@pytest.mark.parametrize(
    ("late_s", "missed"),
    [(0, 0), (0.999_999_999, 0), (1, 1), (1.999_999_999, 1), (5.5, 5)],
    ids=["in time", "late by less than a period", "one period", "nearly two", "five and a half"],
)
def test_a_poll_late_by_whole_periods_is_missed_and_never_made_up(
    late_s: float, missed: int, turn: Turn
) -> None:
    event = turn.skipped(now(100 + late_s))
    assert told(event) == (("open", missed, "overrun") if missed else None)
    assert turn.next_mono_ns == (100 + missed) * S


def test_without_a_connection_the_poll_due_now_is_missed_as_well(turn: Turn) -> None:
    assert turn.unreachable(now(99.9), MissReason.LINK_CLOSED) is None
    assert told(turn.unreachable(now(100), MissReason.LINK_CLOSED)) == ("open", 1, "link_closed")
    assert turn.next_mono_ns == 101 * S


def test_a_silent_device_is_asked_at_every_poll_while_nobody_else_waits(turn: Turn) -> None:
    for index in range(20):
        assert turn.next_mono_ns == (100 + index) * S
        turn.failed(now(100.8 + index), MissReason.NO_ANSWER, must_spare=False)


def test_a_silent_device_that_others_wait_for_is_asked_ever_more_seldom(turn: Turn) -> None:
    pauses = []
    at_s = 100.0
    for _ in range(12):
        turn.skipped(now(at_s))
        turn.failed(now(at_s + 0.8), MissReason.NO_ANSWER, must_spare=True)
        pauses.append(turn.next_mono_ns / S - at_s)
        at_s = turn.next_mono_ns / S
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert max(pauses) * S == MAX_PAUSE_NS


def test_polls_left_out_to_spare_others_are_missed_for_the_same_reason(turn: Turn) -> None:
    for at_s in (100, 101, 102):
        turn.failed(now(at_s + 0.8), MissReason.NO_ANSWER, must_spare=True)
    assert turn.next_mono_ns == 104 * S
    assert turn.skipped(now(104)) is None
    event = turn.answered(now(104.1))
    assert told(event) == ("closed", 4, "no_answer")
    assert event is not None
    assert event.fields["reasons"] == {"no_answer": 4}


def test_a_device_that_answered_once_is_asked_at_every_poll_again(turn: Turn) -> None:
    for _ in range(5):
        turn.failed(now(turn.next_mono_ns / S), MissReason.NO_ANSWER, must_spare=True)
    turn.skipped(now(turn.next_mono_ns / S))
    turn.answered(now(turn.next_mono_ns / S))
    assert turn.next_mono_ns == turn.due_mono_ns
    turn.failed(now(turn.next_mono_ns / S), MissReason.NO_ANSWER, must_spare=True)
    assert turn.next_mono_ns == turn.due_mono_ns


def test_a_device_slower_than_the_longest_pause_is_asked_at_every_poll(
    make_device: MakeDevice,
) -> None:
    device = make_device((Table.HOLDING, 0, "uint16"), period_s=3600)
    turn = turn_of(device, origin_ns=0, phase=0)
    for index in range(6):
        assert turn.next_mono_ns == index * 3600 * S
        turn.failed(now(index * 3600 + 1), MissReason.NO_ANSWER, must_spare=True)


@pytest.mark.parametrize(
    ("failed", "stop_s", "expected"),
    [
        (0, 100.5, None),
        (1, 100.9, None),
        (2, 101.9, ("still", 2, "no_answer")),
        (1, 104.5, ("still", 5, "no_answer")),
        (0, 103.5, ("open", 4, "overrun")),
    ],
    ids=["nothing missed", "all told", "one untold", "the gap grew till the stop", "stalled"],
)
def test_the_end_of_polling_tells_what_is_missed_so_far(
    failed: int, stop_s: float, expected: object, turn: Turn
) -> None:
    for index in range(failed):
        turn.failed(now(100.8 + index), MissReason.NO_ANSWER, must_spare=False)
    assert told(turn.ended(now(stop_s))) == expected


steps = st.lists(
    st.tuples(
        st.sampled_from(["answered", "failed", "spared", "unreachable", "skipped"]),
        st.integers(0, 5_000),
        st.sampled_from(list(MissReason)),
    ),
    max_size=80,
)


@given(steps=steps, period_ms=st.sampled_from([250, 1000, 90_000]))
def test_polls_due_are_polls_answered_and_polls_covered_by_gaps(
    steps: list[tuple[str, int, MissReason]], period_ms: int, make_device: MakeDevice
) -> None:
    device = make_device((Table.HOLDING, 0, "uint16"), period_s=period_ms / 1000)
    turn = turn_of(device, origin_ns=0, phase=0)
    events: list[Event | None] = []
    answered, at_ns = 0, 0
    for kind, wait_ms, reason in steps:
        at_ns += wait_ms * 1_000_000
        if kind in {"answered", "failed", "spared"}:
            at_ns = max(at_ns, turn.next_mono_ns)
        at = Instant(utc_ns=at_ns, mono_ns=at_ns)
        if kind == "unreachable":
            events.append(turn.unreachable(at, reason))
            continue
        events.append(turn.skipped(at))
        if kind == "answered":
            answered += 1
            events.append(turn.answered(at))
        elif kind in {"failed", "spared"}:
            events.append(turn.failed(at, reason, must_spare=kind == "spared"))
    stop = Instant(utc_ns=at_ns, mono_ns=at_ns)
    events.append(turn.ended(stop))

    # from_ns names a gap; the last event about it has the whole count.
    last = {event.fields["from_ns"]: event for event in events if event}
    missed = sum(event.integer("missed") for event in last.values())
    period_ns = period_ms * 1_000_000
    due = at_ns // period_ns + 1
    # A poll that is due in this very period may still be ahead, unless the device is being missed.
    ahead = due - answered - missed
    assert ahead in ((0,) if turn.gap.is_open else (0, 1))
    for event in last.values():
        assert event.integer("from_ns") % period_ns == 0
        if event.fields["state"] == "closed":
            length_ns = event.integer("to_ns") - event.integer("from_ns")
            assert length_ns == event.integer("missed") * period_ns
