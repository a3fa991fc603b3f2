"""What the uplink has to tell about itself: counts, times and the last fault. Logs what changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from edge_agent.clock import NS_PER_S
from edge_agent.uplink.state import Alarm, Pause

if TYPE_CHECKING:
    from edge_agent.uplink.answer import Answer
    from edge_agent.uplink.state import Outcome, Request, State
    from edge_agent.wire.receipt import Receipt

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class UplinkStatus:
    """How the uplink is doing, for the health pages. Times are UTC ns."""

    last_contact_ns: int | None
    """When the centre last answered in its own words, whatever they were."""
    last_receipt_ns: int | None
    """When the centre last receipted a batch."""
    last_error: str | None
    """What went wrong last; None since an upload brought receipts."""
    failures: int
    """Exchanges in a row after which there was nothing to do but wait."""
    next_try_ns: int | None
    """End of the present back-off; None when there is none."""
    alarms: tuple[Alarm, ...]
    requests: int
    delivered_batches: int
    """Receipted batches, those sent again included."""
    delivered_bytes: int
    """Bytes of their frames."""
    clock_skew_ns: int
    """How far our clock is ahead of the centre's for certain; 0 where they may agree."""


class Tally:
    """Counts exchanges; logs when the centre is lost, when it is back, and every alarm once."""

    def __init__(self) -> None:
        self.next_try_ns: int | None = None
        self._last_contact_ns: int | None = None
        self._last_receipt_ns: int | None = None
        self._last_error: str | None = None
        self._alarms: frozenset[Alarm] = frozenset()
        self._requests = 0
        self._delivered_batches = 0
        self._delivered_bytes = 0
        self._lost_attempts = 0
        self._skew_ns = 0

    def compared(self, skew_ns: int | None) -> None:
        """Note how far our clock is from the centre's, None where an answer did not show it."""
        if skew_ns is None:
            return
        if skew_ns and not self._skew_ns:
            log.warning("clock.differed", ahead_s=round(skew_ns / NS_PER_S, 1))
        if self._skew_ns and not skew_ns:
            log.info("clock.agreed")
        self._skew_ns = skew_ns

    def answered(self, answer: Answer, outcome: Outcome, *, utc_ns: int) -> None:
        """Note an answer; a proxy's page is none of the centre."""
        if not answer.is_readable:
            self.unanswered(f"status {answer.status}, and not an answer of the centre")
            return
        self._requests += 1
        if self._last_contact_ns is None or self._lost_attempts:
            log.info("centre.reached", attempts=self._lost_attempts)
        self._lost_attempts = 0
        self._last_contact_ns = utc_ns
        code = answer.refusal.code if answer.refusal is not None else "no receipt"
        is_good = outcome.pause is Pause.NONE
        self._last_error = None if is_good else f"the centre answered {answer.status}, {code}"

    def unanswered(self, reason: str) -> None:
        """Note that no answer came."""
        self._requests += 1
        self._lost_attempts += 1
        if self._lost_attempts == 1:
            log.warning("centre.lost", reason=reason)
        self._last_error = reason

    def settled(self, request: Request, receipts: tuple[Receipt, ...], *, utc_ns: int) -> None:
        """Note which batches of a request have their receipts."""
        if not receipts:
            return
        sizes = {part.held.batch_hash: part.held.size for part in request.parts}
        self._last_receipt_ns = utc_ns
        self._delivered_batches += len(receipts)
        self._delivered_bytes += sum(sizes[receipt.batch_hash] for receipt in receipts)
        log.debug("batches.delivered", count=len(receipts), purpose=request.purpose.name.lower())

    def alarmed(self, state: State) -> None:
        """Log the alarms that begin and those that end."""
        for alarm in sorted(state.alarms - self._alarms):
            log.error("alarm.raised", alarm=alarm.value, reason=self._last_error)
        for alarm in sorted(self._alarms - state.alarms):
            log.info("alarm.ended", alarm=alarm.value)
        self._alarms = state.alarms

    def status(self, state: State) -> UplinkStatus:
        """Return how the uplink is doing."""
        return UplinkStatus(
            last_contact_ns=self._last_contact_ns,
            last_receipt_ns=self._last_receipt_ns,
            last_error=self._last_error,
            failures=state.failures,
            next_try_ns=self.next_try_ns,
            alarms=tuple(sorted(state.alarms)),
            requests=self._requests,
            delivered_batches=self._delivered_batches,
            delivered_bytes=self._delivered_bytes,
            clock_skew_ns=self._skew_ns,
        )
