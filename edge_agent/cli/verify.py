"""`edge-agent verify`: whether the newest batches are signed, in line, without gap or duplicate.

Reads the buffer beside the running agent and changes nothing. What the centre has receipted may be
gone from here already; it is counted as absent and is verified there.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from os import environ
from pathlib import Path
from typing import Final

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.lately import batches_since
from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.environment import seconds
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.plan import Plan
from edge_agent.config.structure import MisfitError
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import load_signing_key
from edge_agent.technician.outcome import at_second
from edge_agent.technician.proof import Proof, Span, proof_of

GAPS_SHOWN: Final = 10
# An open gap is told once an hour (docs/wire-format.md section 10): so far back it is listened.
BEFORE_NS: Final = 3_700 * NS_PER_S
# A gateway without devices has nothing to store.
ENDLESS_S: Final = 1e9
SLACK_S: Final = 5.0


def main(arguments: Sequence[str]) -> int:
    """Verify and count; return 0, 1 where readings are missing or doubled, 65 where bytes are bad.

    Raises:
        OperatorError: the buffer or the key cannot be read.

    """
    parser = argparse.ArgumentParser(prog="edge-agent verify", description=__doc__)
    parser.add_argument("--last", type=_duration, default=900, help="such as 15m, 2h (default 15m)")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    plan = load_plan(known.config, environ=environ, overrides={})
    settings = plan.settings
    key = load_signing_key(settings.gateway.key_file).verifying_key
    now_ns = SystemClock().now().utc_ns
    since_ns = now_ns - known.last * NS_PER_S
    span = Span(since_ns=since_ns, now_ns=now_ns, pause_ns=_longest_pause_ns(plan))
    try:
        batches = batches_since(settings.buffer.path, since_ns - BEFORE_NS)
        found = proof_of(batches, key, span)
    except BufferUnavailableError as error:
        raise OperatorError(str(error), exit_code=ExitCode.UNAVAILABLE) from error
    except PermissionError as error:
        raise OperatorError(
            f"{settings.buffer.path}: this user may not look there. Use the agent's user, or sudo",
            exit_code=ExitCode.PERMISSION,
        ) from error
    if known.json:
        facts = {"since_ns": since_ns, "whole": found.is_whole, **asdict(found)}
        print(json.dumps(facts))
    else:
        print("\n".join(_in_words(found, since_ns)))
    if found.faults:
        return ExitCode.BAD_DATA
    return ExitCode.OK if found.is_whole and found.batches else ExitCode.FAILURE


def _longest_pause_ns(plan: Plan) -> int:
    """Return for how long an agent that runs may store nothing."""
    shortest_s = min((device.period_s for device in plan.devices), default=ENDLESS_S)
    expected_s = max(plan.settings.buffer.commit_interval_s, shortest_s)
    return round((2 * expected_s + SLACK_S) * NS_PER_S)


def _duration(text: str) -> int:
    """Return a duration in seconds, for argparse."""
    try:
        return seconds(text)
    except MisfitError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _in_words(found: Proof, since_ns: int) -> Iterator[str]:
    yield f"since {at_second(since_ns)}"
    if not found.batches:
        yield "  nothing was stored since then: is the agent running?"
        return
    yield f"  batches     {found.batches}, {found.receipted} with the centre's receipt"
    if found.absent:
        yield f"              {found.absent} more were given up against a receipt"
    yield f"  signatures  {f'{len(found.faults)} FAULTS' if found.faults else 'good'}"
    yield from (f"              {fault}" for fault in found.faults[:GAPS_SHOWN])
    yield f"  readings    {found.readings}, {found.compared} compared"
    yield f"  duplicates  {found.duplicates}"
    yield f"  losses      {found.losses}"
    if found.pauses:
        yield f"  pauses      {len(found.pauses)}"
    for begin_ns, end_ns in found.pauses[-GAPS_SHOWN:]:
        yield f"              {at_second(begin_ns)} to {at_second(end_ns)}: nothing was stored"
    yield f"  gaps        {len(found.gaps)}"
    for gap in found.gaps[-GAPS_SHOWN:]:
        until = "still open" if gap.to_ns is None else f"to {at_second(gap.to_ns)}"
        yield (
            f"              {at_second(gap.from_ns)} {until}: {gap.reason},"
            f" {gap.missed} polls of {len(gap.channels)} channels"
        )
    yield "whole" if found.is_whole else "NOT WHOLE"
