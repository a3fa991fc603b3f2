"""`edge-agent probe`: one look at a device: raw words, values, quality; and how to read it at all.

Where the profile leaves word order or addressing open, every way is tried and ranked by what is
plausible. Nothing is written, neither to the device nor to a file.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from edge_agent import logs
from edge_agent.clock import SystemClock
from edge_agent.config.library import Library
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.candidates import candidates
from edge_agent.technician.presenting import aligned, shown, table
from edge_agent.technician.subject import (
    Subject,
    configured,
    drafted,
    every_point,
    profile_of,
    told_keys,
)
from edge_agent.technician.trying import Trial, tried
from edge_agent.wire.canonical import JsonValue

SCANS: Final = 10
SHOWN_POINTS: Final = 3


def main(arguments: Sequence[str]) -> int:
    """Look at a device and show it; return the exit code."""
    known = _parser().parse_args(arguments)
    logs.configure("error")
    subject = _subject(known)
    require_libraries({subject.profile.protocol})
    subject = subject.doubted() if known.doubt else subject
    panel = panel_of(known.panel, subject)
    is_open = len(candidates(subject.settings, subject.profile)) > 1
    count = known.scans or (SCANS if is_open else 1)
    trial = asyncio.run(tried(subject, count=count, panel=panel, clock=SystemClock()))
    print(json.dumps(facts(trial)) if known.json else in_words(trial))
    return ExitCode.OK if any(look.scans for look in trial.looks.values()) else ExitCode.FAILURE


def panel_of(words: Sequence[str], subject: Subject) -> Mapping[int, Decimal]:
    """Return what the front panel shows, by channel; given as POINT=VALUE.

    Raises:
        OperatorError: there is no such point, or no number.

    """
    channels = {point: number for number, point in subject.point_of.items()}
    found: dict[int, Decimal] = {}
    for word in words:
        point, _, text = word.partition("=")
        try:
            found[channels[point]] = Decimal(text)
        except (KeyError, InvalidOperation) as error:
            raise OperatorError(
                f"--panel {word}: write POINT=VALUE with one of {', '.join(channels)}",
                exit_code=ExitCode.USAGE,
            ) from error
    return found


def facts(trial: Trial) -> dict[str, JsonValue]:
    """Return a trial for a program."""
    subject, points = trial.subject, trial.subject.point_of
    look = trial.looks[trial.best]
    rows = shown(subject.device(trial.best), look.scans)
    return {
        "endpoint": subject.settings.endpoint,
        "profile": subject.profile.id,
        "decided": None if trial.decided is None else str(trial.decided),
        "ways": [
            {
                "way": str(one.way),
                "distinct": one.distinct_count,
                "plausible": one.plausible_count,
                "refused": one.refused_count,
                "panel": one.panel_count,
            }
            for one in trial.evidence
        ],
        "faults": list(look.faults),
        "readings": [{"point": points[row.channel], **row.facts} for row in rows],
    }


def in_words(trial: Trial) -> str:
    """Return a trial for a person."""
    subject, best = trial.subject, trial.best
    look = trial.looks[best]
    parts = [f"{subject.settings.endpoint}: {subject.profile.id}, {len(look.scans)} scans"]
    parts += [f"  {fault}" for fault in look.faults]
    if len(trial.evidence) > 1:
        parts += ["", ways_in_words(trial), "", verdict(trial), ""]
    if look.scans:
        parts.append(table(shown(subject.device(best), look.scans)))
    return "\n".join(parts)


def ways_in_words(trial: Trial) -> str:
    """Return how well each way fits, the best one first, with a few of its values."""
    points = trial.subject.point_of
    told = [number for number in points if any(one.values[number] for one in trial.evidence)]
    few = told[:SHOWN_POINTS]
    lines = [("way", "plausible", "refused", "panel", *(points[number] for number in few))]
    for one in trial.evidence:
        values = ["-" if one.values[n] is None else f"{one.values[n]:.6g}" for n in few]
        shows = f"{one.panel_count} of {one.panel_count + one.missed_panel_count}"
        plausible = f"{one.plausible_count} of {one.distinct_count}"
        lines.append((str(one.way), plausible, str(one.refused_count), shows, *values))
    return aligned(lines)


def verdict(trial: Trial) -> str:
    """Return what the ways come to, and what a person has to do."""
    if trial.decided is not None:
        return (
            f"only {trial.decided} fits. Compare a value with the front panel, then write it down "
            "with `edge-agent device add` or `device confirm`"
        )
    if not any(look.scans for look in trial.looks.values()):
        return "the device answers, and refuses every address: is it another model, or unit id?"
    alike = [str(way) for way in trial.alike]
    if len(alike) > 1:
        return (
            f"{' and '.join(alike)} give values within 2 % of one another. Look while the values "
            "are others, or compare every digit of a steady value with the front panel"
        )
    return (
        "more than one way fits, or none. Read a value off the front panel and give it with "
        "--panel POINT=VALUE; more --scans tell more"
    )


def _subject(known: argparse.Namespace) -> Subject:
    if "://" not in known.target:
        return configured(known.target, known.config)
    if known.profile is None:
        raise OperatorError(
            f"{known.target}: say with --profile what stands there. `edge-agent profiles list` "
            "shows what is known",
            exit_code=ExitCode.USAGE,
        )
    loaded = profile_of(known.profile, Library.beside(known.config))
    keys = {
        "name": "probe",
        "profile": known.profile,
        "endpoint": known.target,
        "channels": every_point(loaded.profile, known.point),
        **told_keys(known.set),
    }
    return drafted(keys, loaded, "command line")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent probe", description=__doc__)
    parser.add_argument("target", help="name of a device, or an endpoint such as tcp://10.0.5.20")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--profile", help="of the device at an endpoint")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of the device's file, as TOML, such as unit_id=3 or word_order='\"CDAB\"'",
    )
    parser.add_argument(
        "--point", action="append", default=[], help="only this point of the profile; repeatable"
    )
    parser.add_argument(
        "--panel",
        action="append",
        default=[],
        metavar="POINT=VALUE",
        help="what the front panel shows; repeatable",
    )
    parser.add_argument(
        "--doubt",
        action="store_true",
        help="try every word order and addressing, also where the profile says which",
    )
    parser.add_argument("--scans", type=scan_count, help="1 to 100 for each way (default: 1 or 10)")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser


def scan_count(text: str) -> int:
    """Return how many scans are asked for, for argparse."""
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"'{text}': write a number from 1 to 100")
    return int(text)
