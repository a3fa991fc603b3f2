"""Each check by itself, on both sides of its limit."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.quality import checks
from edge_agent.wire.vocabulary import Int64Array

DECIMALS = st.decimals(
    min_value=-(10**9), max_value=10**9, allow_nan=False, allow_infinity=False, places=4
)
STEPS = st.sampled_from([Decimal(text) for text in ("0.01", "0.3", "1", "2.5", "1000")])
INTEGERS = st.integers(-(2**53), 2**53)


def integers(*values: int) -> Int64Array:
    """Return an array of integers."""
    return np.array(values, dtype=np.int64)


@given(value=INTEGERS, limit=DECIMALS, step=STEPS)
def test_below_agrees_with_its_definition(value: int, limit: Decimal, step: Decimal) -> None:
    is_below = checks.below(integers(value), checks.lower_limits([limit], [step]))

    assert is_below.tolist() == [value * Fraction(step) < Fraction(limit)]


@given(value=INTEGERS, limit=DECIMALS, step=STEPS)
def test_above_agrees_with_its_definition(value: int, limit: Decimal, step: Decimal) -> None:
    is_above = checks.above(integers(value), checks.upper_limits([limit], [step]))

    assert is_above.tolist() == [value * Fraction(step) > Fraction(limit)]


@pytest.mark.parametrize("value", [-(2**53), 0, 2**53])
def test_without_a_limit_nothing_is_outside(value: int) -> None:
    step = [Decimal(1)]

    assert not checks.below(integers(value), checks.lower_limits([None], step)).any()
    assert not checks.above(integers(value), checks.upper_limits([None], step)).any()


@pytest.mark.parametrize("limit", [Decimal("1e30"), Decimal("-1e30")])
def test_a_limit_beyond_every_integer_is_still_a_limit(limit: Decimal) -> None:
    step = [Decimal("0.01")]
    values = integers(-(2**53), 2**53)

    assert checks.below(values, checks.lower_limits([limit], step)).all() == (limit > 0)
    assert checks.above(values, checks.upper_limits([limit], step)).all() == (limit < 0)


@given(
    change=st.integers(-1_000_000, 1_000_000),
    elapsed_ms=st.integers(1, 900_000),
    rate=st.integers(1, 100_000),
)
def test_too_fast_agrees_with_its_definition(change: int, elapsed_ms: int, rate: int) -> None:
    is_too_fast = checks.too_fast(
        integers(change), integers(elapsed_ms * 10**6), checks.rates([Decimal(rate)], [Decimal(1)])
    )

    assert is_too_fast.tolist() == [abs(change) > rate * Fraction(elapsed_ms, 1000)]


def test_without_a_rate_no_change_is_too_fast() -> None:
    rate = checks.rates([None], [Decimal(1)])

    assert not checks.too_fast(integers(2**54), integers(1), rate).any()


@pytest.mark.parametrize(
    ("unchanged_ns", "is_stuck"), [(0, False), (1_499_999_999, False), (1_500_000_000, True)]
)
def test_stuck_begins_at_its_limit(unchanged_ns: int, *, is_stuck: bool) -> None:
    limit_ns = checks.durations([1.5])

    assert checks.stuck(integers(unchanged_ns), limit_ns).tolist() == [is_stuck]


def test_without_a_limit_nothing_is_stuck() -> None:
    assert not checks.stuck(integers(2**61), checks.durations([None])).any()


@pytest.mark.parametrize(
    ("elapsed_ns", "is_comparable", "is_after_gap"),
    [
        (-5, False, False),
        (0, False, False),
        (1, True, False),
        (900 * 10**9, True, False),
        (900 * 10**9 + 1, False, True),
    ],
)
def test_a_gap_begins_behind_its_limit(
    elapsed_ns: int, *, is_comparable: bool, is_after_gap: bool
) -> None:
    limit_ns = checks.durations([900.0])

    assert checks.comparable(integers(elapsed_ns), limit_ns).tolist() == [is_comparable]
    assert checks.after_gap(integers(elapsed_ns), limit_ns).tolist() == [is_after_gap]


def test_no_channels_give_empty_masks() -> None:
    none = integers()

    assert checks.below(none, checks.lower_limits([], [])).shape == (0,)
    assert checks.too_fast(none, none, checks.rates([], [])).shape == (0,)
    assert checks.stuck(none, checks.durations([])).shape == (0,)
