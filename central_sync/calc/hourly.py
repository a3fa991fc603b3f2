"""The hourly kernel: minutes and operating minutes in, what a regulation asks about an hour out.

It knows no regulation: whether the hour is valid is decided in `central_sync.programs`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from central_sync.calc.clock_hours import QUADRANTS
from central_sync.calc.minutes import NEVER_FIRST, NEVER_LAST, Minutes
from edge_agent.wire.vocabulary import BoolArray, Int64Array

KERNEL: Final = "2"
"""Version of the arithmetic and of the rules; rises when any result could change
(docs/calculations.md section 6)."""

MOST_READINGS: Final = (1 << 20) - 1
"""Used readings of one series in one hour whose sum is exact (docs/calculations.md section 3)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """What is known of one hour of each series; shape (cells,), or (cells, 4) by quadrant.

    Attributes:
        rows: readings of any quality, (cells,).
        used: usable readings in operating minutes, (cells, 4).
        total: the sum of their integers, (cells,); exact where `is_exact`.
        is_exact: not more readings than a 64-bit sum holds for certain, (cells,).
        first_ns: offset of the first of them, NEVER_FIRST where there is none, (cells,).
        last_ns: offset of the last of them, NEVER_LAST where there is none, (cells,).
        checks: readings in a phase of calibration or maintenance in operating minutes, (cells,).
        operating_minutes: minutes in which the unit operated, (cells, 4).

    """

    rows: Int64Array
    used: Int64Array
    total: Int64Array
    is_exact: BoolArray
    first_ns: Int64Array
    last_ns: Int64Array
    checks: Int64Array
    operating_minutes: Int64Array

    def combined(self, places: Sequence[int]) -> "Hours":
        """Return some series of one unit as one, shape (1,); totals only add if alike in step."""
        used = self.used[places].sum(axis=0, keepdims=True)
        return Hours(
            rows=self.rows[places].sum(keepdims=True),
            used=used,
            total=self.total[places].sum(keepdims=True),
            is_exact=used.sum(axis=1) <= MOST_READINGS,
            first_ns=self.first_ns[places].min(keepdims=True),
            last_ns=self.last_ns[places].max(keepdims=True),
            checks=self.checks[places].sum(keepdims=True),
            operating_minutes=self.operating_minutes[places[:1]],
        )


def hourly(minutes: Minutes, operating: BoolArray) -> Hours:
    """Return the hour of each series, of operating minutes only.

    Args:
        minutes: the tally of the hour.
        operating: minutes in which the unit of each series operated; shape (cells, 60).

    """
    used = np.where(operating, minutes.used, 0)
    return Hours(
        rows=minutes.rows.sum(axis=1),
        used=_by_quadrant(used),
        total=np.where(operating, minutes.total, 0).sum(axis=1),
        is_exact=used.sum(axis=1) <= MOST_READINGS,
        first_ns=np.where(operating, minutes.first_ns, NEVER_FIRST).min(axis=1),
        last_ns=np.where(operating, minutes.last_ns, NEVER_LAST).max(axis=1),
        checks=np.where(operating, minutes.checks, 0).sum(axis=1),
        operating_minutes=_by_quadrant(operating.astype(np.int64)),
    )


def _by_quadrant(by_minute: Int64Array) -> Int64Array:
    """Return the sums over the quarters of an hour: (cells, 60) to (cells, 4)."""
    cells, minutes = by_minute.shape
    sums: Int64Array = by_minute.reshape(cells, QUADRANTS, minutes // QUADRANTS).sum(axis=2)
    return sums
