"""The hourly values of one gateway, from what its readings add up to.

One value a channel, of the facilities whose clock hour begins at the start of the tally.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS, MINUTES, QUADRANTS
from central_sync.calc.hourly import KERNEL, Hours, hourly
from central_sync.calc.operating import OperatingSource, operating_assumed, operating_by_channel
from central_sync.calc.rounding import common_resolution, rounded_text
from central_sync.model import HourlyValue
from central_sync.programs.detail import Detail, NoValue, parse_detail
from central_sync.programs.hashes import input_hash, output_hash, parameter_hash
from central_sync.programs.part75 import REPORTED, is_valid
from central_sync.programs.plan import Role
from central_sync.programs.tally import Tallied
from edge_agent.wire.vocabulary import NO_HASH, BoolArray, Int64Array

TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Series:
    """The cells of one channel in one hour, made one; `hours` has shape (1,)."""

    places: Sequence[int]
    role: Role
    hours: Hours
    source: OperatingSource
    total: Fraction
    resolution: Fraction


def hourly_values(tallied: Tallied, *, is_provisional: bool) -> tuple[HourlyValue, ...]:
    """Return the value of every channel, by rising number.

    A provisional hour is known up to the minute of the gateway's newest row.
    """
    passed = tallied.newest_minute + 1 if is_provisional else MINUTES
    operating, sources = _operating(tallied, passed_minutes=passed)
    hours = hourly(tallied.minutes, operating)
    by_channel: dict[int, list[int]] = {}
    for place, (cell, role) in enumerate(zip(tallied.cells, tallied.roles, strict=True)):
        begins_here = (tallied.start_ns + role.utc_offset_minutes * MINUTE_NS) % HOUR_NS == 0
        if begins_here and cell.config_hash in tallied.config_hashes:
            by_channel.setdefault(cell.channel.channel, []).append(place)
    series = (_series(tallied, places, hours, sources) for _, places in sorted(by_channel.items()))
    return tuple(_value(tallied, one, is_provisional=is_provisional) for one in series)


def withdrawn(value: HourlyValue, tallied: Tallied) -> HourlyValue:
    """Return what becomes of a value whose readings are no longer of its hour.

    Their time was set right since it was computed (docs/calculations.md section 9).
    """
    before = parse_detail(value.detail)
    nothing = [0] * QUADRANTS
    detail = replace(
        before,
        operating_source=OperatingSource.ASSUMED,
        operating_minutes=nothing,
        used=nothing,
        checks=0,
        untrusted=0,
        corrected=0,
        time_uncertain=False,
        no_value=NoValue.MOVED,
    )
    empty = replace(
        value,
        value=None,
        total=0,
        reading_count=0,
        used_count=0,
        quadrants=0,
        is_valid=False,
        is_provisional=False,
        input_hash=input_hash(tallied.gateway_id, tallied.start_ns, tallied.batch_hashes),
        kernel=KERNEL,
        detail=detail.text,
    )
    return replace(empty, output_hash=output_hash(empty))


def _operating(tallied: Tallied, *, passed_minutes: int) -> tuple[BoolArray, list[OperatingSource]]:
    """Return the operating minutes of each cell's unit, (cells, 60), and who says so."""
    operating = np.zeros((len(tallied.cells), MINUTES), np.bool_)
    sources = [OperatingSource.ASSUMED] * len(tallied.cells)
    by_unit: dict[tuple[str, str], list[int]] = {}
    for place, role in enumerate(tallied.roles):
        by_unit.setdefault((role.facility, role.unit.id), []).append(place)
    for places in by_unit.values():
        speaking = [place for place in places if _is_operating_channel(tallied, place)]
        spoken = _any_of(tallied.minutes.used[speaking])
        if spoken.any():
            operating[places] = operating_by_channel(
                spoken,
                _any_of(tallied.minutes.above[speaking]),
                passed_minutes=passed_minutes,
                line_begins_here=tallied.line_begins_here,
            )
        else:
            has_rows = _any_of(tallied.minutes.rows[places])
            operating[places] = operating_assumed(has_rows, passed_minutes=passed_minutes)
        for place in places:
            sources[place] = OperatingSource.CHANNEL if spoken.any() else OperatingSource.ASSUMED
    return operating, sources


