"""The rule of 40 CFR 75.10(d)(1) against a definition that loops, and the reported decimals."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS, MINUTES
from central_sync.calc.hourly import hourly
from central_sync.calc.minutes import NO_LIMIT, Points, tally
from central_sync.programs.part75 import REPORTED, is_valid

OFFSETS = st.integers(0, 239).map(lambda quarter_minute: quarter_minute * MINUTE_NS // 4)


def valid_by_definition(used: list[int], checks: list[int], operating: list[bool]) -> bool:
    used = [one for one in used if operating[one // MINUTE_NS]]
    checks = [one for one in checks if operating[one // MINUTE_NS]]
    quadrants = [q for q in range(4) if any(operating[15 * q : 15 * q + 15])]
    if not quadrants:
        return False
    if all(any(one // (15 * MINUTE_NS) == q for one in used) for q in quadrants):
        return True
    pairs = [(one, other) for one in used for other in used]
    return bool(checks) and any(other - one >= 15 * MINUTE_NS for one, other in pairs)


@given(
    used=st.lists(OFFSETS, max_size=6),
    checks=st.lists(OFFSETS, max_size=2),
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=3),
)
def test_an_hour_is_valid_exactly_when_the_rule_says_so(
    used: list[int], checks: list[int], spans: list[tuple[int, int]]
) -> None:
    operating = [any(a <= minute < b for a, b in spans) for minute in range(MINUTES)]
    offsets = np.array(used + checks, np.int64)
    is_used = np.arange(len(offsets)) < len(used)
    points = Points(
        cell=np.zeros(len(offsets), np.int64),
        offset_ns=offsets,
        integer=np.ones(len(offsets), np.int64),
        is_usable=is_used,
        is_check=~is_used,
    )
    hours = hourly(tally(points, np.array([NO_LIMIT])), np.array([operating]))
    assert bool(is_valid(hours)[0]) == valid_by_definition(used, checks, operating)
    assert offsets.max(initial=0) < HOUR_NS


@pytest.mark.parametrize(
    ("code", "unit_of_measure", "quantum"),
    [
        ("SO2C", "ppm", "0.1"),
        ("NOXC", "ppm", "0.1"),
        ("CO2C", "%", "0.1"),
        ("O2C", "%", "0.1"),
        ("H2O", "%", "0.1"),
        ("FLOW", "scfh", "1000"),
    ],
)
def test_codes_are_reported_with_these_decimals(
    code: str, unit_of_measure: str, quantum: str
) -> None:
    assert REPORTED[code].unit_of_measure == unit_of_measure
    assert REPORTED[code].quantum == Decimal(quantum)
