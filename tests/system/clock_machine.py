"""A machine whose clocks are wrong in all the ways that clocks are, beside the true time.

What it models: a crystal that drifts, a source of time that steps or slews and tells its error as
the kernel does, a person who sets the clock, and boots at 1970, at the date of the last stop or by
a battery clock.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from edge_agent.clock import EARLIEST_PLAUSIBLE_NS, NTP, RTC, UNSET, Instant, Trust

S: Final = 1_000_000_000
MINUTE: Final = 60 * S
HOUR: Final = 3_600 * S
DAY: Final = 24 * HOUR
START: Final = EARLIEST_PLAUSIBLE_NS + 200 * DAY
# linux/timex.h: maxerror grows so fast, and the clock is unsynchronised beyond NTP_PHASE_LIMIT.
GROWS_PPM: Final = 500
PHASE_LIMIT_NS: Final = 16 * S
# A crystal that is worse than this is broken.
WORST_PPM: Final = 100
# systemd-timesyncd sets a clock that is further off, and slews what is less (NTP_MAX_ADJUST).
SLEWED_AT_MOST_NS: Final = 4 * S // 10


@dataclass
class Machine:
    """The machine, and the true time that nobody on it knows."""

    chance: random.Random
    true_ns: int = START
    mono_ns: int = 0
    ahead_ns: int = START
    boot_id: UUID = field(default_factory=lambda: UUID(int=0))
    has_rtc: bool = False
    is_fed: bool = False
    drift_ppm: int = 0
    saved_ns: int = START
    _error_ns: int | None = None
    _told_mono_ns: int = 0

    def boot(self, *, off_ns: int) -> None:
        """Let the power return after a while."""
        self.mono_ns = self.chance.randrange(5 * S, 60 * S)
        self.true_ns += off_ns + self.mono_ns
        self.boot_id = UUID(int=self.chance.getrandbits(128))
        self.drift_ppm = self.chance.randint(-WORST_PPM, WORST_PPM)
        self.is_fed, self._error_ns = False, None
        if self.has_rtc:
            wall_ns = self.true_ns + self.chance.randint(-20 * S, 20 * S)
        else:
            wall_ns = self.chance.choice([self.mono_ns, self.saved_ns])
        self.ahead_ns = wall_ns - self.mono_ns

    def pass_time(self, true_ns: int) -> None:
        """Let time pass; a source that feeds the clock has its say at the end."""
        self.true_ns += true_ns
        self.mono_ns += true_ns
        if not self.is_fed or self._error_ns is None:  # a source steers the crystal all the time
            self.mono_ns += true_ns * self.drift_ppm // 1_000_000
        if self._error_ns is not None and self._known_ns() > PHASE_LIMIT_NS:
            self._error_ns = None
        if self.is_fed:
            self._feed(true_ns)
        if self.chance.random() < 0.5:  # as fake-hwclock does, every hour and at a stop
            self.saved_ns = self.mono_ns + self.ahead_ns

    def set_by_hand(self, step_ns: int) -> None:
        """Let a person set the clock; the kernel forgets its source (settimeofday)."""
        self.ahead_ns += step_ns
        self._error_ns = None

    def now(self) -> Instant:
        """Return what the clocks show."""
        return Instant(utc_ns=self.mono_ns + self.ahead_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        """Return what the kernel says."""
        if self._error_ns is not None and self._known_ns() <= PHASE_LIMIT_NS:
            return Trust(state=NTP, error_ms=-(-self._known_ns() // 1_000_000))
        is_plausible = self.mono_ns + self.ahead_ns >= EARLIEST_PLAUSIBLE_NS
        return Trust(state=RTC if is_plausible and self.has_rtc else UNSET, error_ms=None)

    async def sleep_until(self, mono_ns: int) -> None:
        """Nobody sleeps here."""
        raise NotImplementedError

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Nobody waits here."""
        raise NotImplementedError

    def _known_ns(self) -> int:
        """Return the error as the kernel tells it; whoever is unsynchronised has none."""
        told_ns = self._error_ns or 0
        return told_ns + (self.mono_ns - self._told_mono_ns) * GROWS_PPM // 1_000_000

    def _feed(self, passed_ns: int) -> None:
        """Take what the source says: steer by mono and wall, or set the wall clock."""
        error_ns = self.chance.randrange(1_000_000, 80_000_000)
        wrong_ns = self.true_ns + self.chance.randint(-error_ns, error_ns)
        wrong_ns -= self.mono_ns + self.ahead_ns
        if abs(wrong_ns) <= SLEWED_AT_MOST_NS and wrong_ns > -passed_ns // 2:
            self.mono_ns += wrong_ns
        else:
            self.ahead_ns += wrong_ns
        self._error_ns, self._told_mono_ns = error_ns, self.mono_ns
