"""The kernel against its definition: loops over minutes, with exact fractions."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS, MINUTES
from central_sync.calc.hourly import MOST_READINGS, hourly
from central_sync.calc.minutes import (
    LARGEST_INTEGER,
    NEVER_FIRST,
    NEVER_LAST,
    NO_LIMIT,
    Minutes,
    Points,
    merged,
    tally,
)

CELLS = 3
Point = tuple[int, int, int, bool, bool]

OFFSETS = st.one_of(
    st.integers(0, HOUR_NS - 1),
    st.sampled_from(
        [place * MINUTE_NS + off for place in range(MINUTES) for off in (0, MINUTE_NS - 1)]
    ),
)
INTEGERS = st.one_of(
    st.integers(-1000, 1000),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([LARGEST_INTEGER, LARGEST_INTEGER + 1, -LARGEST_INTEGER, -LARGEST_INTEGER - 1]),
)
POINTS = st.lists(
    st.tuples(st.integers(0, CELLS - 1), OFFSETS, INTEGERS, st.booleans(), st.booleans()),
    max_size=60,
)
OPERATING = st.lists(
    st.lists(st.booleans(), min_size=MINUTES, max_size=MINUTES), min_size=CELLS, max_size=CELLS
)
LIMITS = st.lists(
    st.one_of(st.integers(-1000, 1000), st.just(NO_LIMIT)), min_size=CELLS, max_size=CELLS
)


def points_of(points: list[Point]) -> Points:
    return Points(
        cell=np.array([cell for cell, *_ in points], np.int64),
        offset_ns=np.array([offset_ns for _, offset_ns, *_ in points], np.int64),
        integer=np.array([integer for _, _, integer, *_ in points], np.int64),
        is_usable=np.array([is_usable for *_, is_usable, _ in points], np.bool_),
        is_check=np.array([is_check for *_, is_check in points], np.bool_),
    )


def minutes_of(points: list[Point], limits: list[int]) -> Minutes:
    return tally(points_of(points), np.array(limits, np.int64))


def is_used(point: Point) -> bool:
    return point[3] and abs(point[2]) <= LARGEST_INTEGER


@given(points=POINTS, operating=OPERATING, limits=LIMITS)
def test_an_hour_is_what_its_definition_says(
    points: list[Point], operating: list[list[bool]], limits: list[int]
) -> None:
    hours = hourly(minutes_of(points, limits), np.array(operating))
    for cell in range(CELLS):
        mine = [one for one in points if one[0] == cell]
        burning = [one for one in mine if operating[cell][one[1] // MINUTE_NS]]
        used = [one for one in burning if is_used(one)]
        assert hours.rows[cell] == len(mine)
        assert hours.total[cell] == sum(one[2] for one in used)
        assert hours.is_exact[cell]
        assert hours.first_ns[cell] == min((one[1] for one in used), default=NEVER_FIRST)
        assert hours.last_ns[cell] == max((one[1] for one in used), default=NEVER_LAST)
        assert hours.checks[cell] == sum(one[4] for one in burning)
        for quadrant in range(4):
            minutes = range(15 * quadrant, 15 * quadrant + 15)
            assert hours.operating_minutes[cell, quadrant] == sum(
                operating[cell][minute] for minute in minutes
            )
            assert hours.used[cell, quadrant] == sum(one[1] // MINUTE_NS in minutes for one in used)


@given(points=POINTS, limits=LIMITS)
def test_readings_above_the_limit_are_counted_by_minute(
    points: list[Point], limits: list[int]
) -> None:
    above = minutes_of(points, limits).above
    for cell in range(CELLS):
        for minute in range(MINUTES):
            assert above[cell, minute] == sum(
                one[0] == cell
                and one[1] // MINUTE_NS == minute
                and is_used(one)
                and one[2] > limits[cell]
                for one in points
            )


@given(points=POINTS, limits=LIMITS, cut=st.integers(0, 60), seed=st.randoms())
def test_neither_order_nor_portions_change_the_tally(
    points: list[Point], limits: list[int], cut: int, seed: "np.random.Generator"
) -> None:
    whole = minutes_of(points, limits)
    seed.shuffle(points)
    pieces = merged(minutes_of(points[:cut], limits), minutes_of(points[cut:], limits))
    for name in Minutes.__slots__:
        assert np.array_equal(getattr(whole, name), getattr(pieces, name)), name


def test_the_largest_integers_add_exactly_up_to_the_limit() -> None:
    used = np.zeros((2, MINUTES), np.int64)
    used[0, 0], used[1, 0] = MOST_READINGS, MOST_READINGS + 1
    total = used * LARGEST_INTEGER
    minutes = Minutes(
        rows=used,
        used=used,
        total=total,
        first_ns=np.zeros_like(used),
        last_ns=np.zeros_like(used),
        checks=used,
        above=used,
    )
    hours = hourly(minutes, np.ones((2, MINUTES), np.bool_))
    assert hours.is_exact.tolist() == [True, False]
    assert int(hours.total[0]) == MOST_READINGS * LARGEST_INTEGER < 2**63


@given(points=POINTS, operating=st.lists(st.booleans(), min_size=MINUTES, max_size=MINUTES))
def test_series_of_one_unit_combine_as_if_they_were_one(
    points: list[Point], operating: list[bool]
) -> None:
    mask = np.array([operating] * CELLS)
    hours = hourly(minutes_of(points, [NO_LIMIT] * CELLS), mask).combined([0, 2])
    as_one: list[Point] = [(0, *one[1:]) for one in points if one[0] != 1]
    alone = hourly(minutes_of(as_one, [NO_LIMIT]), mask[:1])
    for name in type(alone).__slots__:
        assert np.array_equal(getattr(hours, name), getattr(alone, name)), name