def _any_of(counts: Int64Array) -> BoolArray:
    """Return the minutes in which any series counts something: (cells, 60) to (60,)."""
    found: BoolArray = np.any(counts > 0, axis=0)
    return found


def _is_operating_channel(tallied: Tallied, place: int) -> bool:
    operating = tallied.roles[place].unit.operating
    return operating is not None and (operating.gateway, operating.channel) == (
        tallied.gateway_id,
        tallied.cells[place].channel.channel,
    )


def _series(
    tallied: Tallied, places: list[int], hours: Hours, sources: list[OperatingSource]
) -> _Series:
    """Return the cells of one channel as one; those without a row do not count if one has some."""
    filled = [place for place in places if hours.rows[place] > 0] or places[:1]
    resolution = common_resolution([tallied.cells[place].resolution for place in filled])
    total = sum(
        (int(hours.total[place]) * tallied.cells[place].resolution for place in filled),
        start=Fraction(0),
    )
    return _Series(
        places=filled,
        role=tallied.roles[filled[0]],
        hours=hours.combined(filled),
        source=sources[filled[0]],
        total=total,
        resolution=resolution,
    )


def _value(tallied: Tallied, series: _Series, *, is_provisional: bool) -> HourlyValue:
    cells = [tallied.cells[place] for place in series.places]
    channel = cells[0].channel
    used = series.hours.used[0]
    used_count = int(used.sum())
    quantum, no_value = _judged(tallied, series)
    detail = Detail(
        unit=series.role.unit.id,
        system="" if series.role.system is None else series.role.system.id,
        operating_source=series.source,
        operating_minutes=[int(count) for count in series.hours.operating_minutes[0]],
        used=[int(count) for count in used],
        checks=int(series.hours.checks[0]),
        untrusted=int(tallied.untrusted[series.places].sum()),
        corrected=int(tallied.corrected[series.places].sum()),
        time_uncertain=bool(tallied.uncertain[series.places].any()),
        resolution=str(series.resolution),
        quantum=format(quantum, "f"),
        no_value=no_value,
    )
    value = HourlyValue(
        gateway_id=tallied.gateway_id,
        facility=channel.facility,
        channel=channel.channel,
        name=channel.name,
        parameter=channel.parameter,
        unit_of_measure=channel.unit_of_measure,
        hour_ns=tallied.start_ns,
        value=None if no_value else rounded_text(series.total / used_count, quantum),
        total=int(series.total / series.resolution),
        reading_count=int(series.hours.rows[0]),
        used_count=used_count,
        quadrants=sum(1 << quadrant for quadrant in range(len(used)) if used[quadrant] > 0),
        is_valid=no_value is None,
        is_provisional=is_provisional,
        is_simulated=any(cell.is_simulated for cell in cells)
        or bool(tallied.simulated[series.places].any()),
        input_hash=input_hash(tallied.gateway_id, tallied.start_ns, tallied.batch_hashes),
        parameter_hash=parameter_hash(series.role, [cell.config_hash for cell in cells]),
        kernel=KERNEL,
        detail=detail.text,
        output_hash=NO_HASH,
    )
    return replace(value, output_hash=output_hash(value))


def _judged(tallied: Tallied, series: _Series) -> tuple[Decimal, NoValue | None]:
    """Return what the value is rounded to, and why there is none."""
    channels = [tallied.cells[place].channel for place in series.places]
    meanings = {(one.facility, one.name, one.parameter, one.unit_of_measure) for one in channels}
    code = None if series.role.system is None else REPORTED.get(series.role.system.parameter)
    quantum = min(Decimal(one.resolution) for one in channels) * TENTH
    if code is not None:
        quantum = code.quantum
    if not series.hours.operating_minutes.any():
        return quantum, NoValue.NOT_OPERATING
    if len(meanings) > 1:
        return quantum, NoValue.CHANGED
    if code is not None and code.unit_of_measure != channels[0].unit_of_measure:
        return quantum, NoValue.UNIT_OF_MEASURE
    if not series.hours.is_exact[0]:
        return quantum, NoValue.TOO_MANY
    return quantum, None if is_valid(series.hours)[0] else NoValue.QUADRANT
