"""What is logged of an outage and of an alarm: its beginning, its end, and how often in between."""

from __future__ import annotations

from dataclasses import replace

from structlog.testing import capture_logs

from edge_agent.uplink.answer import Answer
from edge_agent.uplink.protocol import after
from edge_agent.uplink.state import Alarm, State
from edge_agent.uplink.tally import Tally
from tests.edge_agent.uplink.model_gateway import TRUST
from tests.edge_agent.uplink.samples import ALL, REQUEST, answer

NOW_NS = 5_000


def told(tally: Tally, one: Answer) -> None:
    """Tell a tally of an answer, as the client does."""
    tally.answered(one, after(State(), REQUEST, one, TRUST), utc_ns=NOW_NS)


def test_an_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    tally = Tally()
    with capture_logs() as events:
        told(tally, answer(200, ALL))
        for _ in range(5):
            tally.unanswered("ConnectError")
        told(tally, answer(200, ALL))
        told(tally, answer(200, ALL))
    assert [(event["event"], event.get("attempts")) for event in events] == [
        ("centre.reached", 0),
        ("centre.lost", None),
        ("centre.reached", 5),
    ]


def test_a_page_of_a_proxy_is_no_contact_with_the_centre() -> None:
    tally = Tally()
    told(tally, Answer(status=200, is_readable=False))
    status = tally.status(State())
    assert status.last_contact_ns is None
    assert status.last_error == "status 200, and not an answer of the centre"


def test_an_alarm_is_told_when_it_begins_and_when_it_ends() -> None:
    tally = Tally()
    held = replace(State(), alarms=frozenset({Alarm.HELD_FOR_KEY, Alarm.FORK}))
    with capture_logs() as events:
        for state in (State(), held, held, State()):
            tally.alarmed(state)
    assert [(event["event"], event["alarm"], event["log_level"]) for event in events] == [
        ("alarm.raised", "fork", "error"),
        ("alarm.raised", "held_for_key", "error"),
        ("alarm.ended", "fork", "info"),
        ("alarm.ended", "held_for_key", "info"),
    ]


def test_a_refusal_names_status_and_code_until_a_receipt_comes() -> None:
    tally = Tally()
    told(tally, answer(503, code="overload"))
    assert tally.status(State()).last_error == "the centre answered 503, overload"
    told(tally, answer(200, ALL))
    status = tally.status(State())
    assert (status.last_error, status.last_contact_ns, status.requests) == (None, NOW_NS, 2)
