"""`edge-agent status`: what the running agent says of itself, or else what its buffer holds.

A configuration that cannot run is told, and is no reason to say nothing else.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent.cli.buffer import buffer_facts
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.asking import asked
from edge_agent.technician.in_words import in_words, told
from edge_agent.technician.places import Places, places_of


def main(arguments: Sequence[str]) -> int:
    """Print the status; return 0, or 1 when the agent does not run or a person must look.

    What is wrong with the files goes to standard error, and is a reason to look.

    Raises:
        OperatorError: the agent cannot be asked; or it does not run, and has no buffer either.

    """
    parser = argparse.ArgumentParser(prog="edge-agent status", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    places = places_of(known.config)
    for problem in places.problems:
        print(f"edge-agent status: {problem}", file=sys.stderr)
    status = asked(places.socket)
    if status is None:
        _tell_stopped(places, as_json=known.json)
        return ExitCode.FAILURE
    whole = {"running": True, **status, "problems": list(places.problems)}
    print(json.dumps(whole) if known.json else in_words(status))
    return ExitCode.FAILURE if status["alarms"] or places.problems else ExitCode.OK


def _tell_stopped(places: Places, *, as_json: bool) -> None:
    problems = list(places.problems)
    if not as_json:
        print("the agent is not running: systemctl start edge-agent, or edge-agent run")
    try:
        facts = buffer_facts(places.buffer)
    except OperatorError:
        if as_json:
            print(json.dumps({"running": False, "buffer": None, "problems": problems}))
        raise
    if as_json:
        print(json.dumps({"running": False, "buffer": facts, "problems": problems}))
        return
    for line in told(facts):
        print(f"  {line}")
