"""Exact means and their text."""

from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.rounding import common_resolution, rounded_text

QUANTA = st.builds(
    lambda digits, exponent: Decimal((0, (digits,), exponent)),
    st.integers(1, 9),
    st.integers(-9, 6),
)


@pytest.mark.parametrize(
    ("value", "quantum", "text"),
    [
        ("102.5", "0.1", "102.5"),
        ("102.25", "0.1", "102.3"),
        ("102.24999999999999999999", "0.1", "102.2"),
        ("-102.25", "0.1", "-102.3"),
        ("-0.04", "0.1", "0.0"),
        ("-0.05", "0.1", "-0.1"),
        ("0", "0.1", "0.0"),
        ("1234500", "1E+3", "1235000"),
        ("-1234500", "1E+3", "-1235000"),
        ("499.9", "1E+3", "0"),
        ("7.3", "0.5", "7.5"),
        ("0.0005", "0.001", "0.001"),
    ],
)
def test_values_round_half_away_from_zero(value: str, quantum: str, text: str) -> None:
    assert rounded_text(Fraction(value), Decimal(quantum)) == text


@given(numerator=st.integers(-(10**30), 10**30), denominator=st.integers(1, 10**9), quantum=QUANTA)
def test_the_text_is_the_nearest_multiple_of_the_quantum(
    numerator: int, denominator: int, quantum: Decimal
) -> None:
    value, step = Fraction(numerator, denominator), Fraction(quantum)
    shown = Fraction(rounded_text(value, quantum))
    assert shown / step == int(shown / step)
    assert abs(shown - value) * 2 <= step
    if abs(shown - value) * 2 == step:
        assert abs(shown) > abs(value)


@given(value=st.decimals(-(10**9), 10**9, places=6), places=st.integers(0, 5))
def test_a_decimal_quantum_agrees_with_the_decimal_module(value: Decimal, places: int) -> None:
    quantum = Decimal(1).scaleb(-places)
    with localcontext(Context(prec=60)):
        expected = value.quantize(quantum, rounding=ROUND_HALF_UP)
    assert Decimal(rounded_text(Fraction(value), quantum)) == expected
    assert rounded_text(Fraction(value), quantum) == format(expected or abs(expected), "f")


@pytest.mark.parametrize("quantum", ["0", "-0.1"])
def test_a_quantum_must_be_above_zero(quantum: str) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        rounded_text(Fraction(1), Decimal(quantum))


@given(st.lists(st.fractions("1/1000", 1000, max_denominator=1000), min_size=1, max_size=5))
def test_every_resolution_is_a_whole_multiple_of_the_common_one(
    resolutions: list[Fraction],
) -> None:
    common = common_resolution(resolutions)
    counts = [one / common for one in resolutions]
    assert all(count.denominator == 1 for count in counts)


def test_one_resolution_is_its_own_common_one() -> None:
    assert common_resolution([Fraction(1, 10)]) == Fraction(1, 10)
    assert common_resolution([Fraction(1, 10), Fraction(1, 4)]) == Fraction(1, 20)
