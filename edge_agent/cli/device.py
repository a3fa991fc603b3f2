"""`edge-agent device`: add a device with its live values beside the front panel's, or confirm one.

What is written is a file of devices.d, checked with all others before it is put in place. The agent
takes it when it is applied; nothing is ever written to the device.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent import logs
from edge_agent.clock import SystemClock
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.adding import Wish, wished
from edge_agent.technician.candidates import Candidate
from edge_agent.technician.comparing import Panel, Settled, panel_of, settled
from edge_agent.technician.drafting import confirmed_text, device_text
from edge_agent.technician.person import Person, agrees
from edge_agent.technician.placing import Site, put_again, put_new, refuse_problems
from edge_agent.technician.subject import Subject, configured


class Terminal:
    """A person at the terminal; nobody, where the output is for a program."""

    def __init__(self, *, is_there: bool) -> None:
        self.is_there = is_there

    def tell(self, text: str) -> None:
        """Show a text."""
        if self.is_there:
            print(text)

    def ask(self, question: str) -> str:
        """Return the answer to a question; an ended input is none."""
        try:
            return input(question).strip()
        except EOFError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A file that is about to be written."""

    site: Site
    path: Path
    text: str
    is_new: bool
    subject: Subject
    found: Settled | None


def main(arguments: Sequence[str]) -> int:
    """Run one action; return the exit code."""
    known = _parser().parse_args(arguments)
    logs.configure("error")
    person = Terminal(is_there=sys.stdin.isatty() and not (known.json or known.yes))
    site = Site.of(known.config, os.environ)
    draft = (
        _added(known, site, person) if known.action == "add" else _confirmed(known, site, person)
    )
    refuse_problems(site.problems(draft.path, draft.text))
    is_written = not known.dry_run and _is_wanted(draft, person, is_agreed=known.yes)
    if is_written:
        numbers = [channel.number for channel in draft.subject.settings.channels]
        if draft.is_new:
            put_new(site, draft.path, draft.text, numbers)
        else:
            put_again(draft.path, draft.text)
    _report(draft, is_written=is_written, as_json=known.json)
    return ExitCode.OK if is_written or known.dry_run else ExitCode.FAILURE


def _added(known: argparse.Namespace, site: Site, person: Person) -> Draft:
    wish = Wish(
        name=known.name,
        profile=known.profile,
        endpoint=known.endpoint,
        keys=known.set,
        channels=known.channel,
    )
    new = wished(wish, site, person)
    subject = new.subject
    path = site.path_of(subject.settings.name)
    if path.exists() or site.file_of(subject.settings.name):
        raise OperatorError(
            f"{path}: there is a device '{subject.settings.name}' already. Choose another name",
            exit_code=ExitCode.CONFIGURATION,
        )
    found = None if known.offline else _found(known, subject, person)
    keys = {**new.keys, **({} if found is None else _settles(found.way))}
    channels = keys.pop("channels")
    text = device_text({**keys, "channels": channels}, () if found is None else found.stated)
    return Draft(site=site, path=path, text=text, is_new=True, subject=subject, found=found)


def _confirmed(known: argparse.Namespace, site: Site, person: Person) -> Draft:
    subject = configured(known.name, site.agent_toml)
    path = site.file_of(known.name)
    if path is None:
        raise OperatorError(f"there is no device '{known.name}'", exit_code=ExitCode.CONFIGURATION)
    found = _found(known, subject, person)
    if not found.stated:
        raise OperatorError(
            "nothing was compared with the front panel, so there is nothing to confirm. "
            "Say --panel POINT=VALUE",
            exit_code=ExitCode.USAGE,
        )
    text = confirmed_text(path.read_text(encoding="utf-8"), _settles(found.way), found.stated)
    return Draft(site=site, path=path, text=text, is_new=False, subject=subject, found=found)


def _found(known: argparse.Namespace, subject: Subject, person: Person) -> Settled:
    require_libraries({subject.profile.protocol})
    panel: Panel = panel_of(known.panel, known.panel_unit, subject)
    return settled(subject, panel, person, who=known.who, clock=SystemClock())


def _settles(way: Candidate) -> Mapping[str, str]:
    """Return the keys of a device's file that a way answers."""
    said = {"word_order": way.word_order, "addressing": way.addressing}
    return {key: str(word) for key, word in said.items() if word is not None}


def _is_wanted(draft: Draft, person: Person, *, is_agreed: bool) -> bool:
    if is_agreed:
        return True
    person.tell(f"\n{draft.path}:\n\n{draft.text}")
    if not person.is_there:
        raise OperatorError(
            f"{draft.path}: not written, because nobody is at a terminal to agree. Say --yes, or "
            "--dry-run to see it",
            exit_code=ExitCode.USAGE,
        )
    return agrees(person, "Write this?")


def _report(draft: Draft, *, is_written: bool, as_json: bool) -> None:
    found = draft.found
    if not as_json:
        if not is_written:
            print(f"\n{draft.text}\nnothing was written")
            return
        print(f"{draft.path}: written\nnext: edge-agent check, then edge-agent apply")
        return
    facts = {
        "device": draft.subject.settings.name,
        "file": str(draft.path),
        "written": is_written,
        "text": draft.text,
        "channels": {channel.point: channel.number for channel in draft.subject.settings.channels},
        "settled": {} if found is None else dict(_settles(found.way)),
        "confirmations": [] if found is None else [one.table for one in found.stated],
        "readings": [] if found is None else [row.facts for row in found.readings],
    }
    print(json.dumps(facts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent device", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="describe a new device; asks what no flag says")
    add.add_argument("name", nargs="?", metavar="NAME", help="what people are to call it")
    add.add_argument("--profile", help="`edge-agent profiles list` shows what there is")
    add.add_argument("--endpoint", help="where it answers, such as tcp://10.0.5.20:502")
    add.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a key of its file, such as unit_id=3 or broker.client_id=gateway-7; repeatable",
    )
    add.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="POINT[,KEY=VALUE]...",
        help="a point to read, with name, parameter, unit_of_measure, span, ...; repeatable. "
        "Default: every measurement that the site has nothing to say about",
    )
    add.add_argument(
        "--offline", action="store_true", help="do not look at the device; confirm it later"
    )
    confirm = actions.add_parser("confirm", help="compare a device with its front panel")
    confirm.add_argument("name", metavar="NAME", help="of the device")
    for action in (add, confirm):
        action.add_argument(
            "--panel",
            action="append",
            default=[],
            metavar="POINT=VALUE",
            help="a value that the front panel shows; repeatable",
        )
        action.add_argument(
            "--panel-unit",
            action="append",
            default=[],
            metavar="POINT=UNIT",
            help="a unit of measure that the front panel shows; repeatable",
        )
        action.add_argument("--who", help="who looked at the front panel")
        action.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
        action.add_argument("--yes", action="store_true", help="ask nothing, and write")
        action.add_argument("--dry-run", action="store_true", help="show the file; write nothing")
        action.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser
