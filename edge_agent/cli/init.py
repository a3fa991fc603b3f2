"""`edge-agent init`: makes the signing key and a first agent.toml, and says what comes next.

For a centre that this gateway cannot reach yet: keys are carried. `enroll` does it over the line.
"""

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.config.url import url_fault
from edge_agent.enrol.first_config import FirstConfig
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import create_signing_key, public_pem

DEFAULT_STATE: Final = Path("/var/lib/edge-agent")
DEFAULT_SOCKET: Final = Path("/run/edge-agent/agent.sock")


def main(arguments: Sequence[str]) -> int:
    """Make key and configuration; refuse to overwrite either; return the exit code."""
    known = _parser().parse_args(arguments)
    config: Path = known.config.absolute()
    state: Path = known.state.absolute()
    key = state / "gateway.key"
    public = key.with_suffix(".pub")
    first = FirstConfig(
        gateway=known.gateway,
        facility=known.facility,
        url=known.centre,
        simulated=known.simulated,
        key_file=key,
        buffer=state / "buffer.db",
        receipt_key_file=config.parent / "centre-receipt.pem",
        ca_file=known.ca_file and known.ca_file.absolute(),
        certificate_file=None,
        socket=known.socket.absolute() if known.socket else DEFAULT_SOCKET,
    )
    try:
        _refuse_to_overwrite(config, key)
        for folder in (config.parent, config.parent / "devices.d", state):
            folder.mkdir(parents=True, exist_ok=True)
        public.write_text(public_pem(create_signing_key(key).verifying_key), encoding="ascii")
        config.write_text(first.text, encoding="utf-8")
    except OSError as fault:
        is_forbidden = isinstance(fault, PermissionError)
        raise OperatorError(
            f"{fault.filename}: {fault.strerror}. --config and --state say where to write",
            exit_code=ExitCode.PERMISSION if is_forbidden else ExitCode.CONFIGURATION,
        ) from fault
    facts = {
        "gateway": str(known.gateway),
        "facility": known.facility,
        "config": str(config),
        "public_key": str(public),
        "receipt_key_file": str(config.parent / "centre-receipt.pem"),
    }
    print(json.dumps(facts) if known.json else _next_steps(facts))
    return ExitCode.OK


def _refuse_to_overwrite(*paths: Path) -> None:
    in_the_way = [path for path in paths if path.exists()]
    if in_the_way:
        raise OperatorError(
            *(f"{path}: exists already. Move it away to begin anew" for path in in_the_way)
        )


def address(text: str) -> str:
    """Return the centre's address as it was given; whether a CA file is missing, `check` says."""
    fault = url_fault(text, has_ca_file=True)
    if fault is not None:
        raise argparse.ArgumentTypeError(f"{fault.message}. {fault.remedy.capitalize()}")
    return text


def _next_steps(facts: dict[str, str]) -> str:
    at_the_centre = shlex.join(
        [
            *("central-sync", "gateway", "add", facts["gateway"]),
            *("--facility", facts["facility"], "--key", Path(facts["public_key"]).name),
            *("--receipt-key-out", "centre-receipt.pem"),
        ]
    )
    return (
        f"{facts['config']}: written\n"
        f"next: 1. carry {facts['public_key']} to the centre and run there\n"
        f"           {at_the_centre}\n"
        f"      2. bring centre-receipt.pem back as {facts['receipt_key_file']}\n"
        "      3. edge-agent device add, for each device\n"
        "      4. edge-agent check, then edge-agent run"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent init", description=__doc__)
    parser.add_argument("--facility", required=True, help="the plant this gateway stands at")
    parser.add_argument("--centre", required=True, type=address, help="https://... of the centre")
    parser.add_argument("--gateway", type=UUID, default=uuid4(), help="its UUID (default: new)")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml to write")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="key and buffer")
    parser.add_argument("--ca-file", type=Path, help="certificate the centre is verified with")
    parser.add_argument("--socket", type=Path, help="where `status` finds the running agent")
    parser.add_argument("--simulated", action="store_true", help="mark every reading as simulated")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser
