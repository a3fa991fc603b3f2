"""The checks of a scan as pure array functions: integers and limits in, masks out.

Integers are in steps of each channel's resolution (`edge_agent.wire.engineering`), times are
CLOCK_BOOTTIME ns. Every array has shape (n,), one element per channel. Masks say nothing about
channels without a number: who calls leaves those out.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.wire.vocabulary import BoolArray, Int64Array

FloatArray: TypeAlias = npt.NDArray[np.float64]

NS_PER_S: Final = 1_000_000_000
# Integers of readings stay within +-2^53 (docs/calculations.md section 3), times within 2^61 ns
# (73 years of CLOCK_BOOTTIME): a limit of 2^62 is never reached, and differences do not overflow.
NEVER: Final = 1 << 62
# No change is as fast; finite, so that no product with a time is NaN.
ANY_RATE: Final = 1e200


def lower_limits(limits: Sequence[Decimal | None], resolutions: Sequence[Decimal]) -> Int64Array:
    """Return the least integer that is not below each limit; `-NEVER` where there is no limit."""
    return _clipped(
        -NEVER if limit is None else ceil(Fraction(limit) / Fraction(resolution))
        for limit, resolution in zip(limits, resolutions, strict=True)
    )


def upper_limits(limits: Sequence[Decimal | None], resolutions: Sequence[Decimal]) -> Int64Array:
    """Return the greatest integer that is not above each limit; `NEVER` where there is no limit."""
    return _clipped(
        NEVER if limit is None else floor(Fraction(limit) / Fraction(resolution))
        for limit, resolution in zip(limits, resolutions, strict=True)
    )


def rates(limits: Sequence[Decimal | None], resolutions: Sequence[Decimal]) -> FloatArray:
    """Return each greatest rate of change in steps per second; `ANY_RATE` where there is none."""
    return np.array(
        [
            ANY_RATE if limit is None else float(Fraction(limit) / Fraction(resolution))
            for limit, resolution in zip(limits, resolutions, strict=True)
        ],
        dtype=np.float64,
    )


def durations(limits_s: Sequence[float | None]) -> Int64Array:
    """Return durations in seconds as ns; `NEVER` where there is none."""
    return _clipped(NEVER if limit is None else round(limit * NS_PER_S) for limit in limits_s)


def below(integers: Int64Array, lower: Int64Array) -> BoolArray:
    """Return where a value is below its lower limit; on the limit is not below."""
    return integers < lower


def above(integers: Int64Array, upper: Int64Array) -> BoolArray:
    """Return where a value is above its upper limit; on the limit is not above."""
    return integers > upper


def too_fast(change: Int64Array, elapsed_ns: Int64Array, rate: FloatArray) -> BoolArray:
    """Return where a value changed faster than its rate; exactly as fast is not faster.

    Args:
        change: difference to the last number, in steps.
        elapsed_ns: time since the last number.
        rate: greatest rate of change, steps per second.

    """
    # Multiplied, not divided: both sides are exact for whole rates and changes below 2^53 / 1e9.
    return np.abs(change) * float(NS_PER_S) > rate * elapsed_ns


def stuck(unchanged_ns: Int64Array, limit_ns: Int64Array) -> BoolArray:
    """Return where a value has been the same for its limit or longer."""
    return unchanged_ns >= limit_ns


def after_gap(elapsed_ns: Int64Array, limit_ns: Int64Array) -> BoolArray:
    """Return where more time than the limit has passed since the last number."""
    return elapsed_ns > limit_ns


def comparable(elapsed_ns: Int64Array, limit_ns: Int64Array) -> BoolArray:
    """Return where there is a last number to compare with: neither beyond a gap nor in the future.

    A clock that goes back leaves nothing to compare with; so does a channel's first number.
    """
    return (elapsed_ns > 0) & (elapsed_ns <= limit_ns)


def _clipped(numbers: Iterable[int]) -> Int64Array:
    return np.array([min(max(number, -NEVER), NEVER) for number in numbers], dtype=np.int64)
