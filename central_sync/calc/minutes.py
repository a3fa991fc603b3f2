"""Readings of many channels summed up by minute: the one pass over the readings of an hour.

Everything after it works on 60 numbers a channel. Sums are exact whatever the order of readings,
so that parts of an hour can be tallied apart and merged.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS, MINUTES
from edge_agent.wire.vocabulary import BoolArray, Int64Array

LARGEST_INTEGER: Final = 1 << 43
"""No integer beyond this is used; 2^43 x 2^20 readings is the most that 64 bits hold exactly
(docs/calculations.md section 3)."""

NEVER_FIRST: Final = HOUR_NS
NEVER_LAST: Final = -1
NO_LIMIT: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Readings of one hour, in any order; all arrays have shape (n,).

    Attributes:
        cell: which series a reading belongs to, 0 or more.
        offset_ns: its time since the start of the hour, 0 <= offset < 3,600 s.
        integer: its value in units of the series' resolution.
        is_usable: whether it may enter an average (docs/calculations.md section 4).
        is_check: whether it was taken in a phase of calibration or maintenance (section 5).

    """

    cell: Int64Array
    offset_ns: Int64Array
    integer: Int64Array
    is_usable: BoolArray
    is_check: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minutes:
    """What was read in each minute of an hour; all arrays have shape (cells, 60).

    Attributes:
        rows: readings of any quality.
        used: usable readings.
        total: the sum of their integers.
        first_ns: offset of the first usable reading; NEVER_FIRST where there is none.
        last_ns: offset of the last usable reading; NEVER_LAST where there is none.
        checks: readings in a phase of calibration or maintenance.
        above: usable readings above the limit of their series.

    """

    rows: Int64Array
    used: Int64Array
    total: Int64Array
    first_ns: Int64Array
    last_ns: Int64Array
    checks: Int64Array
    above: Int64Array


def tally(points: Points, limits: Int64Array) -> Minutes:
    """Return the minutes of each series.

    Args:
        points: the readings.
        limits: integer above which a reading counts as `above`; shape (cells,), one per series.

    """
    shape = (len(limits), MINUTES)
    place = points.cell * MINUTES + points.offset_ns // MINUTE_NS
    in_reach = np.abs(np.clip(points.integer, -LARGEST_INTEGER - 1, LARGEST_INTEGER + 1))
    is_used = points.is_usable & (in_reach <= LARGEST_INTEGER)
    used_place, used_offset = place[is_used], points.offset_ns[is_used]
    used_integer = points.integer[is_used]
    is_above = used_integer > limits[points.cell[is_used]]
    total = np.zeros(shape, np.int64)
    first_ns = np.full(shape, NEVER_FIRST, np.int64)
    last_ns = np.full(shape, NEVER_LAST, np.int64)
    np.add.at(total.reshape(-1), used_place, used_integer)
    np.minimum.at(first_ns.reshape(-1), used_place, used_offset)
    np.maximum.at(last_ns.reshape(-1), used_place, used_offset)
    return Minutes(
        rows=_counts(place, shape),
        used=_counts(used_place, shape),
        total=total,
        first_ns=first_ns,
        last_ns=last_ns,
        checks=_counts(place[points.is_check], shape),
        above=_counts(used_place[is_above], shape),
    )


def merged(one: Minutes, other: Minutes) -> Minutes:
    """Return the minutes of the readings of both, which have the same series."""
    return Minutes(
        rows=one.rows + other.rows,
        used=one.used + other.used,
        total=one.total + other.total,
        first_ns=np.minimum(one.first_ns, other.first_ns),
        last_ns=np.maximum(one.last_ns, other.last_ns),
        checks=one.checks + other.checks,
        above=one.above + other.above,
    )


def _counts(place: Int64Array, shape: tuple[int, int]) -> Int64Array:
    """Return how often each place occurs; shape as given."""
    return np.bincount(place, minlength=shape[0] * shape[1]).astype(np.int64).reshape(shape)
