"""The clock that the agent stamps with: the machine's, and what this gateway knows of it.

It never sets the machine's clock. While no source disciplines that clock, what is shown does not
begin before the newest moment that this gateway has signed; how far it can be believed is told with
it. Both clocks are the machine's own otherwise.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from edge_agent.clock import (
    EARLIEST_PLAUSIBLE_NS,
    HOLDOVER,
    LEAST_NS,
    MANUAL,
    NS_PER_S,
    RTC,
    UNSET,
    Clock,
    Instant,
    Trust,
    grown_ms,
)

log = structlog.get_logger()

# In these states a clock may have been ahead of the truth: what it showed holds nothing back.
_UNPROVEN: Final = frozenset({RTC, MANUAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class LastKnown:
    """The newest moment that this gateway has signed, and how far its clock was believed."""

    at: Instant
    trust: Trust
    is_this_boot: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Disciplined:
    """The last moment at which a source disciplined the clock, in this boot."""

    mono_ns: int
    ahead_ns: int
    error_ms: int


class GatewayClock:
    """The machine's clock, held to what is known of it."""

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        now = machine.now()
        self._ahead_ns = now.utc_ns - now.mono_ns
        self._held_ns = 0
        self._disciplined: _Disciplined | None = None
        self._is_set_by_hand = False

    def remember(self, last: LastKnown) -> None:
        """Begin where this gateway ended; called once, before anything is stamped."""
        at, trust = last.at, last.trust
        kernel, now = self._machine.trust(), self._machine.now()
        if last.is_this_boot:
            ahead_ns = at.utc_ns - at.mono_ns
            if trust.error_ms is not None:
                self._disciplined = _Disciplined(
                    mono_ns=at.mono_ns, ahead_ns=ahead_ns, error_ms=trust.error_ms
                )
            self._is_set_by_hand = trust.state == MANUAL and self._is_at(ahead_ns)
        is_known = kernel.error_ms is not None or self._is_held_over() or self._is_set_by_hand
        if is_known or (kernel.state == RTC and trust.state in _UNPROVEN):
            return
        least_ns = at.utc_ns + (now.mono_ns - at.mono_ns if last.is_this_boot else 0)
        short_ns = least_ns - now.utc_ns
        if short_ns > (LEAST_NS if last.is_this_boot else 0):
            self._held_ns = short_ns
            log.warning("clock.held", seconds=round(short_ns / NS_PER_S, 1))

    @property
    def held_ns(self) -> int:
        """How far the machine's wall clock is behind what is shown; 0 where it is shown itself."""
        return self._held_ns

    def now(self) -> Instant:
        """Return the present moment."""
        now = self._machine.now()
        ahead_ns = now.utc_ns - now.mono_ns
        if not -LEAST_NS < ahead_ns - self._ahead_ns < LEAST_NS:
            self._was_set(ahead_ns)
        if not self._held_ns:
            return now
        return Instant(utc_ns=now.utc_ns + self._held_ns, mono_ns=now.mono_ns)

    def trust(self) -> Trust:
        """Return how far `now().utc_ns` can be believed.

        A clock that lost its source keeps time by itself (`HOLDOVER`), its error growing as the
        kernel lets it grow, until somebody sets it; then it is `MANUAL`, its error unknown.
        """
        now = self.now()
        kernel = self._machine.trust()
        if kernel.error_ms is not None:
            self._disciplined = _Disciplined(
                mono_ns=now.mono_ns, ahead_ns=self._ahead_ns, error_ms=kernel.error_ms
            )
            self._is_set_by_hand = False
            self._held_ns = 0
            return kernel
        if self._held_ns:
            return Trust(state=UNSET, error_ms=None)
        if self._disciplined is not None and self._is_held_over():
            known = self._disciplined
            error_ms = grown_ms(known.error_ms, now.mono_ns - known.mono_ns)
            return Trust(state=HOLDOVER, error_ms=error_ms)
        if self._is_set_by_hand and now.utc_ns >= EARLIEST_PLAUSIBLE_NS:
            return Trust(state=MANUAL, error_ms=None)
        return kernel

    async def sleep_until(self, mono_ns: int) -> None:
        """Return once CLOCK_BOOTTIME has reached `mono_ns`; at once when it has passed."""
        await self._machine.sleep_until(mono_ns)

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Return when `event` is set or CLOCK_BOOTTIME reaches `until_mono_ns` (None: never)."""
        await self._machine.wait(event, until_mono_ns)

    def _was_set(self, ahead_ns: int) -> None:
        """Note that the machine's wall clock was set; by whom is seen when trust is asked for."""
        self._ahead_ns = ahead_ns
        self._is_set_by_hand = True
        self._held_ns = 0

    def _is_held_over(self) -> bool:
        """Return whether the wall clock is still where a source left it."""
        return self._disciplined is not None and self._is_at(self._disciplined.ahead_ns)

    def _is_at(self, ahead_ns: int) -> bool:
        return abs(self._ahead_ns - ahead_ns) < LEAST_NS
