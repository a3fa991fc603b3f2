"""What the judge remembers of each channel: its last number, when, and since when it stands.

A fold over the scans of one device. Only numbers are remembered, so a channel that gives none for
a while goes on from its last one; every array has shape (n,).
"""

from dataclasses import dataclass

import numpy as np

from edge_agent.quality import checks
from edge_agent.quality.criteria import Criteria
from edge_agent.wire.vocabulary import BoolArray, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What the past says against the values of a scan; says nothing where there is no number."""

    after_gap: BoolArray
    spike: BoolArray
    stuck: BoolArray


class History:
    """The past of the channels of one device."""

    def __init__(self, criteria: Criteria) -> None:
        self._criteria = criteria
        count = len(criteria.always)
        self._last = np.zeros(count, dtype=np.int64)
        # Before its first number a channel has its last one in a future that never comes.
        self._last_ns = np.full(count, checks.NEVER, dtype=np.int64)
        self._since_ns = np.zeros(count, dtype=np.int64)
        self._was_measuring = np.ones(count, dtype=np.bool_)

    def step(
        self, integers: Int64Array, numbers: BoolArray, measuring: BoolArray, mono_ns: int
    ) -> Comparison:
        """Return what the past says against a scan, and make the scan's numbers the past.

        Args:
            integers: the values, in steps of each channel's resolution.
            numbers: where there is a value that is a number.
            measuring: where the analyzer was measuring, not checking itself: values may jump into
                a check and out of it, and stand still in one.
            mono_ns: CLOCK_BOOTTIME of the scan.

        """
        elapsed_ns = mono_ns - self._last_ns
        is_comparable = checks.comparable(elapsed_ns, self._criteria.gap_ns)
        is_comparable &= measuring
        is_comparable &= self._was_measuring
        change = integers - self._last
        stands = is_comparable & (change == 0)
        since_ns = np.where(stands, self._since_ns, mono_ns)
        comparison = Comparison(
            after_gap=checks.after_gap(elapsed_ns, self._criteria.gap_ns),
            spike=is_comparable & checks.too_fast(change, elapsed_ns, self._criteria.rate),
            stuck=checks.stuck(mono_ns - since_ns, self._criteria.stuck_ns),
        )
        np.copyto(self._last, integers, where=numbers)
        np.copyto(self._last_ns, mono_ns, where=numbers)
        np.copyto(self._since_ns, since_ns, where=numbers)
        np.copyto(self._was_measuring, measuring, where=numbers)
        return comparison
