"""Setting the clock of an outstation that asks for it, where its settings allow that.

On a network the outstation records when a request came, and is then told the time at which that was
sent (IEEE 1815-2012, section 10.3.3.2); on a line, and where it cannot do that, the delay is
measured and the time of arrival is written (section 10.3.3.1).
"""

from typing import Final

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.drivers.dnp3_exchange import TIME, TIME_RECORDED, Asked, Request
from edge_agent.drivers.dnp3_link import Fragment
from edge_agent.drivers.dnp3_points import REFUSED

NS_PER_MS: Final = 1_000_000
# A clock that asks to be set is set so often at most.
PAUSE_NS: Final = 60 * NS_PER_S


class ClockSetting:
    """How far the setting of one clock has come."""

    def __init__(self, clock: Clock, *, is_allowed: bool, is_serial: bool) -> None:
        self._clock = clock
        self._is_allowed = is_allowed
        self._is_serial = is_serial
        self._begun_ns: int | None = None
        self._delay_ns = 0
        self._recorded_ns: int | None = None

    def wanted(self) -> Asked | None:
        """Return what to ask first of a clock that needs to be set; None: it is not set now."""
        now_ns = self._clock.now().mono_ns
        is_due = self._begun_ns is None or now_ns - self._begun_ns > PAUSE_NS
        # A clock whose error is unknown is not to be copied.
        if not (self._is_allowed and is_due and self._clock.trust().error_ms is not None):
            return None
        self._begun_ns = now_ns
        return Asked.DELAY if self._is_serial else Asked.RECORD

    def following(self, request: Request, answer: Fragment) -> Asked | None:
        """Return what to ask next, behind the answer to a question; None: nothing."""
        is_refused = bool(answer.indications & REFUSED)
        match request.asked:
            case Asked.RECORD if is_refused:
                return Asked.DELAY
            case Asked.RECORD:
                self._recorded_ns = request.sent.utc_ns
                return Asked.TIME
            case Asked.DELAY if not is_refused:
                # Group 52, one time delay in ms (A.25): what the outstation itself took.
                inside_ns = int.from_bytes(answer.objects[4:6], "little") * NS_PER_MS
                taken_ns = answer.arrival.mono_ns - request.sent.mono_ns
                self._delay_ns = max(0, taken_ns - inside_ns) // 2
                self._recorded_ns = None
                return Asked.TIME
            case _:
                return None

    def written(self) -> bytes:
        """Return the object with the time: of the request before, or of the arrival of this."""
        if self._recorded_ns is not None:
            return TIME_RECORDED + (self._recorded_ns // NS_PER_MS).to_bytes(6, "little")
        at_ns = self._clock.now().utc_ns + self._delay_ns
        return TIME + (at_ns // NS_PER_MS).to_bytes(6, "little")
