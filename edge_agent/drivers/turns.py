"""When one device is polled: an absolute grid, what of it was missed, and when to ask a dead one.

No I/O and no waiting: the poller asks for the next time and says what came of it.
"""

from dataclasses import dataclass
from typing import Final

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device
from edge_agent.drivers.gaps import Gap, MissReason, When
from edge_agent.wire.events import Event

# A device that is silent or refuses is asked at every poll so often, and then ever more seldom.
PATIENCE: Final = 3
MAX_PAUSE_NS: Final = 60 * NS_PER_S


@dataclass(slots=True, kw_only=True)
class Turn:
    """One device's place on the grid `first + k x period`.

    Attributes:
        period_ns: time from one poll to the next.
        due_mono_ns: CLOCK_BOOTTIME of the first poll that was neither answered nor missed yet.
        next_mono_ns: CLOCK_BOOTTIME at which to poll: that poll or, to spare others, a later one.
        gap: what was missed and has not ended.
        skip_reason: why polls that pass before the next attempt are missed.
        failed_count: attempts that failed in a row.

    """

    period_ns: int
    due_mono_ns: int
    next_mono_ns: int
    gap: Gap
    skip_reason: MissReason = MissReason.OVERRUN
    failed_count: int = 0

    def skipped(self, now: Instant) -> Event | None:
        """Count the polls that can no longer be made because the next one is due as well."""
        count = (now.mono_ns - self.due_mono_ns) // self.period_ns
        return self._missed(now, self.skip_reason, count) if count > 0 else None

    def unreachable(self, now: Instant, reason: MissReason) -> Event | None:
        """Count all polls that were due by now: there was no way to make them."""
        self.skip_reason = reason
        count = (now.mono_ns - self.due_mono_ns) // self.period_ns + 1
        return self._missed(now, reason, count) if count > 0 else None

    def answered(self, at: Instant) -> Event | None:
        """Count one poll as made; its readings have been handed over."""
        self.failed_count = 0
        self.skip_reason = MissReason.OVERRUN
        event = self.gap.returned(self._when(at)) if self.gap.is_open else None
        self.due_mono_ns += self.period_ns
        self.next_mono_ns = self.due_mono_ns
        return event

    def failed(self, now: Instant, reason: MissReason, *, must_spare: bool) -> Event | None:
        """Count one poll as missed.

        Args:
            now: the present.
            reason: why it was missed.
            must_spare: whether asking again and again would harm the device or others.

        """
        self.failed_count += 1
        self.skip_reason = MissReason.OVERRUN
        event = self._missed(now, reason, 1)
        if must_spare and self.failed_count >= PATIENCE:
            doublings = min(self.failed_count - PATIENCE + 1, MAX_PAUSE_NS.bit_length())
            pause = min(1 << doublings, max(1, MAX_PAUSE_NS // self.period_ns))
            self.next_mono_ns += (pause - 1) * self.period_ns
            self.skip_reason = reason
        return event

    def ended(self, now: Instant) -> Event | None:
        """Return what is still to be told of a gap when polling ends.

        In a gap the poll of the present period is missed too; otherwise it is not due any more.
        """
        passed = (now.mono_ns - self.due_mono_ns) // self.period_ns
        count = passed + 1 if self.gap.is_open or passed > 0 else 0
        event = self._missed(now, self.skip_reason, count) if count > 0 else None
        return event or self.gap.left_open(self._when(now))

    def _missed(self, now: Instant, reason: MissReason, count: int) -> Event | None:
        event = self.gap.missed(self._when(now), reason, count=count)
        self.due_mono_ns += count * self.period_ns
        self.next_mono_ns = max(self.next_mono_ns, self.due_mono_ns)
        return event

    def _when(self, now: Instant) -> When:
        return When(at_ns=now.utc_ns, mono_ns=now.mono_ns, due_mono_ns=self.due_mono_ns)


def turn_of(device: Device, *, origin_ns: int, phase: float) -> Turn:
    """Return the turn of a device whose first poll is `phase` of a period after the origin.

    Args:
        device: gives period and channels.
        origin_ns: CLOCK_BOOTTIME at which polling begins.
        phase: part of the period, from 0 to below 1.

    """
    period_ns = round(device.period_s * NS_PER_S)
    first_ns = origin_ns + int(period_ns * phase)
    return Turn(
        period_ns=period_ns,
        due_mono_ns=first_ns,
        next_mono_ns=first_ns,
        gap=Gap(channels=tuple(point.channel for point in device.points)),
    )
