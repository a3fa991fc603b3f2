"""`edge-agent buffer`: what is stored on this gateway, and whether every byte still verifies."""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from edge_agent.buffer.content import Damaged
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.quarantine import FOLDER, SEEN
from edge_agent.buffer.summary import salvages_of, summary_of
from edge_agent.buffer.verifying import THOROUGH, inspect_file
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.plan import Plan
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import NextKey, load_signing_key
from edge_agent.technician.in_words import told


def main(arguments: Sequence[str]) -> int:
    """Run one action; return the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent buffer", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, says in (
        ("info", "count what is held, and say what became of damaged files"),
        ("verify", "verify every signature, hash and number"),
    ):
        action = actions.add_parser(name, help=says)
        action.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
        action.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    plan = load_plan(known.config, environ=os.environ, overrides={})
    if known.action == "verify":
        return _verify(plan, as_json=known.json)
    path = plan.settings.buffer.path
    _print({**buffer_facts(path), **_quarantines(path)}, as_json=known.json)
    return ExitCode.OK


def _quarantines(path: Path) -> dict[str, str]:
    """Return what became of damaged files, by folder; the alarm about them ends with that."""
    told: dict[str, str] = {}
    for folder, progress in salvages_of(path).items():
        text = (
            f"{progress.step}: {progress.salvaged} batches brought back, {progress.lost} lost,"
            f" {progress.foreign} of another gateway or key"
        )
        try:
            (folder / SEEN).touch()
        except OSError as error:
            text += f". The alarm stays: {error.strerror}; say it as the agent's user, or with sudo"
        told[f"{FOLDER}/{folder.name}"] = text
    return told


def buffer_facts(path: Path) -> dict[str, str | int | None]:
    """Return what a buffer holds, by name.

    Raises:
        OperatorError: there is none, or it cannot be read.

    """
    try:
        summary = summary_of(path)
    except BufferUnavailableError as error:
        raise OperatorError(str(error), exit_code=ExitCode.UNAVAILABLE) from error
    except PermissionError as error:
        raise OperatorError(
            f"{path}: this user may not look there. Use the agent's user, or sudo",
            exit_code=ExitCode.PERMISSION,
        ) from error
    chain = None if summary.chain is None else str(summary.chain)
    return {"path": str(path), **asdict(summary), "chain": chain}


def _verify(plan: Plan, *, as_json: bool) -> int:
    path, gateway = plan.settings.buffer.path, plan.settings.gateway
    facts = buffer_facts(path)
    found = inspect_file(
        path,
        gateway_id=gateway.id,
        key=load_signing_key(gateway.key_file).verifying_key,
        earlier=NextKey(key_file=gateway.key_file).earlier,
        depth=THOROUGH,
    )
    if isinstance(found, Damaged):
        last = None if found.last is None else found.last.header.batch_no
        _print(
            {**facts, "verified": False, "fault": found.what, "last_good": last}, as_json=as_json
        )
        return ExitCode.BAD_DATA
    _print({**facts, "verified": True}, as_json=as_json)
    return ExitCode.OK


def _print(facts: dict[str, str | int | None], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(facts))
        return
    for line in told(facts):
        print(line)
