"""`edge-agent status`: what the running agent says of itself, or else what its buffer holds."""

import argparse
import json
import os
import socket
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from edge_agent.cli.buffer import buffer_facts
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.wire.canonical import JsonValue

ANSWER_LIMIT_S: Final = 5.0


def main(arguments: Sequence[str]) -> int:
    """Print the status; return 0, or 1 when the agent does not run or a person must look.

    Raises:
        OperatorError: the agent cannot be asked; or it does not run, and has no buffer either.

    """
    parser = argparse.ArgumentParser(prog="edge-agent status", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    plan = load_plan(known.config, environ=os.environ, overrides={})
    status = _asked(plan.settings.health.socket)
    if status is None:
        _tell_stopped(plan.settings.buffer.path, as_json=known.json)
        return ExitCode.FAILURE
    print(json.dumps({"running": True, **status}) if known.json else _in_words(status))
    return ExitCode.FAILURE if status["alarms"] else ExitCode.OK


def _tell_stopped(buffer: Path, *, as_json: bool) -> None:
    if not as_json:
        print("the agent is not running: systemctl start edge-agent, or edge-agent run")
    try:
        facts = buffer_facts(buffer)
    except OperatorError:
        if as_json:
            print(json.dumps({"running": False, "buffer": None}))
        raise
    if as_json:
        print(json.dumps({"running": False, "buffer": facts}))
        return
    for name, fact in facts.items():
        print(f"  {name}: {fact}")


def _in_words(status: dict[str, JsonValue]) -> str:
    lines: list[str] = []
    for part, facts in status.items():
        match facts:
            case dict():
                lines += [f"{part}", *(f"  {name}: {fact}" for name, fact in facts.items())]
            case list():
                lines += [f"{part}: {len(facts)}", *(f"  {_line(fact)}" for fact in facts)]
            case _:
                lines.append(f"{part}: {facts}")
    return "\n".join(lines)


def _line(fact: JsonValue) -> str:
    if not isinstance(fact, dict):
        return str(fact)
    return ", ".join(f"{name} {value}" for name, value in fact.items() if value is not None)


def _asked(path: Path | None) -> dict[str, JsonValue] | None:
    """Return the running agent's answer; None when no agent runs.

    Raises:
        OperatorError: there is one, perhaps, but it cannot be asked or gives no status.

    """
    if path is None:
        return None
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/v1/status")
        reply = connection.getresponse()
        answer: dict[str, JsonValue] = json.loads(reply.read())
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError as fault:
        raise OperatorError(
            f"{path}: this user may not ask the agent. Join the group of that socket, or use sudo",
            exit_code=ExitCode.PERMISSION,
        ) from fault
    except (OSError, HTTPException, ValueError) as fault:
        raise OperatorError(
            f"{path}: no status from there: {fault}. Look at the agent's log",
            exit_code=ExitCode.UNAVAILABLE,
        ) from fault
    finally:
        connection.close()
    return answer


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent", timeout=ANSWER_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
