"""The judge against its definition: each reading judged alone, from the whole series before it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import Device, StatusRule
from edge_agent.config.device_parts import Limits
from edge_agent.quality.judge import Judge
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason

MakeDevice = Callable[..., Device]
MakeScan = Callable[..., Scan]

STEP: Final = Decimal("0.5")
CHECK: Final = int(QualityClass.FUNCTION_CHECK | Phase.SPAN_CHECK << 4)
FAILED: Final = int(QualityClass.FAILURE | Reason.DEVICE_FAULT)
RULES: Final = (
    StatusRule(mask=1, value=1, quality=CHECK),
    StatusRule(mask=2, value=2, quality=FAILED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One reading of one channel."""

    mono_ns: int
    value: float | None
    status: int

    @property
    def integer(self) -> int | None:
        """The value in steps, None where there is no number."""
        if self.value is None or not math.isfinite(self.value):
            return None
        return round(self.value / float(STEP))

    @property
    def is_measuring(self) -> bool:
        """Whether the analyzer was not checking itself: without a value nobody asks its status."""
        return self.value is None or not self.status & 1


def quality_by_definition(series: Sequence[Sample], limits: Limits) -> int:
    """Return the quality of the last sample of a series."""
    now = series[-1]
    quality = int(Reason.JUDGED)
    if now.value is None:
        return quality | NO_VALUE
    classes = [QualityClass.GOOD]
    if now.status & 1:
        classes.append(QualityClass.FUNCTION_CHECK)
        quality |= CHECK & 0xF0
    if now.status & 2:
        classes.append(QualityClass.FAILURE)
        quality |= Reason.DEVICE_FAULT
    if now.integer is None:
        return quality | QualityClass.FAILURE | Reason.NOT_A_NUMBER
    doubts = [
        (Reason.BELOW_RANGE, limits.low is not None and now.integer * STEP < limits.low),
        (Reason.ABOVE_RANGE, limits.high is not None and now.integer * STEP > limits.high),
        (Reason.SPIKE, is_spike(series, limits)),
        (Reason.STUCK, is_stuck(series, limits)),
    ]
    for reason, is_so in doubts:
        if is_so:
            classes.append(QualityClass.OUT_OF_SPECIFICATION)
            quality |= reason
    before = last_number(series[:-1])
    if before is not None and now.mono_ns - before.mono_ns > limits.gap_after_s * 10**9:
        quality |= Reason.AFTER_GAP
    return quality | max(classes)


def last_number(series: Sequence[Sample]) -> Sample | None:
    """Return the last sample with a number."""
    return next((one for one in reversed(series) if one.integer is not None), None)


def are_comparable(before: Sample | None, now: Sample, limits: Limits) -> bool:
    """Return whether two numbers may be compared."""
    return (
        before is not None
        and 0 < now.mono_ns - before.mono_ns <= limits.gap_after_s * 10**9
        and before.is_measuring
        and now.is_measuring
    )


def is_spike(series: Sequence[Sample], limits: Limits) -> bool:
    """Return whether the last number came faster from the one before than is allowed."""
    now, before = series[-1], last_number(series[:-1])
    if limits.max_rate_per_s is None or before is None:
        return False
    if not are_comparable(before, now, limits) or now.integer is None or before.integer is None:
        return False
    elapsed_s = Fraction(now.mono_ns - before.mono_ns, 10**9)
    change = abs(now.integer - before.integer) * Fraction(STEP)
    return change > Fraction(limits.max_rate_per_s) * elapsed_s


def is_stuck(series: Sequence[Sample], limits: Limits) -> bool:
    """Return whether the last number stands as long as the limit, each step comparable."""
    if limits.stuck_after_s is None:
        return False
    numbers = [one for one in series if one.integer is not None]
    first = len(numbers) - 1
    while (
        first > 0
        and numbers[first - 1].integer == numbers[first].integer
        and are_comparable(numbers[first - 1], numbers[first], limits)
    ):
        first -= 1
    return numbers[-1].mono_ns - numbers[first].mono_ns >= limits.stuck_after_s * 10**9


LIMITS = st.builds(
    Limits,
    low=st.sampled_from([None, Decimal(-1), Decimal("0.25")]),
    high=st.sampled_from([None, Decimal(2), Decimal("2.75")]),
    max_rate_per_s=st.sampled_from([None, Decimal("0.5"), Decimal(2)]),
    stuck_after_s=st.sampled_from([None, 0.5, 2.0]),
    gap_after_s=st.sampled_from([3.0, 10.0]),
)
# Few values, so that they often stand still; more of what changes nothing than of what does.
VALUES = st.sampled_from([1.0] * 6 + [1.5, 0.0, -2.0, 4.0, None, math.nan, math.inf])
STATUSES = st.sampled_from([0] * 6 + [1, 2, 3])
STEPS_MS = st.sampled_from([500, 1000, 1000, 1000, 2000, 3000, 3500, 11_000, 0, -500, -5000])
ROWS = st.lists(st.tuples(STEPS_MS, VALUES, VALUES, STATUSES), max_size=25)


@given(rows=ROWS, one=LIMITS, other=LIMITS)
def test_the_fold_agrees_with_the_definition(
    rows: list[tuple[int, float | None, float | None, int]],
    one: Limits,
    other: Limits,
    make_device: MakeDevice,
    make_scan: MakeScan,
) -> None:
    judge = Judge(make_device([one, other], rules=RULES), simulated=False)
    mono_ns = 60 * 10**9
    series: tuple[list[Sample], list[Sample]] = ([], [])
    for elapsed_ms, first, second, status in rows:
        mono_ns += elapsed_ms * 10**6
        scan = make_scan([first, second], mono_ns=mono_ns, status=[status, status >> 1])
        judged = judge.judge(scan).readings

        series[0].append(Sample(mono_ns=mono_ns, value=first, status=status))
        series[1].append(Sample(mono_ns=mono_ns, value=second, status=status >> 1))
        expected = [quality_by_definition(series[0], one), quality_by_definition(series[1], other)]
        assert judged.quality.tolist() == expected
        assert judged.raw.tobytes() == scan.raw.tobytes()
