"""The front panel beside the readings: what a technician saw there, and so stands for.

Nothing that a document leaves open is settled without a value that the panel shows as well.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.vocabulary import ConfirmedKey, Role
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.candidates import Candidate, open_keys
from edge_agent.technician.drafting import Stated
from edge_agent.technician.evidence import Evidence
from edge_agent.technician.person import Person, agrees, answer
from edge_agent.technician.presenting import Shown, shown, table
from edge_agent.technician.reporting import verdict, ways_in_words
from edge_agent.technician.subject import Subject
from edge_agent.technician.trying import Trial, tried

ValueT = TypeVar("ValueT")

SCANS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """What was read off the front panel, by channel.

    Attributes:
        values: in the unit of measure of the channel.
        units: the unit of measure that it shows.

    """

    values: Mapping[int, Decimal]
    units: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What is known of a device after somebody has looked at it.

    Attributes:
        way: how it is read.
        readings: the last ones.
        stated: what the technician stands for.

    """

    way: Candidate
    readings: tuple[Shown, ...]
    stated: tuple[Stated, ...]


def panel_of(values: Sequence[str], units: Sequence[str], subject: Subject) -> Panel:
    """Return what flags say of the front panel; each is POINT=VALUE.

    Raises:
        OperatorError: there is no such point, or no number.

    """
    return Panel(
        values=dict(_pair("--panel", word, subject, Decimal) for word in values),
        units=dict(_pair("--panel-unit", word, subject, str) for word in units),
    )


def settled(
    subject: Subject, panel: Panel, person: Person, *, who: str | None, clock: Clock
) -> Settled:
    """Return what a look at a device and at its front panel settles.

    Raises:
        OperatorError: the device does not answer, or the panel shows something else, or nobody has
            said what only the panel can.

    """
    is_open = bool(open_keys(subject.settings, subject.profile))
    count = SCANS if is_open else 1
    trial = asyncio.run(tried(subject, count=count, panel=panel.values, clock=clock))
    _show(trial, person)
    if person.is_there and not panel.values:
        panel = replace(panel, values=_asked_values(subject, person))
        if panel.values:  # readings go on: hold the panel against what is read now
            trial = asyncio.run(tried(subject, count=count, panel=panel.values, clock=clock))
            _show(trial, person)
    if is_open and not panel.values:
        raise OperatorError(
            "nothing was compared with the front panel, and the documents do not say "
            f"{' and '.join(open_keys(subject.settings, subject.profile))}. "
            "Read a value off it and say --panel POINT=VALUE",
            exit_code=ExitCode.USAGE,
        )
    if not any(look.scans for look in trial.looks.values()):
        raise OperatorError(
            f"{'; '.join(trial.looks[trial.best].faults)}. {_sentence(verdict(trial))}. "
            "Nothing was written",
            exit_code=ExitCode.BAD_DATA,
        )
    way = _chosen(trial, person)
    evidence = next(one for one in trial.evidence if one.way == way)
    _compare(evidence, panel, subject, person)
    readings = shown(subject.device(way), trial.looks[way].scans)
    units = _confirmed_units(subject, panel, person)
    facts = (*_about_values(subject, way, readings, panel), *units)
    by = (who or answer(person, "Who are you?", flag="--who")) if facts else ""
    at = f"{datetime.fromtimestamp(clock.now().utc_ns // NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
    stated = tuple(
        Stated(what=what, channels=channels, who=by, at=at, how=how)
        for what, channels, how in facts
    )
    return Settled(way=way, readings=readings, stated=stated)


def _show(trial: Trial, person: Person) -> None:
    if len(trial.evidence) > 1:
        person.tell(f"{ways_in_words(trial)}\n\n{verdict(trial)}\n")
    look = trial.looks[trial.best]
    if look.scans:
        person.tell(table(shown(trial.subject.device(trial.best), look.scans)) + "\n")
    for fault in look.faults:
        person.tell(f"  {fault}")


def _asked_values(subject: Subject, person: Person) -> dict[int, Decimal]:
    """Ask for one value: more would have changed before they were typed."""
    told = ", ".join(
        channel.name
        for channel in subject.settings.channels
        if (point := subject.profile.point(channel.point)) and point.role is Role.MEASUREMENT
    )
    said = person.ask(
        f"What does the front panel show now? NAME=VALUE, of {told} (nothing: cannot see it) "
    )
    return dict([_pair("--panel", said, subject, Decimal)]) if said else {}


