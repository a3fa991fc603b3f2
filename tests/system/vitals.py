"""What a process takes of its machine, sampled over time, and whether that grows.

Memory grows if its slope over the second half of the samples is above what is allowed by more than
its error; descriptors and threads grow if the least of them in the last quarter is above the least
in the second quarter, so that a connection that comes and goes is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psutil

MIB = 1 << 20
# Two standard errors: a slope that is zero is taken for a growth once in forty times, if at all.
ERRORS = 2.0
# Neighbours that are more alike than this would say nothing new at all.
LARGEST_ALIKENESS = 0.99
# With fewer samples in a quarter nothing is judged.
LEAST_IN_QUARTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A process and what it started, at one moment."""

    at_s: float
    rss_mib: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A least-squares slope per hour, and its standard error."""

    per_h: float
    error: float

    def exceeds(self, limit_per_h: float) -> bool:
        """Return whether it is above a limit by more than its error."""
        return self.per_h - ERRORS * self.error > limit_per_h


def sample(process: psutil.Process, at_s: float) -> Sample:
    """Return what a process and its children take; psutil.NoSuchProcess if it has ended."""
    family = [process]
    family += process.children(recursive=True)
    return Sample(
        at_s=at_s,
        rss_mib=sum(one.memory_info().rss for one in family) / MIB,
        descriptors=sum(one.num_fds() for one in family),
        threads=sum(one.num_threads() for one in family),
    )


def slope(at_s: Sequence[float], values: Sequence[float]) -> Slope:
    """Return the slope of values over time.

    Samples that follow each other are alike, so that n of them say less than n independent ones:
    the error is widened by sqrt((1 + r) / (1 - r)), r the correlation of neighbouring residuals.

    Args:
        at_s: when, s, rising; three or more.
        values: of any unit.

    """
    hours = np.asarray(at_s) / 3600
    measured = np.asarray(values, dtype=np.float64)
    centred = hours - hours.mean()
    spread = float(centred @ centred)
    per_h = float(centred @ measured) / spread
    residuals = measured - measured.mean() - per_h * centred
    squares = float(residuals @ residuals)
    if not squares:
        return Slope(per_h=per_h, error=0.0)
    alike = float(residuals[1:] @ residuals[:-1]) / squares
    alike = min(max(alike, 0.0), LARGEST_ALIKENESS)
    variance = squares / (len(hours) - 2) / spread
    return Slope(per_h=per_h, error=(variance * (1 + alike) / (1 - alike)) ** 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What became of a process over its samples."""

    rss: Slope
    rss_begin_mib: float
    rss_end_mib: float
    descriptors: tuple[int, int]
    threads: tuple[int, int]

    @property
    def more_descriptors(self) -> int:
        """By how many descriptors it grew."""
        begin, end = self.descriptors
        return end - begin

    @property
    def more_threads(self) -> int:
        """By how many threads it grew."""
        begin, end = self.threads
        return end - begin


def trend(samples: Sequence[Sample]) -> Trend | None:
    """Return what became of a process; None while there are too few samples to tell."""
    quarter = len(samples) // 4
    if quarter < LEAST_IN_QUARTER:
        return None
    second, half, last = samples[quarter : 2 * quarter], samples[2 * quarter :], samples[-quarter:]
    return Trend(
        rss=slope([one.at_s for one in half], [one.rss_mib for one in half]),
        rss_begin_mib=second[0].rss_mib,
        rss_end_mib=last[-1].rss_mib,
        descriptors=(min(s.descriptors for s in second), min(s.descriptors for s in last)),
        threads=(min(s.threads for s in second), min(s.threads for s in last)),
    )
