"""What an outstation is to be asked beside its present values, in which order. No I/O."""

from collections import deque
from typing import Final

from edge_agent.clock import Clock
from edge_agent.config.protocols.dnp3 import Events
from edge_agent.drivers.dnp3_clock import ClockSetting
from edge_agent.drivers.dnp3_exchange import Asked, Request
from edge_agent.drivers.dnp3_link import Fragment
from edge_agent.drivers.dnp3_points import HAS_EVENTS, Indication

# At first it is told to report nothing, so that it answers; what it has kept is asked for; then it
# may report. Present values are read by the clock, so that together this is an integrity poll.
BEGINNINGS: Final = {
    Events.NONE: (Asked.SILENCE,),
    Events.POLLED: (Asked.SILENCE, Asked.EVENTS),
    Events.UNSOLICITED: (Asked.SILENCE, Asked.EVENTS, Asked.REPORTS),
}


class Agenda:
    """The questions that wait."""

    def __init__(
        self,
        clock: Clock,
        events: Events,
        *,
        may_set_time: bool,
        is_serial: bool,
        is_visitor: bool = False,
    ) -> None:
        self._events = events
        self._steps = deque(() if is_visitor else BEGINNINGS[events])
        self._setting = ClockSetting(clock, is_allowed=may_set_time, is_serial=is_serial)
        self._had_events = False

    def first(self) -> tuple[Asked, bytes] | None:
        """Return the question that is due, and what is written with it; it stays the first."""
        if not self._steps:
            return None
        asked = self._steps[0]
        return asked, self._setting.written() if asked is Asked.TIME else b""

    def answered(self, request: Request, answer: Fragment) -> None:
        """Go on behind a question that was answered whole."""
        if self._steps and self._steps[0] is request.asked:
            self._steps.popleft()
        following = self._setting.following(request, answer)
        if following is not None:
            self._steps.appendleft(following)

    def restarted(self) -> None:
        """Let an outstation report again that forgot that it may."""
        if self._events is Events.UNSOLICITED:
            self._add(Asked.REPORTS)

    def noted(self, indications: int, *, is_report: bool = False) -> None:
        """Draw conclusions from the internal indications of a response."""
        has_events = bool(indications & HAS_EVENTS) and not is_report
        # One that has events and did not report them since it said so may have given up.
        is_wanted = self._events is Events.POLLED or (
            self._events is Events.UNSOLICITED and self._had_events
        )
        if has_events and is_wanted:
            self._add(Asked.EVENTS)
        self._had_events = has_events
        wanted = self._setting.wanted() if indications & Indication.NEED_TIME else None
        if wanted is not None:
            self._steps.append(wanted)

    def _add(self, asked: Asked) -> None:
        if asked not in self._steps:
            self._steps.append(asked)
