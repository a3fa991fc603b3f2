"""`edge-agent watch`: the channels of the running agent on a terminal, live.

Keys: r raw register words, b only what is not well, q quit. It only looks: the agent takes no
orders at its socket.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edge_agent import logs
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.asking import Answer, asked
from edge_agent.technician.look import Ask, look
from edge_agent.technician.places import places_of
from edge_agent.technician.showing import REGISTERS, VALUES, lines

NOT_RUNNING = "the agent is not running. Start it: systemctl start edge-agent, or edge-agent run"


def main(arguments: Sequence[str]) -> int:
    """Watch until `q`, or print one look; return the exit code.

    Raises:
        OperatorError: no agent answers, or there is no terminal.

    """
    parser = argparse.ArgumentParser(prog="edge-agent watch", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--once", action="store_true", help="print one look as text")
    parser.add_argument("--registers", action="store_true", help="with --once: raw words")
    parser.add_argument("--json", action="store_true", help="print one look as JSON")
    known = parser.parse_args(arguments)
    socket = places_of(known.config).socket

    def ask(page: str) -> Answer | None:
        return asked(socket, page)

    if known.once or known.json:
        return _print_once(ask, as_json=known.json, registers=known.registers)
    if not sys.stdout.isatty():
        parser.error("there is no terminal here: use --once, or --json")
    if ask("/v1/status") is None:
        raise OperatorError(NOT_RUNNING, exit_code=ExitCode.UNAVAILABLE)
    if find_spec("textual") is None:
        raise OperatorError("watch needs textual. Install emissionwatch-edge[edge]")
    # The daemon's commands keep them out; this one draws with them.
    logs.let_in()
    from edge_agent.technician.watching import Watch  # noqa: PLC0415 - see the line above

    Watch(ask).run()
    return ExitCode.OK


def _print_once(ask: Ask, *, as_json: bool, registers: bool) -> int:
    found = look(ask)
    if found is None:
        raise OperatorError(NOT_RUNNING, exit_code=ExitCode.UNAVAILABLE)
    if as_json:
        facts = {"at_ns": found.at_ns, "channels": found.channels, "events": found.events}
        print(json.dumps(facts))
        return ExitCode.OK
    columns = REGISTERS if registers else VALUES
    print(found.headline)
    print(_row([(one.heading, one.width) for one in columns]))
    for line in lines(found.channels, now_ns=found.at_ns, registers=registers):
        print(_row([(cell, one.width) for cell, one in zip(line.cells, columns, strict=True)]))
    return ExitCode.OK


def _row(cells: Sequence[tuple[str, int]]) -> str:
    return " ".join(cell.ljust(width) for cell, width in cells).rstrip()
