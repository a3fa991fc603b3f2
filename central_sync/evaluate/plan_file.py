"""Reads plan.toml into a Plan, and says every problem in it at once.

The file is the operator's: facilities, their offset from UTC, units, and monitoring systems.
Times of day without a zone are UTC.
"""

import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from uuid import UUID

from cattrs import Converter, transform_error
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn, override

from central_sync.calc.clock_hours import SECOND_NS
from central_sync.config import ExitCode, OperatorError
from central_sync.programs.part75 import REPORTED
from central_sync.programs.plan import (
    Assignment,
    Facility,
    MonitoringSystem,
    Operating,
    Plan,
    Unit,
)

SMALLEST_OFFSET_MINUTES: Final = -12 * 60
LARGEST_OFFSET_MINUTES: Final = 14 * 60
OFFSET_STEP_MINUTES: Final = 15
"""Every civil clock differs from UTC by quarter-hours within these (IANA time zone database)."""


def load_plan(path: Path) -> Plan:
    """Return the plan in a file; an empty plan when there is no such file.

    Raises:
        OperatorError: it cannot be read, or something in it cannot be true; all problems at once.

    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except FileNotFoundError:
        return Plan()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _refusal(path, [f"cannot be read as TOML: {error}"]) from error
    try:
        plan = _converter().structure(document, Plan)
    except BaseValidationError as error:
        told = transform_error(error, path="plan", format_exception=_sentence)
        raise _refusal(path, told) from error
    problems = [problem for place in plan.facilities for problem in _problems(place)]
    problems += [f"{one}: a facility is named twice" for one in _twice(plan.facilities)]
    if problems:
        raise _refusal(path, problems)
    return plan


def _refusal(path: Path, problems: list[str]) -> OperatorError:
    told = [f"{path}: {problem}" for problem in problems]
    return OperatorError(*told, exit_code=ExitCode.CONFIGURATION)


def _sentence(fault: BaseException, _: type | None) -> str:
    match fault:
        case ForbiddenExtraKeysError():
            return "; ".join(_unknown(key, fault.cl) for key in sorted(fault.extra_fields))
        case KeyError():
            return f"{fault.args[0]} is missing"
        case _:
            return str(fault)


def _unknown(key: str, kind: type) -> str:
    known = ["from" if field.name == "from_ns" else field.name for field in fields(kind)]
    close = get_close_matches(key, known, n=1)
    return f"{key}: unknown key" + (f". Did you mean {close[0]!r}?" if close else "")


def _problems(place: Facility) -> Iterator[str]:
    """Yield what cannot be true of one facility."""
    offset, where = place.utc_offset_minutes, f"facility {place.id}"
    if not SMALLEST_OFFSET_MINUTES <= offset <= LARGEST_OFFSET_MINUTES:
        yield f"{where}: utc_offset_minutes {offset} is no clock on Earth: minutes, east positive"
    if offset % OFFSET_STEP_MINUTES:
        yield f"{where}: utc_offset_minutes {offset} must be a multiple of {OFFSET_STEP_MINUTES}"
    yield from (f"{where}: unit {one} is named twice" for one in _twice(place.units))
    yield from (f"{where}: system {one} is named twice" for one in _twice(place.systems))
    units = {unit.id: unit for unit in place.units}
    for system in place.systems:
        here = f"{where}, system {system.id}"
        if system.parameter not in REPORTED:
            yield f"{here}: parameter {system.parameter!r} must be one of {', '.join(REPORTED)}"
        if system.unit not in units:
            yield f"{here}: there is no unit {system.unit!r}; known: {', '.join(units) or 'none'}"
            continue
        operating = units[system.unit].operating
        elsewhere = {one.gateway for one in system.channels} - {getattr(operating, "gateway", None)}
        if operating is not None and elsewhere:
            yield f"{here}: the operating channel of its unit must be on the same gateway"


def _twice(named: tuple[Facility | Unit | MonitoringSystem, ...]) -> list[str]:
    counts = Counter(one.id for one in named)
    return [name for name, count in counts.items() if count > 1]


def _converter() -> Converter:
    """Return what makes plan classes of TOML tables; unknown keys are problems."""
    converter = Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook(UUID, lambda value, _: UUID(str(value)))
    converter.register_structure_hook(Decimal, lambda value, _: _decimal(value))
    converter.register_structure_hook(str, lambda value, _: _text(value))
    converter.register_structure_hook(int, lambda value, _: _whole(value))
    from_key = override(rename="from", struct_hook=lambda value, _: _utc_ns(value))
    converter.register_structure_hook(
        Assignment, make_dict_structure_fn(Assignment, converter, from_ns=from_key)
    )
    for kind in (Operating, Unit, MonitoringSystem, Facility, Plan):
        converter.register_structure_hook(kind, make_dict_structure_fn(kind, converter))
    return converter


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} must be text in quotation marks")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} must be a whole number")  # noqa: TRY004 - cattrs words it
    return value


def _decimal(value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} must be a decimal number") from error
    if not number.is_finite():
        raise ValueError(f"{value!r} must be a finite number")
    return number


def _utc_ns(value: object) -> int:
    """Return the UTC ns of a TOML date or date-time."""
    if not isinstance(value, date):
        raise ValueError(f"{value!r} must be a date, like 2026-11-20")  # noqa: TRY004 - as above
    moment = value if isinstance(value, datetime) else datetime.combine(value, time())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * SECOND_NS
