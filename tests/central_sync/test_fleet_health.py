"""How a gateway is doing: the worst of named reasons, and all of them in words."""

from dataclasses import replace
from uuid import UUID

import pytest

from central_sync.fleet import Contact, Health, age_words, condition
from central_sync.model import Alarm, AlarmCode, GatewayState

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
NOW = 1_795_168_800 * SECOND

GOOD = GatewayState(
    gateway_id=UUID(int=1),
    facility="PLANT",
    name="stack 1",
    is_revoked=False,
    last_seen_ns=NOW - SECOND,
    last_data_ns=NOW - 2 * SECOND,
    batch_count=5,
    record_count=50,
    newest=None,
    last_header=None,
    hole_count=0,
    missing_bundle_count=0,
    alarms=(),
)


def alarm(code: AlarmCode) -> Alarm:
    return Alarm(
        code=code,
        gateway_id=UUID(int=1),
        subject="",
        detail=f"detail of {code}",
        opened_ns=NOW,
        closed_ns=None,
        seen_count=1,
    )


@pytest.mark.parametrize(
    ("state", "contact", "health", "words"),
    [
        (GOOD, Contact.ONLINE, Health.GOOD, []),
        (replace(GOOD, last_seen_ns=NOW + SECOND), Contact.ONLINE, Health.GOOD, []),
        (replace(GOOD, last_seen_ns=NOW - 90 * SECOND), Contact.ONLINE, Health.GOOD, []),
        (
            replace(GOOD, last_seen_ns=NOW - 91 * SECOND),
            Contact.LATE,
            Health.WARNING,
            ["nothing heard for 1 min"],
        ),
        (
            replace(GOOD, last_seen_ns=NOW - 10 * MINUTE),
            Contact.LATE,
            Health.WARNING,
            ["nothing heard for 10 min"],
        ),
        (
            replace(GOOD, last_seen_ns=NOW - 10 * MINUTE - 1),
            Contact.OFFLINE,
            Health.CRITICAL,
            ["nothing heard for 10 min"],
        ),
        (
            replace(GOOD, last_seen_ns=None, last_data_ns=None),
            Contact.NEVER,
            Health.WARNING,
            ["it has never sent anything"],
        ),
        (
            replace(GOOD, is_revoked=True),
            Contact.REVOKED,
            Health.WARNING,
            ["its keys are no longer accepted"],
        ),
        (
            replace(GOOD, last_data_ns=None),
            Contact.ONLINE,
            Health.WARNING,
            ["in contact, but no reading has come yet"],
        ),
        (replace(GOOD, last_data_ns=NOW - 15 * MINUTE), Contact.ONLINE, Health.GOOD, []),
        (
            replace(GOOD, last_data_ns=NOW - 15 * MINUTE - 1),
            Contact.ONLINE,
            Health.WARNING,
            ["in contact, but its newest reading is 15 min old"],
        ),
        (
            replace(GOOD, hole_count=1, missing_bundle_count=2),
            Contact.ONLINE,
            Health.WARNING,
            [
                "1 hole in its chain: batches not received",
                "2 configurations not received: readings made under it cannot be calculated",
            ],
        ),
        (
            replace(GOOD, hole_count=2, alarms=(alarm(AlarmCode.FORK),)),
            Contact.ONLINE,
            Health.CRITICAL,
            ["2 holes in its chain: batches not received", "detail of fork"],
        ),
    ],
)
def test_a_state_has_this_condition(
    state: GatewayState, contact: Contact, health: Health, words: list[str]
) -> None:
    found = condition(state, now_ns=NOW)
    assert (found.contact, found.health) == (contact, health)
    assert [one.words for one in found.findings] == words


def test_no_alarm_leaves_a_gateway_green() -> None:
    for code in AlarmCode:
        assert condition(replace(GOOD, alarms=(alarm(code),)), now_ns=NOW).health > Health.GOOD


@pytest.mark.parametrize(
    ("age_ns", "words"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (MINUTE - 1, "59 s"),
        (MINUTE, "1 min"),
        (HOUR - 1, "59 min"),
        (HOUR, "1 h 0 min"),
        (DAY - 1, "23 h 59 min"),
        (3 * DAY + 5 * HOUR, "3 d 5 h"),
    ],
)
def test_a_duration_in_words(age_ns: int, words: str) -> None:
    assert age_words(age_ns) == words
