"""The exact arithmetic under a value: (number x scale + offset) / resolution, half away from zero.

A line gives what whole numbers of any size would give: it takes a fast way where that is proven to
end in the same integer, and whole numbers elsewhere. Nothing here depends on machine or library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Final, Protocol, Self, TypeAlias

import numpy as np

from edge_agent.wire.vocabulary import BoolArray, Int64Array
from edge_agent.wire.words import NumberArray

LARGEST: Final = 2**53
"""The largest size of a value: up to here a binary64 holds every whole number as well."""

Values: TypeAlias = tuple[Int64Array, BoolArray]
"""The integers, 0 where there is none; True where there is one."""

_INT64_MAX: Final = 2**63 - 1
_BEYOND: Final = LARGEST + 1

# Slope and shift are off by half a unit in the last place (2^-53, relative), product and sum too:
# the estimate is off by less than 4 x 2^-53 x (|estimate| + |shift|). Twice that is a safe bound.
_ERROR: Final = 2.0**-50


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """One channel: value = (number x slope + shift) / divisor in whole numbers, divisor above 0."""

    slope: int
    shift: int
    divisor: int

    @classmethod
    def of(cls, *, scale: str, offset: str, resolution: str) -> Self:
        """Return the coefficients of three decimal numbers, resolution above 0."""
        slope = Fraction(scale) / Fraction(resolution)
        shift = Fraction(offset) / Fraction(resolution)
        divisor = lcm(slope.denominator, shift.denominator)
        return cls(slope=int(slope * divisor), shift=int(shift * divisor), divisor=divisor)

    def value(self, number: float) -> int:
        """Return the exact value of a finite number; beyond LARGEST, a value just beyond it."""
        numerator, denominator = number.as_integer_ratio()
        dividend = numerator * self.slope + denominator * self.shift
        divisor = denominator * self.divisor
        size = min((2 * abs(dividend) + divisor) // (2 * divisor), _BEYOND)
        return -size if dividend < 0 else size


class Line(Protocol):
    """The values of numbers: one line for each number, or one for all."""

    def values(self, numbers: NumberArray) -> Values:
        """Return the values of numbers; shape (n,)."""
        ...


class IntegerLine:
    """The line for whole numbers: int64 arithmetic where it cannot overflow."""

    def __init__(self, coefficients: Sequence[Coefficients]) -> None:
        self._coefficients = coefficients
        fitting = [one if _limit(one) >= 0 else _NOTHING for one in coefficients]
        self._slope = np.array([2 * one.slope for one in fitting])
        self._divisor = np.array([2 * one.divisor for one in fitting])
        self._half = np.array([one.divisor for one in fitting])
        self._start = np.array([2 * one.shift + one.divisor for one in fitting])
        self._highest = np.array([_limit(one) for one in coefficients])
        self._lowest = -self._highest

    def values(self, numbers: NumberArray) -> Values:
        """Return the values of whole numbers; shape (n,)."""
        exact = (numbers <= self._highest) & (numbers >= self._lowest)
        if exact.all():
            values = self._fast(numbers.astype(np.int64))
        else:
            values = self._fast(np.where(exact, numbers, 0).astype(np.int64))
            _put_exact(values, ~exact, numbers, self._coefficients)
        return _within_largest(values)

    def _fast(self, numbers: Int64Array) -> Int64Array:
        # floor((2n + d) / 2d) rounds halves up; one less in the dividend turns halves of negative
        # numbers down, away from zero.
        dividend = numbers * self._slope + self._start
        dividend -= dividend < self._half
        values: Int64Array = dividend // self._divisor
        return values


class FloatLine:
    """The line for binary64 numbers: floating point where no error can cross a half."""

    def __init__(self, coefficients: Sequence[Coefficients]) -> None:
        self._coefficients = coefficients
        self._slope = np.array([one.slope / one.divisor for one in coefficients])
        self._shift = np.array([one.shift / one.divisor for one in coefficients])
        self._margin = 0.5 - np.abs(self._shift) * _ERROR

    def values(self, numbers: NumberArray) -> Values:
        """Return the values of binary64 numbers, none where one is NaN or infinite; shape (n,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            estimate = numbers * self._slope + self._shift
            nearest = np.rint(estimate)
            exact = np.abs(estimate - nearest) + np.abs(estimate) * _ERROR < self._margin
        if exact.all():
            return nearest.astype(np.int64), exact
        is_finite = np.isfinite(numbers)
        values = np.where(exact, nearest, 0).astype(np.int64)
        _put_exact(values, is_finite & ~exact, numbers, self._coefficients)
        values, is_small = _within_largest(values)
        return values, is_small & is_finite


_NOTHING: Final = Coefficients(slope=0, shift=0, divisor=1)


def _limit(one: Coefficients) -> int:
    """Return the size up to which a number cannot overflow int64 on its line; -1 where any could.

    The line computes number x 2 slope + 2 shift + divisor, and divides by 2 divisor.
    """
    slope = 2 * abs(one.slope)
    rest = _INT64_MAX - 2 * abs(one.shift) - 2 * one.divisor
    if rest < 0 or slope > _INT64_MAX:
        return -1
    return rest // slope if slope else _INT64_MAX


def _put_exact(
    values: Int64Array,
    where: BoolArray,
    numbers: NumberArray,
    coefficients: Sequence[Coefficients],
) -> None:
    """Put the values of some finite numbers in their places, by whole numbers of any size."""
    if len(coefficients) > 1:
        for index in np.flatnonzero(where).tolist():
            values[index] = coefficients[index].value(numbers[index].item())
        return
    # Many readings of one channel on a half, or beyond int64, are mostly the same few numbers.
    distinct, places = np.unique(numbers[where], return_inverse=True)
    exact = [coefficients[0].value(number) for number in distinct.tolist()]
    values[where] = np.array(exact, dtype=np.int64)[places]


def _within_largest(values: Int64Array) -> Values:
    is_small = np.abs(values) <= LARGEST
    return (values, is_small) if is_small.all() else (np.where(is_small, values, 0), is_small)
