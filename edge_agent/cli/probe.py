"""`edge-agent probe`: one look at a device: raw words, values, quality; and how to read it at all.

Where the profile leaves word order or addressing open, every way is tried and ranked by what is
plausible. Nothing is written, neither to the device nor to a file.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from edge_agent import logs
from edge_agent.clock import SystemClock
from edge_agent.config.library import Library
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.candidates import candidates
from edge_agent.technician.comparing import SCANS, panel_of
from edge_agent.technician.presenting import shown, table
from edge_agent.technician.reporting import verdict, ways_in_words
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


def main(arguments: Sequence[str]) -> int:
    """Look at a device and show it; return the exit code."""
    known = _parser().parse_args(arguments)
    logs.configure("error")
    subject = _subject(known)
    require_libraries({subject.profile.protocol})
    subject = subject.doubted() if known.doubt else subject
    panel = panel_of(known.panel, (), subject).values
    is_open = len(candidates(subject.settings, subject.profile)) > 1
    count = known.scans or (SCANS if is_open else 1)
    trial = asyncio.run(tried(subject, count=count, panel=panel, clock=SystemClock()))
    print(json.dumps(facts(trial)) if known.json else in_words(trial))
    return ExitCode.OK if any(look.scans for look in trial.looks.values()) else ExitCode.FAILURE


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
    parts = [f"{subject.settings.endpoint}: {subject.profile.id}, scans: {len(look.scans)}"]
    parts += [f"  {fault}" for fault in look.faults]
    if len(trial.evidence) > 1:
        parts += ["", ways_in_words(trial), "", verdict(trial), ""]
    if look.scans:
        parts.append(table(shown(subject.device(best), look.scans)))
    return "\n".join(parts)


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
        help="a key of the device's file, such as unit_id=3 or word_order=CDAB",
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
