"""Readings thinned out for a plot: the extremes of every bucket, so that no spike disappears.

For the eye only: floating point, and no result is computed from it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from central_sync.calc.clock_hours import HOUR_NS, SECOND_NS
from central_sync.evaluate.part_reader import PartRows
from edge_agent.wire.vocabulary import (
    Int64Array,
    Phase,
    QualityClass,
    UInt32Array,
    has_value,
    phase,
    quality_class,
)

FloatArray: TypeAlias = npt.NDArray[np.float64]

FINE_NS: Final = 5 * SECOND_NS
"""The finest bucket: 720 an hour, more than an hour has pixels when a day is shown."""
FINE_PER_HOUR: Final = HOUR_NS // FINE_NS


class State(IntEnum):
    """The worst that was in a bucket, by severity."""

    NOTHING = 0
    GOOD = 1
    CHECK = 2
    OUT_OF_SPECIFICATION = 3
    FAILURE = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One channel in buckets of equal length; all arrays have shape (n,), NaN = none.

    Attributes:
        low: smallest good value.
        high: largest good value.
        bad_low: smallest value that is not good.
        bad_high: largest value that is not good.
        state: the worst State.

    """

    low: FloatArray
    high: FloatArray
    bad_low: FloatArray
    bad_high: FloatArray
    state: Int64Array


def fine_series(rows: PartRows, hour_ns: int) -> dict[int, Series]:
    """Return the series of every channel of one hour, in buckets of FINE_NS, by channel."""
    numbers, place = np.unique(rows.channel, return_inverse=True)
    key = place * FINE_PER_HOUR + (rows.at - hour_ns) // FINE_NS
    size = len(numbers) * FINE_PER_HOUR
    state = _states(rows.quality, rows.is_number)
    value = rows.steps * rows.resolution
    good = state == State.GOOD
    bad = ~good & rows.is_number & has_value(rows.quality)
    worst = np.zeros(size, np.int64)
    np.maximum.at(worst, key, state)
    low, high = _extremes(key[good], value[good], size)
    bad_low, bad_high = _extremes(key[bad], value[bad], size)
    shape = (len(numbers), FINE_PER_HOUR)
    columns = [one.reshape(shape) for one in (low, high, bad_low, bad_high)]
    states = worst.reshape(shape)
    return {
        int(number): Series(
            low=columns[0][index],
            high=columns[1][index],
            bad_low=columns[2][index],
            bad_high=columns[3][index],
            state=states[index],
        )
        for index, number in enumerate(numbers)
    }


def nothing(count: int) -> Series:
    """Return a series of so many empty buckets."""
    empty = np.full(count, np.nan)
    return Series(
        low=empty, high=empty, bad_low=empty, bad_high=empty, state=np.zeros(count, np.int64)
    )


def joined(parts: list[Series]) -> Series:
    """Return series one after the other."""
    return Series(
        low=np.concatenate([one.low for one in parts]),
        high=np.concatenate([one.high for one in parts]),
        bad_low=np.concatenate([one.bad_low for one in parts]),
        bad_high=np.concatenate([one.bad_high for one in parts]),
        state=np.concatenate([one.state for one in parts]),
    )


def thinned(series: Series, factor: int) -> Series:
    """Return a series with `factor` buckets made one; the last may be of fewer."""
    starts = np.arange(0, len(series.state), factor)
    return Series(
        low=np.fmin.reduceat(series.low, starts),
        high=np.fmax.reduceat(series.high, starts),
        bad_low=np.fmin.reduceat(series.bad_low, starts),
        bad_high=np.fmax.reduceat(series.bad_high, starts),
        state=np.maximum.reduceat(series.state, starts),
    )


def _states(quality: UInt32Array, is_number: npt.NDArray[np.bool_]) -> Int64Array:
    """Return the State of each reading; shape (n,)."""
    kind = quality_class(quality)
    is_check = (phase(quality) != Phase.MEASURING) | (kind == QualityClass.FUNCTION_CHECK)
    state = np.full(len(quality), State.GOOD, np.int64)
    state[kind == QualityClass.OUT_OF_SPECIFICATION] = State.OUT_OF_SPECIFICATION
    state[is_check] = State.CHECK
    state[(kind == QualityClass.FAILURE) | ~has_value(quality) | ~is_number] = State.FAILURE
    return state


def _extremes(key: Int64Array, value: FloatArray, size: int) -> tuple[FloatArray, FloatArray]:
    """Return the smallest and the largest value of each key, NaN where there is none."""
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, key, value)
    np.maximum.at(high, key, value)
    low[np.isinf(low)] = np.nan
    high[np.isinf(high)] = np.nan
    return low, high
