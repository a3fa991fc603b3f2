"""`edge-agent decommission`: send what waits, tell the centre, wipe the keys. There is no way back.

The agent must be stopped. What the buffer holds stays where it is; without the keys nothing can be
added to it, and everything in it can still be verified.
"""

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from edge_agent import logs
from edge_agent.buffer.records import Boot, Nothing
from edge_agent.buffer.store import BufferUnavailableError, open_buffer
from edge_agent.cli.keys import settings_in
from edge_agent.clock import SystemClock, boot_id
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG, AgentFile
from edge_agent.config.vocabulary import LogLevel
from edge_agent.configured import Configured
from edge_agent.enrol.answers import LetGo, Nonce, Refused
from edge_agent.enrol.centre import Centre
from edge_agent.enrol.remedies import refusal
from edge_agent.enrol.requests import NONCES, decommission_path, farewell
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import NextKey, credentials_folder, load_receipt_keys, wipe
from edge_agent.identity.key_file import put_file
from edge_agent.rekeying import settled_key
from edge_agent.technician.asking import asked
from edge_agent.uplink.client import open_uplink
from edge_agent.wire.events import Event
from edge_agent.wire.signing import SigningKey

FLUSH_LIMIT_S: Final = 600.0
_NOTE: Final = "decommissioned"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWords(Nothing):
    """The last portion of a gateway: the event that says so, in its last batch."""

    events: tuple[Event, ...] = ()
    is_last: bool = True


def main(arguments: Sequence[str]) -> int:
    """Ask, then do it step by step; a step that fails can be tried again; return the exit code."""
    known = _parser().parse_args(arguments)
    settings = settings_in(known.config)
    gateway_id = settings.gateway.id
    if settings.health.socket is not None and asked(settings.health.socket) is not None:
        raise OperatorError(
            "the agent runs: stop it first (systemctl disable --now edge-agent)",
            exit_code=ExitCode.TRY_AGAIN,
        )
    if not known.yes and not _is_agreed(str(gateway_id)):
        print("nothing was done", file=sys.stderr)
        return ExitCode.FAILURE
    logs.configure(LogLevel.WARNING)
    key = settled_key(
        NextKey(key_file=settings.gateway.key_file), settings.buffer.path, credentials_folder()
    )
    leaving = settings.gateway.key_file.with_name("decommissioning")
    unsent = 0
    if not leaving.exists():  # else everything was sent, and only the centre's answer was lost
        unsent = asyncio.run(_sent(known.config, key, who=known.who))
    if unsent and not known.unsent:
        raise OperatorError(
            f"{unsent} batches have not reached the centre, and nothing else was done. Try again"
            " when it can be reached; --unsent gives up sending them (they stay in the buffer)",
            exit_code=ExitCode.TRY_AGAIN,
        )
    put_file(leaving, b"sent\n")
    _let_go(settings, key)
    wiped = _wiped(settings)
    leaving.unlink(missing_ok=True)
    facts = {
        "gateway": str(gateway_id),
        "unsent_batches": unsent,
        "wiped": [str(path) for path in wiped],
        "buffer": str(settings.buffer.path),
    }
    print(json.dumps(facts) if known.json else _in_words(facts, wiped))
    return ExitCode.OK


def _is_agreed(gateway: str) -> bool:
    """Ask a person at a terminal to name the gateway: nobody does so by mistake."""
    if not sys.stdin.isatty():
        raise OperatorError("nobody to ask: --yes says that it is meant", exit_code=ExitCode.USAGE)
    print(f"The keys of gateway {gateway} will be gone for ever, and it measures nothing any more.")
    return input("Type the first eight characters of its UUID to go on: ").strip() == gateway[:8]


async def _sent(config: Path, key: SigningKey, *, who: str) -> int:
    """Sign the last word and send what waits; return how many batches the centre lacks.

    Raises:
        OperatorError: the buffer is in use or cannot be read.

    """
    plan = load_plan(config, environ={}, overrides={})
    settings, clock = plan.settings, SystemClock()
    active = Configured.of(plan, key)
    boot = Boot(boot_id=boot_id(), software=version("emissionwatch-edge"))
    uploader = active.uploader(load_receipt_keys(settings.centre.receipt_key_file))
    fraction = secrets.SystemRandom().random
    now = clock.now()
    event = Event(
        type="note", at_ns=now.utc_ns, mono_ns=now.mono_ns, fields={"who": who, "text": _NOTE}
    )
    try:
        async with (
            open_buffer(settings.buffer, origin=active.origin, clock=clock, boot=boot) as buffer,
            open_uplink(buffer, settings.centre, uploader, clock=clock, fraction=fraction) as line,
        ):
            await buffer.append(LastWords(events=(event,)))
            await line.flush(FLUSH_LIMIT_S)
            return buffer.backlog().unreceipted_count
    except BufferUnavailableError as fault:
        raise OperatorError(str(fault), exit_code=ExitCode.UNAVAILABLE) from fault


def _let_go(settings: AgentFile, key: SigningKey) -> None:
    """Tell the centre that nothing more comes, so that it takes nothing more.

    Raises:
        OperatorError: it was not told; the keys are still there.

    """
    centre = Centre(url=settings.centre.url, ca_file=settings.centre.ca_file)
    nonce = centre.asked(NONCES, b"", Nonce.of)
    if isinstance(nonce, Refused):
        raise refusal(nonce)
    body = farewell(settings.gateway.id, nonce.nonce, key)
    answer = centre.asked(decommission_path(settings.gateway.id), body, LetGo.of)
    if isinstance(answer, Refused):
        raise refusal(answer)


def _wiped(settings: AgentFile) -> list[Path]:
    """Wipe every private key; return the files that are gone."""
    files = NextKey(key_file=settings.gateway.key_file)
    paths = [files.key_file, files.waiting_file, files.old_file]
    if settings.centre.certificate_file is not None:
        paths.append(settings.centre.certificate_file)
    credentials = credentials_folder()
    return [path for path in paths if path.parent != credentials and wipe(path)]


def _in_words(facts: dict[str, object], wiped: Sequence[Path]) -> str:
    lines = [f"gateway {facts['gateway']} is decommissioned: the centre takes nothing more from it"]
    lines += [f"{path}: wiped" for path in wiped]
    lines.append(
        f"{facts['buffer']}: kept. Copy it with what stands beside it before the card is used for"
        " something else; anybody with the public key can verify it"
    )
    lines.append("flash keeps old copies: destroy the card, or write it full, if that matters")
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent decommission", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--who", required=True, help="whose decision it is; signed")
    parser.add_argument("--unsent", action="store_true", help="even if batches cannot be sent")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser
