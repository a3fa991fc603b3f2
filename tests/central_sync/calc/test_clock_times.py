"""The times of readings, against docs/calculations.md section 9 written down row by row."""

from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.clock_times import (
    ALIKE_NS,
    ALWAYS_NS,
    CERTAIN_NS,
    EARLIEST,
    LATEST,
    WIDEST_NS,
    BatchClock,
    Setting,
    Times,
    anchors_used,
    error_ns,
    joined,
    plus,
    spans,
    times,
)
from central_sync.model import NOTHING_AROUND, Anchor, Around
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, Hash

S = 1_000_000_000
HOUR = 3_600 * S
DAY = 24 * HOUR
# 2026-11-20T10:00:00Z
TEN = 1_795_168_800 * S
MILLION = 1_000_000
Limits = tuple[int, int, int]


def anchor(mono_ns: int, wall_ns: int, error: int = 0, number: int = 1) -> Anchor:
    return Anchor(
        chain_id=UUID(int=1),
        batch_no=number,
        batch_hash=Hash(bytes([number]) * 32),
        mono_ns=mono_ns,
        wall_ns=wall_ns,
        error_ns=error,
    )


def held(value: int) -> int:
    return max(EARLIEST, min(LATEST, value))


def drift(elapsed: int) -> int:
    return (abs(held(elapsed) // MILLION) + 1) * 500


def by_definition(at: int, mono: int, clock: BatchClock, around: Around) -> Limits:
    """Return time, earliest and latest of one reading, rule by rule."""
    settings = [clock.own, *clock.others]
    alike = [one for one in settings if abs(at - mono - one.offset_ns) < ALIKE_NS]
    known = [one.error_ns for one in alike if one.error_ns is not None]
    if clock.error_ns is not None and not clock.others:
        known = [clock.error_ns]
    if known:  # rule 1, and rule 4 where the clock was trusted throughout
        within = known[0] + ALWAYS_NS
        return at, held(at - within), held(at + within)
    if not alike:  # rule 4
        return at, EARLIEST, LATEST
    near = [one for one in (around.before, around.after) if one is not None]
    if clock.error_ns is not None:
        near = [anchor(clock.mono_ns, clock.wall_ns, clock.error_ns)]
    if near:  # rule 2
        errors = [one.error_ns + drift(clock.mono_ns - one.mono_ns) for one in near]
        best = near[errors.index(min(errors))]
        time = held(mono + best.wall_ns - best.mono_ns)
        within = held(drift(mono - best.mono_ns) + best.error_ns + ALWAYS_NS)
        return time, held(time - within), held(time + within)
    return by_other_boots(at, mono, clock, around)


def by_other_boots(at: int, mono: int, clock: BatchClock, around: Around) -> Limits:
    """Return the same by rule 3."""
    until = clock.received_ns
    if around.later is not None:
        one = around.later
        began = one.wall_ns - one.mono_ns + one.error_ns + ALWAYS_NS + drift(one.mono_ns)
        until = min(until, began)
    latest = held(until - clock.mono_ns + mono + drift(mono - clock.mono_ns))
    earliest = EARLIEST
    if around.earlier is not None:
        one = around.earlier
        earliest = held(one.wall_ns - one.error_ns - ALWAYS_NS + mono - drift(mono))
    if earliest > latest:
        return at, EARLIEST, LATEST
    return min(max(at, earliest), latest), earliest, latest


monos = st.integers(0, 400 * DAY)
walls = st.one_of(st.integers(0, 3 * DAY), st.integers(TEN - 3 * DAY, TEN + 3 * DAY))
errors = st.one_of(st.none(), st.integers(0, 10 * S))
maybe_anchors = st.one_of(
    st.none(),
    st.builds(anchor, monos, st.integers(TEN - 3 * DAY, TEN + 3 * DAY), st.integers(0, 10 * S)),
)
arounds = st.builds(
    Around, before=maybe_anchors, after=maybe_anchors, earlier=maybe_anchors, later=maybe_anchors
)
clocks = st.builds(
    BatchClock,
    mono_ns=monos,
    wall_ns=walls,
    error_ns=errors,
    received_ns=st.integers(TEN, TEN + 400 * DAY),
    others=st.lists(
        st.builds(Setting, offset_ns=st.integers(-400 * DAY, 400 * DAY), error_ns=errors),
        max_size=3,
    ),
)


@given(st.data(), clocks, arounds)
def test_times_agree_with_the_rules_row_by_row(
    data: st.DataObject, clock: BatchClock, around: Around
) -> None:
    offsets = [one.offset_ns for one in (clock.own, *clock.others)]
    readings = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 400 * DAY),
                st.sampled_from([*offsets, 12_345 * S]),
                st.sampled_from([0, 1, -1, ALIKE_NS - 1, ALIKE_NS, -ALIKE_NS, 1 - ALIKE_NS]),
            ),
            max_size=8,
        )
    )
    mono = np.array([mono for mono, _, _ in readings], np.int64)
    at = np.array([sum(reading) for reading in readings], np.int64)
    found = times(at, mono, clock, around)
    told = zip(found.time.tolist(), found.earliest.tolist(), found.latest.tolist(), strict=True)
    wanted = [
        by_definition(int(one), int(other), clock, around)
        for one, other in zip(at, mono, strict=True)
    ]
    assert list(told) == wanted
    assert found.is_moved.tolist() == (found.time != at).tolist()


@given(
    st.lists(st.integers(EARLIEST, LATEST), min_size=1, max_size=4), st.integers(-(2**66), 2**66)
)
def test_what_does_not_fit_stops_at_the_end(values: list[int], more: int) -> None:
    moved = plus(np.array(values, np.int64), more)
    assert moved.tolist() == [held(value + more) for value in values]


@given(st.integers(EARLIEST, LATEST), st.integers(EARLIEST, LATEST), clocks, arounds)
def test_any_number_may_be_signed_as_a_time(
    at: int, mono: int, clock: BatchClock, around: Around
) -> None:
    found = times(np.array([at]), np.array([mono]), clock, around)
    assert found.earliest[0] <= found.time[0] <= found.latest[0]


def test_a_clock_that_is_set_right_brings_its_readings_with_it() -> None:
    """Booted at 1970, an hour later time arrives: 1970-01-01T00:30 was 9:30."""
    clock = BatchClock(mono_ns=1_900 * S, wall_ns=1_900 * S, error_ns=None, received_ns=TEN + DAY)
    around = Around(after=anchor(3_600 * S, TEN, 5_000_000))
    found = times(np.array([1_800 * S]), np.array([1_800 * S]), clock, around)
    assert found.time.tolist() == [TEN - 1_800 * S]
    assert found.is_moved.tolist() == [True]
    assert found.time[0] - found.earliest[0] == 5_000_000 + ALWAYS_NS + 900_000_000 + 500
    assert not found.is_loose.any()
    assert [one.batch_no for one in anchors_used(clock, around)] == [1]


def test_power_lost_before_time_arrived_leaves_limits() -> None:
    clock = BatchClock(mono_ns=60 * S, wall_ns=60 * S, error_ns=None, received_ns=TEN + DAY)
    before, behind = anchor(0, TEN, number=1), anchor(0, TEN + HOUR, number=2)
    around = Around(earlier=before, later=behind)
    found = times(np.array([50 * S]), np.array([50 * S]), clock, around)
    assert found.time[0] == found.earliest[0]
    assert abs(int(found.earliest[0]) - (TEN + 50 * S)) < 2 * S
    assert abs(int(found.latest[0]) - (TEN + HOUR - 10 * S)) < 2 * S
    assert anchors_used(clock, around) == (before, behind)
    assert anchors_used(clock, Around(earlier=before)) == (before,)


def test_without_anything_known_a_reading_is_not_later_than_its_arrival() -> None:
    clock = BatchClock(mono_ns=60 * S, wall_ns=60 * S, error_ns=None, received_ns=TEN)
    found = times(np.array([50 * S]), np.array([50 * S]), clock, NOTHING_AROUND)
    assert found.time.tolist() == [50 * S]
    assert found.earliest[0] == EARLIEST
    assert TEN - 10 * S <= found.latest[0] < TEN - 9 * S


def test_a_trusted_batch_needs_no_other() -> None:
    clock = BatchClock(mono_ns=0, wall_ns=TEN, error_ns=5, received_ns=TEN)
    assert clock.is_certain
    assert anchors_used(clock, Around(before=anchor(0, TEN))) == ()


def test_of_two_anchors_the_one_with_the_smaller_error_counts_and_else_the_earlier() -> None:
    clock = BatchClock(mono_ns=HOUR, wall_ns=0, error_ns=None, received_ns=TEN)
    near, far = anchor(HOUR, TEN, number=1), anchor(30 * HOUR, TEN + DAY, number=2)
    assert anchors_used(clock, Around(before=near, after=far)) == (near,)
    better = anchor(HOUR + S, TEN + S, number=3)
    vague = anchor(HOUR, TEN, 10 * S, number=4)
    assert anchors_used(clock, Around(before=vague, after=better)) == (better,)
    same = anchor(HOUR, TEN, number=5)
    assert anchors_used(clock, Around(before=near, after=same)) == (near,)


@given(clocks, arounds, st.lists(monos, min_size=1, max_size=5))
def test_a_batch_is_looked_for_wherever_its_readings_may_count(
    clock: BatchClock, around: Around, mono: list[int]
) -> None:
    ordered = np.array(sorted(mono), np.int64)
    at = plus(ordered, clock.own.offset_ns)
    untrusted = BatchClock(
        mono_ns=clock.mono_ns,
        wall_ns=clock.wall_ns,
        error_ns=None,
        received_ns=clock.received_ns,
    )
    found = times(at, ordered, untrusted, around)
    ends = (int(at[0]), int(at[-1])), (int(ordered[0]), int(ordered[-1]))
    ranges = spans(untrusted, *ends, around)
    for time, earliest, latest in zip(found.time, found.earliest, found.latest, strict=True):
        is_narrow = earliest != EARLIEST and int(latest) - int(earliest) <= WIDEST_NS
        wanted = (earliest, latest) if is_narrow else (time, time)
        for one in wanted:
            assert any(first <= one <= last for first, last in ranges)


@given(arounds, st.integers(0, 3 * DAY), st.integers(0, DAY), st.booleans())
def test_what_another_setting_showed_is_looked_for_at_the_limits(
    around: Around,
    shown: int,
    mono: int,
    is_alone: bool,  # noqa: FBT001 - drawn
) -> None:
    """Also where the clock was set behind the last reading, and the header shows that alone."""
    clock = BatchClock(
        mono_ns=DAY,
        wall_ns=TEN + DAY,
        error_ns=None,
        received_ns=TEN + DAY,
        others=[Setting(offset_ns=shown - mono, error_ns=None)],
    )
    later = shown + S if is_alone else TEN + mono + S
    both = np.array([shown, later]), np.array([mono, mono + S])
    found = times(*both, clock, around)
    ends = (int(both[0].min()), int(both[0].max())), (mono, mono + S)
    ranges = spans(clock, *ends, around)
    for time, at in zip(found.time, both[0], strict=True):
        assert time == at or any(first <= time <= last for first, last in ranges)


def times_of(*limits: Limits) -> Times:
    time, earliest, latest = (np.array(part, np.int64) for part in zip(*limits, strict=True))
    return Times(
        time=time, earliest=earliest, latest=latest, is_moved=np.zeros(len(time), np.bool_)
    )


@pytest.mark.parametrize(
    ("limits", "is_here", "is_next"),
    [
        pytest.param((HOUR - S, HOUR - 5 * S, HOUR + 2 * S), True, True, id="over the end"),
        pytest.param((HOUR - S, HOUR - 2 * S, HOUR), False, False, id="known well enough"),
        pytest.param((S, S - CERTAIN_NS - 1, S), True, False, id="over the start"),
        pytest.param((HOUR - S, HOUR - 5 * S, HOUR - 1), False, False, id="just within"),
        pytest.param((HOUR - S, HOUR - 5 * S, HOUR), True, True, id="just beyond"),
        pytest.param((HOUR // 2, HOUR // 2 - 5 * S, HOUR // 2), False, False, id="in the middle"),
        pytest.param((S, EARLIEST, LATEST), True, False, id="nothing known"),
        pytest.param((S, 0, WIDEST_NS), True, True, id="as wide as may be"),
        pytest.param((S, 0, WIDEST_NS + 1), True, False, id="too wide for the next"),
    ],
)
def test_an_hour_is_uncertain_when_a_reading_may_belong_to_another(
    limits: Limits, *, is_here: bool, is_next: bool
) -> None:
    found = times_of(limits)
    assert found.is_uncertain_in(0, HOUR).tolist() == [is_here]
    assert found.is_uncertain_in(HOUR, 2 * HOUR).tolist() == [is_next]


def test_times_of_several_batches_stand_one_after_the_other() -> None:
    both = joined([times_of((1, 0, 2)), times_of((3, 2, 4))])
    assert (both.time.tolist(), both.earliest.tolist()) == ([1, 3], [0, 2])
    assert (both.latest.tolist(), both.is_moved.tolist()) == ([2, 4], [False, False])


def test_an_error_of_the_wire_in_nanoseconds() -> None:
    assert error_ns(7) == 7_000_000
    assert error_ns(UNKNOWN_ERROR_MS) is None
