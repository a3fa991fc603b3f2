"""`edge-agent apply`: let the running agent take the files of the configuration, on probation.

The files are read here first, so that mistakes are told before the agent hears of them. Nothing is
written: the agent itself keeps the files that it runs, and goes back to them by itself.
"""

import argparse
import json
import os
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import Final

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.editions import unpacked
from edge_agent.config.kept import Kept
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.plan import ConfigurationError, Device, Plan
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.asking import asked
from edge_agent.technician.differences import Difference, Kind, differences
from edge_agent.technician.outcome import InForce, Outcome, in_force, outcome_of
from edge_agent.technician.service import reload_agent

LOOK_S: Final = 0.25
RELOAD_LIMIT_S: Final = 120.0
# The probation of a slow device takes four of its polls, an hour each at most.
PROBATION_LIMIT_S: Final = 5 * 3600.0
NOT_RUNNING: Final = (
    "the agent is not running: it reads the files when it starts. "
    "Start it: systemctl start edge-agent, or edge-agent run"
)
REFUSED: Final = "refused"
MARKS: Final = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~", Kind.UNCHANGED: " "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """The files as they are, and what runs now; None where no agent does."""

    config: Path
    plan: Plan
    running: InForce | None

    @property
    def is_in_force(self) -> bool:
        """Whether the agent runs these files already."""
        return self.running is not None and self.running.edition == self.plan.edition


def main(arguments: Sequence[str]) -> int:
    """Show what changes and, unless it is a dry run, apply it; return the exit code.

    Raises:
        OperatorError: the files cannot run, or the agent cannot be reached.

    """
    known = _parser().parse_args(arguments)
    try:
        plan = load_plan(known.config, environ=os.environ, overrides={})
    except ConfigurationError as error:
        return _refused(error, as_json=known.json)
    require_libraries({device.protocol for device in plan.devices})
    candidate = Candidate(config=known.config, plan=plan, running=_running(plan))
    found = differences(_devices_before(candidate), plan.devices)
    if not known.json:
        print("\n".join(_in_words(candidate, found)), flush=True)
    outcome = Outcome(word="dry run", text="nothing was applied")
    if not known.dry_run:
        outcome = _applied(candidate, wait=known.wait)
    print(json.dumps(_facts(candidate, found, outcome)) if known.json else outcome.text)
    return outcome.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent apply", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("--wait", action="store_true", help="until the probation is over")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser


def _refused(error: ConfigurationError, *, as_json: bool) -> int:
    """Tell, file by file, why nothing can be applied."""
    by_file: dict[str, list[str]] = {}
    for problem in error.found:
        by_file.setdefault(problem.file, []).append(str(problem))
    if as_json:
        refused = [
            {"file": file, "kind": REFUSED, "details": told} for file, told in by_file.items()
        ]
        facts = {"outcome": REFUSED, "problems": list(error.problems), "files": refused}
        print(json.dumps(facts))
        return error.exit_code
    for file, told in by_file.items():
        print(f"! {file}: {REFUSED}")
        print("\n".join(f"    {line}" for line in told))
    print("nothing was applied")
    return error.exit_code


def _running(plan: Plan) -> InForce | None:
    status = asked(plan.settings.health.socket)
    try:
        return None if status is None else in_force(status)
    except ValueError as fault:
        raise OperatorError(str(fault), exit_code=ExitCode.UNAVAILABLE) from fault


def _devices_before(candidate: Candidate) -> Sequence[Device]:
    """Return the devices that run, or ran last; none where their files are not kept.

    Raises:
        OperatorError: this user may not look.

    """
    kept = Kept.of(candidate.plan.settings)
    if candidate.is_in_force:
        return candidate.plan.devices
    try:
        running = candidate.running
        edition = kept.record().accepted if running is None else running.edition
        with (
            suppress(FileNotFoundError, tarfile.TarError, ConfigurationError),
            unpacked(kept, edition) as folder,
        ):
            before = load_plan(candidate.config, environ=os.environ, overrides={}, folder=folder)
            return before.devices
    except PermissionError as fault:
        raise OperatorError(
            f"{kept.folder}: this user may not look there. Use the agent's user, or sudo",
            exit_code=ExitCode.PERMISSION,
        ) from fault
    return ()


def _applied(candidate: Candidate, *, wait: bool) -> Outcome:
    """Let the agent read the files; return what came of it.

    Raises:
        OperatorError: it does not run, may not be told, or does not get done with it.

    """
    path, before = candidate.plan.settings.health.socket, candidate.running
    if path is None or before is None:
        raise OperatorError(NOT_RUNNING, exit_code=ExitCode.UNAVAILABLE)
    if candidate.is_in_force and not (before.rolled_back or before.problems):
        before = replace(before, reloads=before.reloads - 1)
    else:
        reload_agent(path)
    clock = SystemClock()
    limit_s = PROBATION_LIMIT_S if wait else RELOAD_LIMIT_S
    until_ns = clock.now().mono_ns + round(limit_s * NS_PER_S)
    while clock.now().mono_ns < until_ns:
        now = _running(candidate.plan)
        if now is None:
            raise OperatorError(
                "the agent stopped meanwhile. Look at its log", exit_code=ExitCode.UNAVAILABLE
            )
        outcome = outcome_of(before, now, edition=candidate.plan.edition, wait=wait)
        if outcome is not None:
            return outcome
        Event().wait(LOOK_S)
    raise OperatorError(
        f"no end after {limit_s:g} s. Look at `edge-agent status`", exit_code=ExitCode.TRY_AGAIN
    )


def _facts(
    candidate: Candidate, found: Sequence[Difference], outcome: Outcome
) -> dict[str, object]:
    plan, running = candidate.plan, candidate.running
    return {
        "outcome": outcome.word,
        "problems": list(outcome.problems),
        "edition": plan.edition,
        "config_hash": plan.config_hash.hex(),
        "running_edition": None if running is None else running.edition,
        "running_hash": None if running is None else running.config_hash,
        "devices": [asdict(one) for one in found],
    }


def _in_words(candidate: Candidate, found: Sequence[Difference]) -> Iterator[str]:
    plan, running = candidate.plan, candidate.running
    if running is None:
        yield "the agent is not running; compared with what ran last"
    else:
        yield f"running  {running.config_hash[:16]}  files {running.edition[:16]}"
    yield f"new      {plan.config_hash.hex()[:16]}  files {plan.edition[:16]}"
    for one in found:
        if one.kind is not Kind.UNCHANGED or one.reconnects:
            note = ", connects anew" if one.reconnects else ""
            yield f"{MARKS[one.kind]} {one.name}: {one.kind}{note}"
        yield from (f"    {line}" for line in one.details)
    counts = Counter(one.kind for one in found)
    yield ", ".join(f"{counts[kind]} {kind}" for kind in Kind)
    if running is not None and _is_newer(candidate.config, running.started_ns):
        yield (
            "note: agent.toml was written after the agent started: "
            "a change in it takes a restart, and apply is refused until then"
        )


def _is_newer(path: Path, at_ns: int) -> bool:
    try:
        return path.stat().st_mtime_ns > at_ns
    except OSError:
        return False
