"""What the fleet page and the head of a gateway's page say, as words ready to be shown."""

from dataclasses import dataclass
from uuid import UUID

from central_sync.calc.clock_hours import time_text
from central_sync.fleet import Condition, Contact, Health, age_words, condition
from central_sync.model import GatewayState

_HEALTH_WORDS = {
    Health.GOOD: "Good",
    Health.WARNING: "Needs attention",
    Health.CRITICAL: "Critical",
}
_CONTACT_WORDS = {
    Contact.ONLINE: "Online",
    Contact.LATE: "Late",
    Contact.OFFLINE: "Offline",
    Contact.NEVER: "Never seen",
    Contact.REVOKED: "Revoked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time as shown: how long ago, exactly, and for programs."""

    ago: str
    exact: str
    machine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayView:
    """One gateway as shown; `health` names the style, the words say it."""

    id: UUID
    name: str
    facility: str
    health: str
    health_words: str
    contact_words: str
    findings: tuple[tuple[str, str], ...]
    last_contact: Moment | None
    last_data: Moment | None
    head: str
    chain: str
    batches: str
    readings: str
    missing: int
    alarms: int
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """All gateways, the worst first, and how many there are of each health."""

    gateways: tuple[GatewayView, ...]
    good: int
    warning: int
    critical: int
    readings: str
    at: str


def fleet_view(states: tuple[GatewayState, ...], *, now_ns: int) -> FleetView:
    """Return the fleet as shown at `now_ns`."""
    views = [gateway_view(state, now_ns=now_ns) for state in states]
    ranks = [view.rank for view in views]
    return FleetView(
        gateways=tuple(sorted(views, key=lambda view: (-view.rank, view.name))),
        good=ranks.count(Health.GOOD),
        warning=ranks.count(Health.WARNING),
        critical=ranks.count(Health.CRITICAL),
        readings=f"{sum(state.record_count for state in states):,}",
        at=shown_time(now_ns),
    )


def gateway_view(state: GatewayState, *, now_ns: int) -> GatewayView:
    """Return one gateway as shown at `now_ns`."""
    found: Condition = condition(state, now_ns=now_ns)
    newest = state.newest
    return GatewayView(
        id=state.gateway_id,
        name=state.name,
        facility=state.facility,
        health=found.health.name.lower(),
        health_words=_HEALTH_WORDS[found.health],
        contact_words=_CONTACT_WORDS[found.contact],
        findings=tuple((one.health.name.lower(), one.words) for one in found.findings),
        last_contact=_moment(state.last_seen_ns, now_ns),
        last_data=_moment(state.last_data_ns, now_ns),
        head="none yet" if newest is None else f"{newest.batch_no:,}",
        chain="" if newest is None else str(newest.chain_id)[:8],
        batches=f"{state.batch_count:,}",
        readings=f"{state.record_count:,}",
        missing=state.hole_count,
        alarms=len(state.alarms),
        rank=int(found.health),
    )


def _moment(at_ns: int | None, now_ns: int) -> Moment | None:
    if at_ns is None:
        return None
    words = "now" if at_ns >= now_ns else f"{age_words(now_ns - at_ns)} ago"
    return Moment(ago=words, exact=shown_time(at_ns), machine=time_text(at_ns))


def shown_time(at_ns: int) -> str:
    """Return a time as people read it: `2026-11-20 10:00:00 UTC`."""
    return time_text(at_ns).replace("T", " ").replace("Z", " UTC")