def _chosen(trial: Trial, person: Person) -> Candidate:
    if trial.decided is not None:
        return trial.decided
    ways = {str(one.way): one.way for one in trial.evidence}
    told = verdict(trial)
    if not person.is_there:
        raise OperatorError(f"{_sentence(told)}. Nothing was written")
    said = answer(person, f"Which way is it? {', '.join(ways)}:", flag="--set")
    if said not in ways:
        raise OperatorError(f"'{said}' is none of them. Nothing was written")
    return ways[said]


def _compare(evidence: Evidence, panel: Panel, subject: Subject, person: Person) -> None:
    """Return if the panel shows what is read, or somebody takes it although it does not."""
    if not evidence.missed_panel_count:
        return
    points = subject.point_of
    told = "; ".join(
        f"{points[channel]}: the panel shows {value}, the gateway reads {evidence.values[channel]}"
        for channel, value in panel.values.items()
    )
    if evidence.panel_count or not agrees(person, f"{told}. Is that the same value?"):
        raise OperatorError(
            f"{told}. Compare point, unit of measure and scale; `edge-agent probe --doubt` tries "
            "other word orders and addresses. Nothing was written",
            exit_code=ExitCode.BAD_DATA,
        )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _confirmed_units(
    subject: Subject, panel: Panel, person: Person
) -> list[tuple[ConfirmedKey, tuple[int, ...], str]]:
    """Return what the panel shows as units, where people can change them there."""
    facts: list[tuple[ConfirmedKey, tuple[int, ...], str]] = []
    by_unit: dict[str, list[int]] = {}
    for channel in subject.settings.channels:
        point = subject.profile.point(channel.point)
        if point is not None and point.unit_is_selectable:
            unit = channel.unit_of_measure or point.unit_of_measure or ""
            by_unit.setdefault(unit, []).append(channel.number)
    for unit, channels in by_unit.items():
        seen = {panel.units.get(number) for number in channels}
        if seen == {None}:
            names = ", ".join(subject.point_of[number] for number in channels)
            if agrees(person, f"Does the front panel show {unit} for {names}?"):
                seen = {unit}
        if seen != {unit}:
            raise OperatorError(
                f"{', '.join(subject.point_of[number] for number in channels)}: people can change "
                f"the unit at the device, and nobody has seen {unit} on its front panel. Say "
                f"--panel-unit POINT={unit} for each, or set the device to it",
                exit_code=ExitCode.USAGE,
            )
        how = f"the front panel shows {unit}"
        facts.append((ConfirmedKey.UNIT_OF_MEASURE, tuple(channels), how))
    return facts


def _about_values(
    subject: Subject, way: Candidate, readings: Sequence[Shown], panel: Panel
) -> list[tuple[ConfirmedKey, tuple[int, ...], str]]:
    rows = {row.channel: row for row in readings}
    compared = [
        (channel, f"panel {value}, read {rows[channel].value} {rows[channel].unit_of_measure}")
        for channel, value in panel.values.items()
    ]
    if not compared:
        return []
    channel, how = compared[0]
    where = f"{subject.point_of[channel]}: {how}"
    settles = ((ConfirmedKey.ADDRESSING, way.addressing), (ConfirmedKey.WORD_ORDER, way.word_order))
    return [
        *((key, (), where) for key, word in settles if word is not None),
        *((ConfirmedKey.READING, (number,), how) for number, how in compared),
    ]


def _pair(
    flag: str, word: str, subject: Subject, read: Callable[[str], ValueT]
) -> tuple[int, ValueT]:
    channels = {point: number for number, point in subject.point_of.items()}
    names = {channel.name: channel.number for channel in subject.settings.channels}
    point, _, text = word.partition("=")
    try:
        return (names | channels)[point.strip()], read(text.strip())
    except (KeyError, InvalidOperation) as error:
        raise OperatorError(
            f"{flag} {word}: write POINT=VALUE with one of {', '.join(channels)}",
            exit_code=ExitCode.USAGE,
        ) from error
