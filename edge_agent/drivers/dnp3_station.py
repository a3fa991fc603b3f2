"""One outstation: what it is asked, in which order, and what is confirmed to it when.

Events are given as deliveries, one fragment at a time, and confirmed when the caller says that they
are durable. Nothing here waits, except `read` for its answer.
"""

from collections.abc import Sequence
from typing import Final

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.device import Device
from edge_agent.config.protocols.dnp3 import Events
from edge_agent.drivers.base import (
    Delivery,
    DeviceBusyError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.dnp3_agenda import Agenda
from edge_agent.drivers.dnp3_exchange import Asked, Exchange, Request
from edge_agent.drivers.dnp3_link import Fragment, Link
from edge_agent.drivers.dnp3_points import speech_of
from edge_agent.drivers.dnp3_reports import Reports, Response, fault_of, response_of
from edge_agent.wire.readings import Scan

# Outstations wait some seconds for a confirmation, and then send the same again.
LATE_NS: Final = NS_PER_S


class Station:
    """One outstation, and the devices whose points it has."""

    def __init__(self, link: Link, devices: Sequence[Device], clock: Clock) -> None:
        speeches = [speech_of(device) for device in devices]
        self._link = link
        self._clock = clock
        modes = {speech.events for speech in speeches}
        self._agenda = Agenda(
            clock,
            next(
                (mode for mode in (Events.UNSOLICITED, Events.POLLED) if mode in modes), Events.NONE
            ),
            may_set_time=any(speech.may_set_time for speech in speeches),
            is_serial=link.is_serial,
            is_visitor=any(speech.is_visitor for speech in speeches),
        )
        self.exchange = Exchange(
            link=link,
            clock=clock,
            address=speeches[0].address,
            master_address=speeches[0].master_address,
        )
        self._timeout_s = max(device.timeout_s for device in devices)
        self._reports = {device.name: Reports(device) for device in devices}
        self._is_silent = False
        self._owed: Fragment | None = None  # waits for its confirmation
        self._is_given = False  # whether the caller has what is in it
        self._ready: list[Delivery] = []
        self._waiting: list[str] = []  # devices whose scan is to come
        self._present: list[Fragment] = []
        self._is_first = True  # no events have come yet
        self._was_late = False
        self._is_lapsed = False

    def __str__(self) -> str:
        return f"outstation {self.exchange.address}"

    # What the driver of a device needs.

    async def read(self, device: Device) -> Scan | None:
        """Return the present values of a device; None: something was said first, they will follow.

        An outstation that waits for the confirmation of a report answers nothing before it has it
        (section 4.4.2): then the answer comes as a delivery.

        Raises:
            LinkLostError: one of its kinds.
            DeviceRefusedError: the outstation refuses the question.

        """
        if self._is_asked_for_present:
            earlier = await self._response()
            if earlier is None:
                raise DeviceBusyError(f"{self}: waits for a confirmation")
            self._deliver_present(earlier)
        self._present.clear()
        self.exchange.ask(Asked.PRESENT, device.timeout_s)
        response = await self._response()
        if response is None:
            self._waiting.append(device.name)
            return None
        fault = fault_of(response, str(self))
        if fault is not None:
            raise fault
        return self._reports[device.name].scan(response)

    @property
    def blocks(self) -> bool:
        """Whether it is about to answer, so that nobody else may be asked."""
        return self.exchange.request is not None and self._owed is None

    def settle(self) -> bool:
        """Prepare for the reading of present values; return whether they can be asked for now.

        An answer with events that wants a confirmation is left unread: it will be given again.
        """
        request, answers = self.exchange.request, self.exchange.answers
        if self._owed is not None:
            # The question ends an answer: its confirmation comes too late, and it comes again.
            self._is_lapsed = not self._owed.is_unsolicited
            return True
        if request is None or request.asked is Asked.PRESENT:
            return True
        if request.asked is Asked.EVENTS and request.has_begun:
            if not (answers and answers[0].wants_confirmation):
                self.keep()
            self.exchange.forget()
            return True
        self.keep()
        return self.exchange.request is None

    def keep(self) -> None:
        """Read what has come, to be given later."""
        self._gather()

    async def _response(self) -> Response | None:
        """Return the answer that is waited for; None: a report came first.

        Raises:
            LinkLostError: it did not come in time.
            LinkClosedError: the link is of no more use.

        """
        while self._link.end is None:
            request = self.exchange.request
            response = self._whole()
            if response is not None:
                return response
            if self._waits_for_confirmation:
                return None
            if request is None or self.exchange.expired() is not None:
                self._unanswered(Asked.PRESENT)
                raise self._silence(request)
            await self._change(request.deadline_ns)
        raise LinkClosedError(f"{self._link}: {self._link.end}")

    def _silence(self, request: Request | None) -> LinkLostError:
        timeout_s = 0 if request is None else request.timeout_ns / NS_PER_S
        text = f"{self}: no answer within {timeout_s:g} s"
        return LinkLostError(text) if self._link.end is None else LinkClosedError(text)

    async def _change(self, until_mono_ns: int) -> None:
        """Wait until something came; a question that is cut short leaves a link of no more use."""
        self._link.changed.clear()
        try:
            await self._clock.wait(self._link.changed, until_mono_ns)
        except BaseException:
            self._link.cut("a question was cut short")
            raise

    # What the listener of a connection needs.

    def acknowledge(self) -> None:
        """Confirm what was given: it is durable."""
        if self._owed is None or not self._is_given:
            return
        now_ns = self._clock.now().mono_ns
        self._was_late = self._is_lapsed or now_ns - self._owed.arrival.mono_ns > LATE_NS
        self._is_lapsed = False
        self.exchange.confirm(self._owed)
        self.exchange.prolong()
        self._owed, self._is_given = None, False
        self._is_first = False

    def take(self) -> list[Delivery]:
        """Return what is to be stored; of events, one fragment until it is acknowledged."""
        if self.exchange.has_restarted:
            self.exchange.has_restarted = False
            self._agenda.restarted()
        self._gather()
        self._is_given = self._owed is not None
        ready, self._ready = self._ready, []
        return ready

    def _gather(self) -> None:
        while self._owed is None and self.exchange.unsolicited:
            self._give(self.exchange.unsolicited.popleft(), is_asked=False)
        while self._owed is None and self._take_answer():
            continue

    def start(self) -> None:
        """Ask what is to be asked beside present values."""
        if self.exchange.request is None and self._owed is None and not self._is_silent:
            question = self._agenda.first()
            if question is not None:
                asked, written = question
                self.exchange.ask(asked, self._timeout_s, written)

    def expire(self) -> None:
        """Give a question up that was not answered in time."""
        request = None if self._owed is not None else self.exchange.expired()
        if request is not None:
            self._unanswered(request.asked)

    def _unanswered(self, asked: Asked) -> None:
        self._present.clear()
        if asked is not Asked.PRESENT:
            # It is asked again once present values have come.
            self._is_silent = True
        now = self._clock.now()
        for name in self._waiting:
            text = "the present values did not come behind the events"
            self._ready.append(self._reports[name].loss(now, 1, text))
        self._waiting.clear()

    @property
    def _waits_for_confirmation(self) -> bool:
        """Whether the outstation has reported something, and answers nothing meanwhile."""
        is_owed = self._owed is not None and self._owed.is_unsolicited
        return is_owed or bool(self.exchange.unsolicited)

    @property
    def _is_asked_for_present(self) -> bool:
        request = self.exchange.request
        return request is not None and request.asked is Asked.PRESENT

    def _take_answer(self) -> bool:
        """Deal with the next fragment of an answer; return whether there was one."""
        request = self.exchange.request
        if request is None or not self.exchange.answers:
            return False
        if self._is_asked_for_present:
            response = self._whole()
            if response is not None:
                self._deliver_present(response)
            return bool(self.exchange.answers)
        fragment = self.exchange.next_answer()
        if fragment is None:
            return False
        if request.asked is Asked.EVENTS:
            self._give(fragment, is_asked=True)
        if fragment.is_final:
            self._agenda.answered(request, fragment)
        return True

    def _deliver_present(self, response: Response) -> None:
        fault = fault_of(response, str(self))
        for name in self._waiting:
            reports = self._reports[name]
            if fault is None:
                self._ready.append(Delivery(scans=(reports.scan(response),)))
            else:
                self._ready.append(reports.loss(response.arrival, 1, str(fault)))
        self._waiting.clear()

    def _whole(self) -> Response | None:
        """Return the present values once all of them have come."""
        while (fragment := self.exchange.next_answer()) is not None:
            self._present.append(fragment)
            self.exchange.confirm(fragment)
            if fragment.is_final:
                response = response_of(self._present)
                self._present = []
                self._is_silent = False
                self._noted(response)
                return response
        return None

    def _give(self, fragment: Fragment, *, is_asked: bool) -> None:
        """Turn a fragment with events into deliveries; one without any is confirmed at once."""
        response = response_of([fragment])
        before = len(self._ready)
        for reports in self._reports.values():
            self._ready += reports.events(
                response,
                may_be_repeated=self._is_first or self._was_late,
                is_old=self._is_first,
            )
        self._noted(response, is_report=not is_asked)
        if len(self._ready) > before:
            self._owed = fragment
        else:
            self._is_first = False
            self.exchange.confirm(fragment)
            self.exchange.prolong()

    def _noted(self, response: Response, *, is_report: bool = False) -> None:
        for reports in self._reports.values():
            self._ready += reports.overflow(response)
        self._agenda.noted(response.indications, is_report=is_report)
