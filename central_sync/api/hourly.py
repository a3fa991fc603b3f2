"""GET /v1/hourly: hourly values as they stand, each with how it came about and what pins it.

Numbers that a report may carry are decimal text: no JSON reader can round them.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from central_sync.api.problem import ProblemError
from central_sync.calc.clock_hours import DAY_NS, HOUR_NS, parse_time, time_text
from central_sync.model import HourlyRevision
from central_sync.programs.detail import IN_WORDS, parse_detail
from central_sync.store.port import NowNs, Store

LONGEST_RANGE_NS: Final = 31 * DAY_NS
LARGEST_PAGE: Final = 1000
CHANNEL_NUMBER: Final = re.compile("[0-9]{1,10}")

Key = tuple[int, str, int]
"""Where a value stands in the order of the list: hour (UTC ns), gateway, channel."""


class OperatingDocument(BaseModel):
    """When the unit operated: who says so, and minutes by quarter of the hour."""

    source: str
    minutes: list[int]


class ReadingsDocument(BaseModel):
    """How many readings there were, and how many were used, by quarter of the hour."""

    received: int
    used: int
    used_by_quadrant: list[int]
    calibration: int
    clock_not_trusted: int
    clock_corrected: int


class HashesDocument(BaseModel):
    """What pins the value (docs/calculations.md section 6), SHA-256 in hex."""

    input: str
    parameters: str
    output: str


class HourlyDocument(BaseModel):
    """One hourly value; `sum` counts steps of `resolution`, `reason` says why there is none."""

    facility: str
    gateway: UUID
    channel: int
    name: str
    parameter: str
    unit: str
    monitoring_system: str
    hour: str
    value: str | None
    unit_of_measure: str
    reason: str | None
    is_valid: bool
    is_provisional: bool
    is_simulated: bool
    is_time_uncertain: bool
    operating: OperatingDocument
    readings: ReadingsDocument
    sum: str
    resolution: str
    rounded_to: str
    revision: int
    computed: str
    kernel: str
    hashes: HashesDocument


class HourlyPage(BaseModel):
    """Values by hour, gateway and channel; `next` is the next page's cursor, null at the end."""

    values: list[HourlyDocument]
    next: str | None


def router(store: Store, now_ns: NowNs) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1")

    @routes.get("/hourly")
    def hourly(
        facility: str | None = None,
        channel: str | None = None,
        from_: Annotated[str | None, Query(alias="from")] = None,
        to: str | None = None,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = 100,
        cursor: str | None = None,
    ) -> HourlyPage:
        """Return current values; `channel` is a name or a number; without times, the last day."""
        from_ns, to_ns = _range(from_, to, now_ns())
        number = _number(channel)
        after = _key_of_cursor(cursor)
        found = [
            one
            for one in store.hourly(facility=facility, channel=number, from_ns=from_ns, to_ns=to_ns)
            if (channel is None or number is not None or one.value.name == channel)
            and (after is None or _key(one) > after)
        ]
        return _page(found, limit)

    return routes


def hourly_document(revision: HourlyRevision) -> HourlyDocument:
    """Return one value as it is shown over HTTP and by commands with --json."""
    value = revision.value
    detail = parse_detail(value.detail)
    return HourlyDocument(
        facility=value.facility,
        gateway=value.gateway_id,
        channel=value.channel,
        name=value.name,
        parameter=value.parameter,
        unit=detail.unit,
        monitoring_system=detail.system,
        hour=time_text(value.hour_ns),
        value=value.value,
        unit_of_measure=value.unit_of_measure,
        reason=None if detail.no_value is None else IN_WORDS[detail.no_value],
        is_valid=value.is_valid,
        is_provisional=value.is_provisional,
        is_simulated=value.is_simulated,
        is_time_uncertain=detail.time_uncertain,
        operating=OperatingDocument(
            source=detail.operating_source, minutes=list(detail.operating_minutes)
        ),
        readings=ReadingsDocument(
            received=value.reading_count,
            used=value.used_count,
            used_by_quadrant=list(detail.used),
            calibration=detail.checks,
            clock_not_trusted=detail.untrusted,
            clock_corrected=detail.corrected,
        ),
        sum=str(value.total),
        resolution=detail.resolution,
        rounded_to=detail.quantum,
        revision=revision.revision,
        computed=time_text(revision.computed_ns),
        kernel=value.kernel,
        hashes=HashesDocument(
            input=value.input_hash.hex(),
            parameters=value.parameter_hash.hex(),
            output=value.output_hash.hex(),
        ),
    )


def _page(found: Sequence[HourlyRevision], limit: int) -> HourlyPage:
    shown = found[:limit]
    is_more = len(found) > limit
    return HourlyPage(
        values=[hourly_document(one) for one in shown],
        next=_cursor(_key(shown[-1])) if is_more else None,
    )


def _number(channel: str | None) -> int | None:
    """Return the number that a channel is asked for by; None where it is a name, or none."""
    if channel is None or CHANNEL_NUMBER.fullmatch(channel) is None:
        return None
    return int(channel)


def _range(from_text: str | None, to_text: str | None, now_ns: int) -> tuple[int, int]:
    """Return [from, to) in UTC ns.

    Raises:
        ProblemError: not times, or too far apart.

    """
    try:
        to_ns = now_ns - now_ns % HOUR_NS + HOUR_NS if to_text is None else parse_time(to_text)
        from_ns = to_ns - DAY_NS if from_text is None else parse_time(from_text)
    except ValueError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "parameter", str(error)) from error
    if not 0 <= from_ns + 2**63 < 2**64 > to_ns + 2**63:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "range", "ask for 1678 to 2261")
    if not 0 <= to_ns - from_ns <= LONGEST_RANGE_NS:
        detail = f"from {time_text(from_ns)} to {time_text(to_ns)}: ask for 0 to 31 days"
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "range", detail)
    return from_ns, to_ns


def _key(revision: HourlyRevision) -> Key:
    value = revision.value
    return value.hour_ns, value.gateway_id.hex, value.channel


def _cursor(key: Key) -> str:
    return urlsafe_b64encode(":".join(map(str, key)).encode()).decode().rstrip("=")


def _key_of_cursor(cursor: str | None) -> Key | None:
    """Return the key a cursor stands for.

    Raises:
        ProblemError: nobody was given such a cursor.

    """
    if cursor is None:
        return None
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        hour, gateway, channel = text.split(":")
        return int(hour), gateway, int(channel)
    except ValueError as error:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "cursor", "take the cursor from `next` as it is"
        ) from error
