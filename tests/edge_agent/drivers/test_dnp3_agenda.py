"""What an outstation is asked beside its present values, and when."""

import pytest

from edge_agent.clock import NS_PER_S, Instant, SystemClock, Trust
from edge_agent.config.protocols.dnp3 import Events
from edge_agent.drivers.dnp3_agenda import Agenda
from edge_agent.drivers.dnp3_exchange import Asked, Request
from edge_agent.drivers.dnp3_link import FIN, FIR, Fragment
from edge_agent.drivers.dnp3_points import Indication

NOW = Instant(utc_ns=1_790_000_000 * NS_PER_S, mono_ns=50 * NS_PER_S)
SOME = int(Indication.CLASS_1_EVENTS)


class Clock(SystemClock):
    """A clock that a test moves."""

    instant = NOW

    def now(self) -> Instant:
        return self.instant

    def trust(self) -> Trust:
        return Trust(state=1, error_ms=1)


def agenda(events: Events, *, is_serial: bool = False, clock: Clock | None = None) -> Agenda:
    return Agenda(clock or Clock(), events, may_set_time=True, is_serial=is_serial)


def answer(indications: int = 0, objects: bytes = b"", after_s: float = 0.0) -> Fragment:
    mono_ns = NOW.mono_ns + round(after_s * NS_PER_S)
    return Fragment(
        control=FIR | FIN,
        indications=indications,
        objects=objects,
        arrival=Instant(utc_ns=NOW.utc_ns, mono_ns=mono_ns),
    )


def answered(own: Agenda, fragment: Fragment | None = None) -> Asked | None:
    """Let the question that is due be answered; return which it was."""
    first = own.first()
    if first is None:
        return None
    request = Request(
        asked=first[0], sent=NOW, next_sequence=0, timeout_ns=1, deadline_ns=NOW.mono_ns + 1
    )
    own.answered(request, fragment or answer())
    return first[0]


def all_answered(own: Agenda) -> list[Asked]:
    found = []
    while (asked := answered(own)) is not None:
        found.append(asked)
    return found


@pytest.mark.parametrize(
    ("events", "asked"),
    [
        (Events.NONE, [Asked.SILENCE]),
        (Events.POLLED, [Asked.SILENCE, Asked.EVENTS]),
        (Events.UNSOLICITED, [Asked.SILENCE, Asked.EVENTS, Asked.REPORTS]),
    ],
)
def test_a_connection_begins_with_silence(events: Events, asked: list[Asked]) -> None:
    assert all_answered(agenda(events)) == asked


def test_events_are_polled_when_there_are_some_and_once() -> None:
    own = agenda(Events.POLLED)
    all_answered(own)
    own.noted(0)
    assert own.first() is None
    own.noted(SOME)
    own.noted(SOME)
    assert all_answered(own) == [Asked.EVENTS]


def test_one_that_reports_is_polled_when_it_keeps_silent_about_its_events() -> None:
    own = agenda(Events.UNSOLICITED)
    all_answered(own)
    own.noted(SOME)
    own.noted(SOME, is_report=True)  # it has reported, and its report is not confirmed yet
    own.noted(SOME)
    assert own.first() is None
    own.noted(SOME)
    assert all_answered(own) == [Asked.EVENTS]


def test_without_events_nothing_is_asked_for_them() -> None:
    own = agenda(Events.NONE)
    all_answered(own)
    own.noted(SOME)
    own.noted(SOME)
    own.restarted()
    assert own.first() is None


def test_one_that_restarts_may_report_again() -> None:
    for events, asked in ((Events.UNSOLICITED, [Asked.REPORTS]), (Events.POLLED, [])):
        own = agenda(events)
        all_answered(own)
        own.restarted()
        own.restarted()
        assert all_answered(own) == asked


def test_a_clock_is_set_by_the_time_of_a_recorded_request_and_not_again_within_a_minute() -> None:
    clock = Clock()
    own = agenda(Events.NONE, clock=clock)
    all_answered(own)
    own.noted(Indication.NEED_TIME)
    assert answered(own) is Asked.RECORD
    due = own.first()
    assert due is not None
    asked, written = due
    assert asked is Asked.TIME
    assert written[:4] == b"\x32\x03\x07\x01"
    assert int.from_bytes(written[4:], "little") == NOW.utc_ns // 10**6
    assert answered(own) is Asked.TIME
    own.noted(Indication.NEED_TIME)
    assert own.first() is None
    clock.instant = Instant(utc_ns=NOW.utc_ns, mono_ns=NOW.mono_ns + 61 * NS_PER_S)
    own.noted(Indication.NEED_TIME)
    assert answered(own) is Asked.RECORD


def test_one_that_cannot_record_is_told_the_time_of_arrival_by_the_measured_delay() -> None:
    own = agenda(Events.NONE)
    all_answered(own)
    own.noted(Indication.NEED_TIME)
    assert answered(own, answer(Indication.NO_FUNC_CODE_SUPPORT)) is Asked.RECORD
    # It answered after 0.5 s, of which it took 100 ms itself: 200 ms each way.
    delay = answer(objects=b"\x34\x02\x07\x01\x64\x00", after_s=0.5)
    assert answered(own, delay) is Asked.DELAY
    due = own.first()
    assert due is not None
    assert due[1][:4] == b"\x32\x01\x07\x01"
    assert int.from_bytes(due[1][4:], "little") == NOW.utc_ns // 10**6 + 200


def test_a_delay_that_is_refused_ends_it() -> None:
    own = agenda(Events.NONE, is_serial=True)
    all_answered(own)
    own.noted(Indication.NEED_TIME)
    assert answered(own, answer(Indication.NO_FUNC_CODE_SUPPORT)) is Asked.DELAY
    assert own.first() is None
