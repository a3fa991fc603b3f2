"""Steps of the wall clock, told as events: what was stamped before one can be set right later.

Wall clock and CLOCK_BOOTTIME are compared at every commit. Pure: the moments are handed in.
"""

from typing import Final

from edge_agent.clock import NS_PER_S, NTP, RTC, UNSET, Instant, Trust
from edge_agent.wire.events import Event
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS

# Below this nobody asks: a tenth of the second that hourly rules look at. A clock that is slewed
# fast enough to move so far between two commits is told like one that was set.
LEAST_NS: Final = NS_PER_S // 10
SOURCES: Final = {UNSET: "unset", NTP: "ntp", RTC: "rtc"}


class ClockSteps:
    """How far the wall clock is ahead of the time since boot, from look to look."""

    def __init__(self, first: Instant) -> None:
        self._ahead_ns = first.utc_ns - first.mono_ns

    def look(self, now: Instant, trust: Trust) -> Event | None:
        """Return the step since the last look as an event; None: there was none.

        Args:
            now: the present, on both clocks.
            trust: how far the wall clock can be believed now.

        """
        before_ns, self._ahead_ns = self._ahead_ns, now.utc_ns - now.mono_ns
        if abs(self._ahead_ns - before_ns) < LEAST_NS:
            return None
        return Event(
            type="clock_step",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            fields={
                "old_ns": now.mono_ns + before_ns,
                "new_ns": now.utc_ns,
                "source": SOURCES[trust.state],
                "unc_ms": UNKNOWN_ERROR_MS if trust.error_ms is None else trust.error_ms,
            },
        )
