"""How a gateway is doing, in words: the worst of named reasons, and always all of them.

Pure: the state as the store knows it and the time of asking in, a condition out.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from central_sync.calc.clock_hours import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from central_sync.model import AlarmCode, GatewayState

LATE_NS: Final = 90 * SECOND_NS
"""In contact: heard of within this. One and a half upload intervals of 60 s."""
OFFLINE_NS: Final = 10 * MINUTE_NS
STALE_NS: Final = 15 * MINUTE_NS
"""A gateway that talks but whose newest reading is older than this does not deliver:
the 15 minutes within which each monitor must have measured once (40 CFR 75.10(d)(1))."""


class Contact(StrEnum):
    """Whether a gateway is heard of."""

    ONLINE = "online"
    LATE = "late"
    OFFLINE = "offline"
    NEVER = "never seen"
    REVOKED = "revoked"


class Health(IntEnum):
    """How bad it is."""

    GOOD = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason why a gateway is not simply good."""

    health: Health
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """How a gateway is doing."""

    contact: Contact
    findings: tuple[Finding, ...]

    @property
    def health(self) -> Health:
        """The worst finding; good when there is none."""
        return max((one.health for one in self.findings), default=Health.GOOD)


ALARM_HEALTH: Final = {
    AlarmCode.FORK: Health.CRITICAL,
    AlarmCode.HOLE: Health.WARNING,
    AlarmCode.SERVER_BEHIND: Health.CRITICAL,
    AlarmCode.CONTENT: Health.CRITICAL,
    AlarmCode.CHAIN: Health.CRITICAL,
    AlarmCode.KEY: Health.CRITICAL,
    AlarmCode.SIMULATED: Health.WARNING,
    AlarmCode.CLOCK: Health.WARNING,
}


def condition(state: GatewayState, *, now_ns: int) -> Condition:
    """Return how a gateway is doing at `now_ns` (UTC ns)."""
    contact = _contact(state, now_ns)
    findings = [*_of_contact(state, contact, now_ns), *_of_record(state)]
    findings += [
        Finding(health=ALARM_HEALTH.get(alarm.code, Health.WARNING), words=alarm.detail)
        for alarm in state.alarms
    ]
    return Condition(contact=contact, findings=tuple(findings))


def _contact(state: GatewayState, now_ns: int) -> Contact:
    if state.is_revoked:
        return Contact.REVOKED
    if state.last_seen_ns is None:
        return Contact.NEVER
    silent_ns = now_ns - state.last_seen_ns
    if silent_ns <= LATE_NS:
        return Contact.ONLINE
    return Contact.LATE if silent_ns <= OFFLINE_NS else Contact.OFFLINE


def _of_contact(state: GatewayState, contact: Contact, now_ns: int) -> list[Finding]:
    match contact:
        case Contact.REVOKED:
            return [Finding(health=Health.WARNING, words="its keys are no longer accepted")]
        case Contact.NEVER:
            return [Finding(health=Health.WARNING, words="it has never sent anything")]
        case Contact.LATE | Contact.OFFLINE:
            silent = age_words(now_ns - (state.last_seen_ns or 0))
            health = Health.WARNING if contact is Contact.LATE else Health.CRITICAL
            return [Finding(health=health, words=f"nothing heard for {silent}")]
        case Contact.ONLINE:
            return _of_delivery(state, now_ns)


def _of_delivery(state: GatewayState, now_ns: int) -> list[Finding]:
    """Return what is wrong with a gateway that talks: it must deliver, too."""
    if state.last_data_ns is None:
        return [Finding(health=Health.WARNING, words="in contact, but no reading has come yet")]
    behind_ns = now_ns - state.last_data_ns
    if behind_ns <= STALE_NS:
        return []
    words = f"in contact, but its newest reading is {age_words(behind_ns)} old"
    return [Finding(health=Health.WARNING, words=words)]


def _of_record(state: GatewayState) -> list[Finding]:
    """Return what is missing in what it has delivered."""
    findings = []
    if state.hole_count:
        words = f"{_count(state.hole_count, 'hole', 'holes')} in its chain: batches not received"
        findings.append(Finding(health=Health.WARNING, words=words))
    if state.missing_bundle_count:
        words = (
            f"{_count(state.missing_bundle_count, 'configuration', 'configurations')} not "
            "received: readings made under it cannot be calculated"
        )
        findings.append(Finding(health=Health.WARNING, words=words))
    return findings


def age_words(age_ns: int) -> str:
    """Return a duration in words, in its one or two largest units."""
    if age_ns < MINUTE_NS:
        return f"{max(age_ns, 0) // SECOND_NS} s"
    if age_ns < HOUR_NS:
        return f"{age_ns // MINUTE_NS} min"
    if age_ns < DAY_NS:
        return f"{age_ns // HOUR_NS} h {age_ns % HOUR_NS // MINUTE_NS} min"
    return f"{age_ns // DAY_NS} d {age_ns % DAY_NS // HOUR_NS} h"


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
