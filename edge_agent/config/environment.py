"""Settings from the environment and from flags: they stand before what the files say.

Only names and their readers; docs/configuration.md lists the same table, and a test compares them.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from edge_agent.config.finding import COMMAND_LINE, ENVIRONMENT, Finding
from edge_agent.config.model import MEGABYTE
from edge_agent.config.structure import KeyPath, MisfitError

BYTES_PER = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
BYTES_PER |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
SECONDS_PER = {"": 1, "S": 1, "M": 60, "H": 3600, "D": 86_400}

Value = str | int | bool | list[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable of the environment, the setting it stands for, and how its text is read."""

    name: str
    path: KeyPath
    read: Callable[[str], Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value for one setting, and where it was given."""

    origin: str
    name: str
    path: KeyPath
    value: Value


def megabytes(text: str) -> int:
    """Return a size such as 1GB or 512MiB in MB, rounded down."""
    amount, unit = _amount(text, BYTES_PER, "a size with its unit, such as 1GB or 512MiB")
    return amount * BYTES_PER[unit] // MEGABYTE


def seconds(text: str) -> int:
    """Return a duration such as 60s, 15m, 24h or 2d in seconds; without a unit it is seconds."""
    amount, unit = _amount(text, SECONDS_PER, "a whole duration such as 60s, 15m, 24h or 2d")
    return amount * SECONDS_PER[unit]


def _amount(text: str, units: Mapping[str, int], words: str) -> tuple[int, str]:
    match = re.fullmatch(r"([0-9]{1,15}) ?([A-Za-z]*)", text.strip())
    if match is None or match[2].upper() not in units:
        raise MisfitError(f"'{text}' is not {words}", f"write {words}")
    return int(match[1]), match[2].upper()


def _truth(text: str) -> bool:
    words = {"true": True, "false": False}
    if text.strip().lower() not in words:
        raise MisfitError(f"'{text}' is neither true nor false", "write true or false")
    return words[text.strip().lower()]


def _names(text: str) -> list[object]:
    return [name.strip() for name in text.split(",") if name.strip()]


VARIABLES = (
    Variable(name="LOG_LEVEL", path=("log", "level"), read=lambda text: text.strip().lower()),
    Variable(name="FACILITY_IDS", path=("gateway", "facilities"), read=_names),
    Variable(name="LOCAL_BUFFER_SIZE", path=("buffer", "quota_mb"), read=megabytes),
    Variable(name="UPLOAD_INTERVAL", path=("centre", "upload_interval_s"), read=seconds),
    Variable(name="OFFLINE_MODE_DURATION", path=("buffer", "offline_duration_s"), read=seconds),
    Variable(name="USE_CEMS_SIMULATOR", path=("gateway", "simulated"), read=_truth),
)


def given_by(
    environ: Mapping[str, str], overrides: Mapping[str, str | int | bool]
) -> tuple[tuple[Given, ...], tuple[Finding, ...]]:
    """Return the settings that variables and flags give, flags last, and what cannot be read.

    Args:
        environ: the environment; an empty variable counts as absent.
        overrides: dotted setting -> value, such as log.level -> debug.

    """
    given: list[Given] = []
    findings: list[Finding] = []
    for variable in VARIABLES:
        text = environ.get(variable.name, "")
        if not text:
            continue
        try:
            value = variable.read(text)
        except MisfitError as error:
            findings.append(_of_variable(variable.name, error.message, error.remedy))
            continue
        given.append(Given(origin=ENVIRONMENT, name=variable.name, path=variable.path, value=value))
    for name, value in overrides.items():
        path: KeyPath = tuple(name.split("."))
        given.append(Given(origin=COMMAND_LINE, name=name, path=path, value=value))
    return tuple(given), tuple(findings)


def _of_variable(name: str, message: str, remedy: str) -> Finding:
    return Finding(file=ENVIRONMENT, path=(name,), message=message, remedy=remedy)


def overlaid(table: Mapping[str, object], given: Sequence[Given]) -> dict[str, object]:
    """Return the table of a file with the given settings in their places; the last one wins."""
    result = dict(table)
    for one in given:
        section, *rest = one.path
        inner = result.get(str(section), {})
        if not rest:
            result[str(section)] = one.value
        elif isinstance(inner, dict):  # else the file is wrong there and the structure says so
            result[str(section)] = overlaid(inner, [_inside(one)])
    return result


def _inside(given: Given) -> Given:
    return Given(origin=given.origin, name=given.name, path=given.path[1:], value=given.value)


def traced(
    findings: Sequence[Finding], agent_file: str, given: Sequence[Given]
) -> tuple[Finding, ...]:
    """Return findings of agent.toml whose value was given elsewhere as findings of that place."""
    origins = {one.path: one for one in given}
    return tuple(
        replace(finding, file=origin.origin, path=(origin.name,))
        if finding.file == agent_file and (origin := origins.get(finding.path))
        else finding
        for finding in findings
    )
