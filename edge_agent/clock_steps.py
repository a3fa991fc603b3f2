"""Steps of the wall clock, told as events: what was stamped before one can be set right later.

Wall clock and CLOCK_BOOTTIME are compared whenever something is stamped, and again when a batch is
sealed.
"""

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from edge_agent.clock import (
    HOLDOVER,
    LEAST_NS,
    MANUAL,
    NTP,
    RTC,
    UNSET,
    Clock,
    Instant,
    Trust,
    grown_ms,
)
from edge_agent.wire.events import CLOCK_STEP, Event
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS

SOURCES: Final = {UNSET: "unset", NTP: "ntp", RTC: "rtc", HOLDOVER: "holdover", MANUAL: "manual"}
# Who moved what is shown, where it was neither a source of time nor a person.
LAST_KNOWN: Final = "last_known"


class ClockSteps:
    """How far the wall clock is ahead of the time since boot, from look to look."""

    def __init__(self, first: Instant | None = None) -> None:
        self._ahead_ns = None if first is None else first.utc_ns - first.mono_ns
        self._error_ms: int | None = None
        self._looked_ns = 0

    def has_stepped(self, now: Instant) -> bool:
        """Return whether `look` has something to note: a step, or that it looks the first time."""
        if self._ahead_ns is None:
            return True
        return not -LEAST_NS < now.utc_ns - now.mono_ns - self._ahead_ns < LEAST_NS

    def look(self, now: Instant, trust: Trust) -> Event | None:
        """Return the step since the last look as an event; None: there was none.

        Args:
            now: the present, on both clocks.
            trust: how far the wall clock can be believed now.

        """
        before_ns, ahead_ns = self._ahead_ns, now.utc_ns - now.mono_ns
        error_ms, self._error_ms = self._error_ms, trust.error_ms
        if error_ms is not None:
            error_ms = grown_ms(error_ms, now.mono_ns - self._looked_ns)
        self._looked_ns = now.mono_ns
        if before_ns is not None and abs(ahead_ns - before_ns) < LEAST_NS:
            return None  # small steps add up until they are worth telling
        self._ahead_ns = ahead_ns
        if before_ns is None:
            return None
        return _step(now, before_ns=before_ns, before_error_ms=error_ms, trust=trust)


class ClockWatch:
    """Tells the steps of one clock to whoever records events."""

    def __init__(self, clock: Clock, record: Callable[[Event], None]) -> None:
        self._clock = clock
        self._record = record
        self._steps = ClockSteps()

    def begin(self, held_ns: int) -> None:
        """Tell steps from here on, and one by which the clock is held ahead of the machine's."""
        self.look()
        held = held_step(self._clock.now(), held_ns)
        if held is not None:
            self._record(held)

    def glance(self) -> None:
        """Tell a step; costs next to nothing where there is none."""
        if self._steps.has_stepped(self._clock.now()):
            self.look()

    def look(self) -> None:
        """Tell a step, and note how far the clock is believed."""
        step = self._steps.look(self._clock.now(), self._clock.trust())
        if step is not None:
            self._record(step)


def untold_step(
    last: Header, told: Iterable[Event], *, boot_id: UUID, now: Instant, trust: Trust
) -> Event | None:
    """Return the step between a batch and the next one that no event of the next one tells.

    The clock may be set while the agent does not run, or while what it read waits for the disk.

    Args:
        last: header of the newest batch; of another boot it says nothing of this clock.
        told: the events that the next batch will hold.
        boot_id: of the present boot.
        now: the present, on both clocks.
        trust: how far the wall clock can be believed now.

    """
    if last.boot_id != boot_id:
        return None
    before_ns = last.wall_ns - last.mono_ns
    error_ms, since_ns = last.wall_unc_ms, last.mono_ns
    for event in told:
        if event.type == CLOCK_STEP:
            before_ns, since_ns = event.integer("new_ns") - event.mono_ns, event.mono_ns
            error_ms = event.integer("unc_ms")
    if abs(now.utc_ns - now.mono_ns - before_ns) < LEAST_NS:
        return None
    is_known = error_ms != UNKNOWN_ERROR_MS
    before_error_ms = grown_ms(error_ms, now.mono_ns - since_ns) if is_known else None
    return _step(now, before_ns=before_ns, before_error_ms=before_error_ms, trust=trust)


def held_step(shown: Instant, held_ns: int) -> Event | None:
    """Return that a clock which shows too early a time is shown later; None where it is not."""
    if not held_ns:
        return None
    return Event(
        type=CLOCK_STEP,
        at_ns=shown.utc_ns,
        mono_ns=shown.mono_ns,
        fields={
            "old_ns": shown.utc_ns - held_ns,
            "new_ns": shown.utc_ns,
            "source": LAST_KNOWN,
            "unc_ms": UNKNOWN_ERROR_MS,
            "old_unc_ms": UNKNOWN_ERROR_MS,
        },
    )


def _step(now: Instant, *, before_ns: int, before_error_ms: int | None, trust: Trust) -> Event:
    return Event(
        type=CLOCK_STEP,
        at_ns=now.utc_ns,
        mono_ns=now.mono_ns,
        fields={
            "old_ns": now.mono_ns + before_ns,
            "new_ns": now.utc_ns,
            "source": SOURCES[trust.state],
            "unc_ms": _written(trust.error_ms),
            "old_unc_ms": _written(before_error_ms),
        },
    )


def _written(error_ms: int | None) -> int:
    return UNKNOWN_ERROR_MS if error_ms is None else error_ms
