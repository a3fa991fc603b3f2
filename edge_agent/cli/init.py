"""`edge-agent init`: makes the signing key and a first agent.toml, and says what comes next."""

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from edge_agent.cli.check import DEFAULT_CONFIG
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import create_signing_key, public_pem

DEFAULT_STATE: Final = Path("/var/lib/edge-agent")

TEMPLATE: Final = """\
# Configuration of one gateway; every key is explained in docs/configuration.md.
# Devices are files of their own in devices.d/ beside this one. `edge-agent check` reads all of it.

[gateway]
id = "{gateway}"
facility = "{facility}"
simulated = {simulated}
key_file = "{state}/gateway.key"

[buffer]
path = "{state}/buffer.db"

[centre]
url = "{centre}"
receipt_key_file = "{folder}/centre-receipt.pem"
{ca_line}
[health]
socket = "{socket}"
"""


def main(arguments: Sequence[str]) -> int:
    """Make key and configuration; refuse to overwrite either; return the exit code."""
    known = _parser().parse_args(arguments)
    config: Path = known.config.absolute()
    state: Path = known.state.absolute()
    key = state / "gateway.key"
    in_the_way = [path for path in (config, key) if path.exists()]
    if in_the_way:
        raise OperatorError(
            *(f"{path}: exists already. Move it away to begin anew" for path in in_the_way)
        )
    for folder in (config.parent, config.parent / "devices.d", state):
        folder.mkdir(parents=True, exist_ok=True)
    public = key.with_suffix(".pub")
    public.write_text(public_pem(create_signing_key(key).verifying_key), encoding="ascii")
    ca_line = f'ca_file = "{known.ca_file.absolute()}"\n' if known.ca_file else ""
    config.write_text(
        TEMPLATE.format(
            gateway=known.gateway,
            facility=known.facility,
            simulated=str(known.simulated).lower(),
            state=state,
            folder=config.parent,
            centre=known.centre,
            ca_line=ca_line,
            socket=known.socket or "/run/edge-agent/agent.sock",
        ),
        encoding="utf-8",
    )
    facts = {
        "gateway": str(known.gateway),
        "facility": known.facility,
        "config": str(config),
        "public_key": str(public),
        "receipt_key_file": str(config.parent / "centre-receipt.pem"),
    }
    print(json.dumps(facts) if known.json else _next_steps(facts))
    return ExitCode.OK


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
        f"      3. describe each device in {Path(facts['config']).parent / 'devices.d'}\n"
        "      4. edge-agent check, then edge-agent run"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent init", description=__doc__)
    parser.add_argument("--facility", required=True, help="the plant this gateway stands at")
    parser.add_argument("--centre", required=True, help="https://... of the centre")
    parser.add_argument("--gateway", type=UUID, default=uuid4(), help="its UUID (default: new)")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml to write")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="key and buffer")
    parser.add_argument("--ca-file", type=Path, help="certificate the centre is verified with")
    parser.add_argument("--socket", type=Path, help="where `status` finds the running agent")
    parser.add_argument("--simulated", action="store_true", help="mark every reading as simulated")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser
