"""The events of a gap: when they are due, and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.gaps import REPEAT_NS, Gap, MissReason, When
from edge_agent.wire.events import Event, parse_event

S = 1_000_000_000
WALL = 1_800_000_000 * S


def when(mono_s: float, *, due_s: float | None = None, wall_step_s: int = 0) -> When:
    mono_ns = int(mono_s * S)
    due_ns = mono_ns if due_s is None else int(due_s * S)
    return When(at_ns=WALL + mono_ns + wall_step_s * S, mono_ns=mono_ns, due_mono_ns=due_ns)


def told(event: Event | None) -> tuple[object, ...] | None:
    if event is None:
        return None
    return (event.fields["state"], event.fields["missed"], event.fields["reason"])


def test_a_gap_opens_stays_and_closes() -> None:
    gap = Gap(channels=(3, 7))
    assert told(gap.missed(when(10.8, due_s=10), MissReason.NO_ANSWER)) == (
        ("open", 1, "no_answer")
    )
    assert gap.missed(when(11.8, due_s=11), MissReason.NO_ANSWER) is None
    event = gap.returned(when(12.1, due_s=12))
    assert event is not None
    assert event.type == "gap"
    assert (event.at_ns, event.mono_ns) == (WALL + 12_100_000_000, 12_100_000_000)
    assert event.fields == {
        "state": "closed",
        "channels": [3, 7],
        "from_ns": WALL + 10 * S,
        "to_ns": WALL + 12 * S,
        "missed": 2,
        "reason": "no_answer",
        "reasons": {"no_answer": 2},
    }
    assert not gap.is_open


def test_a_return_without_a_gap_is_no_event() -> None:
    assert Gap(channels=(1,)).returned(when(1)) is None


def test_an_open_gap_has_no_end_yet_and_is_a_valid_event_of_the_wire() -> None:
    event = Gap(channels=(1,)).missed(when(1), MissReason.REFUSED)
    assert event is not None
    assert event.fields["to_ns"] is None
    assert parse_event(event.line).fields["state"] == "open"


def test_an_open_gap_is_told_again_once_an_hour_and_not_before() -> None:
    gap = Gap(channels=(1,))
    hour_s = REPEAT_NS / S
    states = [
        told(gap.missed(when(at_s), MissReason.NO_ANSWER))
        for at_s in (0, 1, hour_s - 1, hour_s, hour_s + 1, 2 * hour_s - 1, 2 * hour_s)
    ]
    assert states == [
        ("open", 1, "no_answer"),
        None,
        None,
        ("still", 4, "no_answer"),
        None,
        None,
        ("still", 7, "no_answer"),
    ]


def test_a_change_of_reason_is_counted_in_the_same_gap_under_the_first_reason() -> None:
    gap = Gap(channels=(1,))
    gap.missed(when(1), MissReason.NO_ANSWER)
    gap.missed(when(2), MissReason.LINK_CLOSED, count=5)
    event = gap.returned(when(9))
    assert told(event) == ("closed", 6, "no_answer")
    assert event is not None
    assert event.fields["reasons"] == {"no_answer": 1, "link_closed": 5}


def test_a_second_gap_knows_nothing_of_the_first() -> None:
    gap = Gap(channels=(1,))
    gap.missed(when(1), MissReason.NO_ANSWER)
    gap.returned(when(2))
    event = gap.missed(when(5), MissReason.OVERRUN)
    assert told(event) == ("open", 1, "overrun")
    assert event is not None
    assert event.fields["from_ns"] == WALL + 5 * S
    assert event.fields["reasons"] == {"overrun": 1}


def test_the_start_of_a_gap_is_when_the_poll_was_due_and_not_when_it_failed() -> None:
    event = Gap(channels=(1,)).missed(when(10.8, due_s=10), MissReason.NO_ANSWER)
    assert event is not None
    assert event.fields["from_ns"] == WALL + 10 * S


def test_a_step_of_the_wall_clock_in_a_gap_leaves_its_start_as_it_was_told() -> None:
    gap = Gap(channels=(1,))
    gap.missed(when(10), MissReason.NO_ANSWER)
    event = gap.returned(when(20, wall_step_s=-3600))
    assert event is not None
    assert event.fields["from_ns"] == WALL + 10 * S
    assert event.fields["to_ns"] == WALL + 20 * S - 3600 * S


@pytest.mark.parametrize(
    ("missed_s", "expected"),
    [([], None), ([1], None), ([1, 2], ("still", 2, "busy"))],
    ids=["no gap", "all told", "one miss not told"],
)
def test_a_stop_tells_what_was_not_told_yet(missed_s: list[int], expected: object) -> None:
    gap = Gap(channels=(1,))
    for at_s in missed_s:
        gap.missed(when(at_s), MissReason.BUSY)
    assert told(gap.left_open(when(9))) == expected
    assert gap.left_open(when(9)) is None


steps = st.lists(
    st.tuples(st.sampled_from([None, *MissReason]), st.integers(1, 5), st.integers(1, 5_000)),
    max_size=60,
)


@given(steps=steps)
def test_every_miss_is_in_exactly_one_gap_and_the_last_word_on_a_gap_is_its_count(
    steps: list[tuple[MissReason | None, int, int]],
) -> None:
    gap = Gap(channels=(1,))
    events: list[Event] = []
    missed, now_s = 0, 0
    for reason, count, pause_s in steps:
        now_s += pause_s
        if reason is None:
            event = gap.returned(when(now_s))
        else:
            missed += count
            event = gap.missed(when(now_s), reason, count=count)
        events += [event] if event else []
    last = gap.left_open(when(now_s + 1))
    events += [last] if last else []

    count_of: dict[int, int] = {}
    is_open = False
    for event in events:
        assert (event.fields["state"] == "open") == (not is_open)
        is_open = event.fields["state"] != "closed"
        count_of[event.integer("from_ns")] = event.integer("missed")
        by_reason = event.fields["reasons"]
        assert isinstance(by_reason, dict)
        assert sum(by_reason.values()) == event.integer("missed")
    assert sum(count_of.values()) == missed
    assert is_open == gap.is_open
