"""The channels of a gateway as its page lists them, each with its latest hourly value."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS, time_text
from central_sync.model import HourlyRevision
from central_sync.programs.detail import IN_WORDS, parse_detail
from central_sync.programs.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class HourView:
    """One hourly value as a row of the table; `hour` is on the facility's clock."""

    hour: str
    exact: str
    value: str
    is_provisional: bool
    is_valid: bool
    used: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """One channel as shown; `hours` has the latest first."""

    number: int
    name: str
    facility: str
    parameter: str
    unit_of_measure: str
    system: str
    is_simulated: bool
    offset_minutes: int
    clock: str
    hours: tuple[HourView, ...]


def channel_views(revisions: Iterable[HourlyRevision], plan: Plan) -> list[ChannelView]:
    """Return the channels that have hourly values, by facility and number."""
    by_channel: dict[int, list[HourlyRevision]] = {}
    for one in revisions:
        by_channel.setdefault(one.value.channel, []).append(one)
    views = [_channel(ones, plan) for ones in by_channel.values()]
    return sorted(views, key=lambda view: (view.facility, view.number))


def _channel(revisions: list[HourlyRevision], plan: Plan) -> ChannelView:
    newest = revisions[-1].value
    offset = plan.offset_minutes(newest.facility)
    return ChannelView(
        number=newest.channel,
        name=newest.name,
        facility=newest.facility,
        parameter=newest.parameter,
        # "1" is how dimensionless is written (UCUM); on a page it would look like a number.
        unit_of_measure="" if newest.unit_of_measure == "1" else newest.unit_of_measure,
        system=parse_detail(newest.detail).system,
        is_simulated=newest.is_simulated,
        offset_minutes=offset,
        clock=clock_words(offset),
        hours=tuple(_hour(one, offset) for one in reversed(revisions)),
    )


def _hour(revision: HourlyRevision, offset_minutes: int) -> HourView:
    value = revision.value
    detail = parse_detail(value.detail)
    local_ns = value.hour_ns + offset_minutes * MINUTE_NS
    remarks = [
        words
        for words in (
            "provisional" if value.is_provisional else "",
            "time uncertain" if detail.time_uncertain else "",
            IN_WORDS[detail.no_value] if detail.no_value is not None else "",
            f"revision {revision.revision}" if revision.revision > 1 else "",
        )
        if words
    ]
    return HourView(
        hour=_hour_words(local_ns),
        exact=time_text(value.hour_ns),
        value=shown_number(value.value),
        is_provisional=value.is_provisional,
        is_valid=value.is_valid,
        used=f"{value.used_count:,} of {value.reading_count:,}",
        remark="; ".join(remarks),
    )


def _hour_words(local_ns: int) -> str:
    """Return `11-20 10:00-11:00`: month and day, start and end, with a dash between them."""
    day, start = time_text(local_ns)[5:16].split("T")
    return f"{day} {start}\N{EN DASH}{time_text(local_ns + HOUR_NS)[11:16]}"


def clock_words(offset_minutes: int) -> str:
    """Return a facility's clock in words."""
    if offset_minutes == 0:
        return "UTC"
    sign = "+" if offset_minutes > 0 else "\N{MINUS SIGN}"
    hours, minutes = divmod(abs(offset_minutes), 60)
    return f"local standard time, UTC{sign}{hours:02}:{minutes:02}"


def shown_number(value: str | None) -> str:
    """Return a decimal text with its thousands set apart; `none` where there is none."""
    return "none" if value is None else format(Decimal(value), ",f")
