"""The arithmetic under a value, against fractions of whole numbers, where it is about to fail."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_agent.wire.linear import LARGEST, Coefficients, FloatLine, IntegerLine


def test_coefficients_are_in_lowest_terms() -> None:
    made = Coefficients.of(scale="0.1", offset="-40", resolution="0.01")
    assert (made.slope, made.shift, made.divisor) == (10, -4000, 1)
    made = Coefficients.of(scale="1", offset="0.5", resolution="3")
    assert (made.slope, made.shift, made.divisor) == (2, 1, 6)


def test_what_is_not_finite_has_no_value() -> None:
    line = FloatLine([Coefficients(slope=1, shift=0, divisor=1)])
    values, is_number = line.values(np.array([math.nan, 2.5, math.inf, -math.inf, -2.5]))
    assert values.tolist() == [0, 3, 0, 0, -3]
    assert is_number.tolist() == [False, True, False, False, True]


def test_an_offset_that_nearly_cancels_a_number_is_taken_exactly() -> None:
    line = FloatLine([Coefficients(slope=2, shift=20_000_000_000_000_001, divisor=2)])
    values, _ = line.values(np.array([-1e16, -1e16 + 2]))
    assert values.tolist() == [1, 3]


@settings(max_examples=300)
@given(
    slope=st.integers(1, 2**52).map(lambda size: size * (-1) ** size),
    shift=st.integers(-(2**60), 2**60),
    divisor=st.integers(2**9, 2**60),
    near=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
    beside=st.integers(-2, 2),
)
def test_int64_is_left_where_it_would_overflow(
    slope: int, shift: int, divisor: int, near: float, beside: int
) -> None:
    """Numbers about the largest whose dividend fits into int64, and about its multiples."""
    largest = (2**63 - 1 - 2 * abs(shift) - 2 * divisor) // (2 * abs(slope))
    number = min(int(largest * near), 2**62) + beside
    one = Coefficients(slope=slope, shift=shift, divisor=divisor)
    values, is_number = IntegerLine([one]).values(np.array([number, -number]))
    for place, sign in enumerate((1, -1)):
        exact = Fraction(sign * number * slope + shift, divisor)
        size = math.floor(abs(exact) + Fraction(1, 2))
        assert is_number[place] == (size <= LARGEST)
        assert values[place] == ((size if exact >= 0 else -size) if size <= LARGEST else 0)


@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=4),
    slope=st.integers(-(2**66), 2**66),
    shift=st.integers(-(2**66), 2**66),
    divisor=st.integers(1, 2**66),
)
@example(numbers=[1], slope=2**62 - 1, shift=0, divisor=1)
@example(numbers=[1], slope=2**62, shift=0, divisor=1)
@example(numbers=[-1], slope=2**61, shift=-(2**61), divisor=2**61 - 1)
@example(numbers=[2**62 - 1, -(2**62) + 1], slope=1, shift=0, divisor=1)
@example(numbers=[2**62, -(2**62)], slope=1, shift=0, divisor=1)
@example(numbers=[0], slope=1, shift=0, divisor=2**62 - 1)
@example(numbers=[0], slope=1, shift=0, divisor=2**62)
def test_int64_is_left_before_it_overflows(
    numbers: list[int], slope: int, shift: int, divisor: int
) -> None:
    one = Coefficients(slope=slope, shift=shift, divisor=divisor)
    values, is_number = IntegerLine([one]).values(np.array(numbers, dtype=np.int64))
    for number, value, has in zip(numbers, values.tolist(), is_number.tolist(), strict=True):
        exact = Fraction(number * slope + shift, divisor)
        size = math.floor(abs(exact) + Fraction(1, 2))
        assert has == (size <= LARGEST)
        assert value == ((size if exact >= 0 else -size) if has else 0)


@settings(max_examples=300)
@given(
    half=st.integers(-(2**50), 2**50),
    slope=st.integers(-1_000, 1_000).filter(bool),
    shift=st.integers(-(10**9), 10**9),
    divisor=st.integers(1, 10**6),
    ulps=st.integers(-2, 2),
)
def test_no_error_of_floating_point_crosses_a_half(
    half: int, slope: int, shift: int, divisor: int, ulps: int
) -> None:
    """The number nearest to one whose value is a half, and its neighbours."""
    number = float((Fraction(2 * half + 1, 2) * divisor - shift) / slope)
    for _ in range(abs(ulps)):
        number = math.nextafter(number, math.copysign(math.inf, ulps))
    one = Coefficients(slope=slope, shift=shift, divisor=divisor)
    values, is_number = FloatLine([one]).values(np.array([number]))
    exact = (Fraction(number) * slope + shift) / divisor
    size = math.floor(abs(exact) + Fraction(1, 2))
    assert is_number.tolist() == [size <= LARGEST]
    assert values.tolist() == [(size if exact >= 0 else -size) if size <= LARGEST else 0]
