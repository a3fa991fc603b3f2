"""`edge-agent keys show|rotate|renew`: what this gateway proves itself with, and how it changes.

A change of the signing key is carried out by the agent, which signs it; here the key is made and
the agent is told.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Final

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.model import DEFAULT_CONFIG, AgentFile
from edge_agent.config.settings import read_settings
from edge_agent.enrol.answers import Nonce, Refused, Renewed
from edge_agent.enrol.centre import Centre
from edge_agent.enrol.remedies import refusal
from edge_agent.enrol.requests import NONCES, certificate_path, renewal
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import NextKey, credentials_folder, load_signing_key
from edge_agent.identity.tls import TlsIdentity
from edge_agent.technician.asking import asked
from edge_agent.technician.service import reload_agent

LOOK_S: Final = 0.1
ROTATION_LIMIT_S: Final = 60.0

Facts = dict[str, str | bool | None]


def main(arguments: Sequence[str]) -> int:
    """Run one action; return the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent keys", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, says in (
        ("show", "which keys there are, and until when the certificate is good"),
        ("rotate", "let another signing key follow, signed by both"),
        ("renew", "get another TLS certificate now; the agent does so by itself in time"),
    ):
        action = actions.add_parser(name, help=says, description=says)
        action.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
        action.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    settings = settings_in(known.config)
    facts = {"show": _shown, "rotate": _rotated, "renew": _renewed}[known.action](settings)
    if known.json:
        print(json.dumps(facts))
    else:
        width = max(map(len, facts))
        for name, fact in facts.items():
            print(f"{name:{width}}  {'none' if fact is None else fact}")
    return ExitCode.OK


def settings_in(config: Path) -> AgentFile:
    """Return the settings of a gateway, whatever is wrong with the files of its devices.

    Raises:
        OperatorError: agent.toml cannot be read.

    """
    settings = read_settings(config, environ={}, overrides={}).agent
    if settings is None:
        raise OperatorError(
            f"{config}: cannot be read. edge-agent check says why",
            exit_code=ExitCode.CONFIGURATION,
        )
    return settings


def _shown(settings: AgentFile) -> Facts:
    files = NextKey(key_file=settings.gateway.key_file)
    key = load_signing_key(files.key_file, credentials=credentials_folder())
    waiting, old = files.waiting, files.old
    facts: Facts = {
        "gateway": str(settings.gateway.id),
        "key_id": key.key_id.hex(),
        "next_key_id": None if waiting is None else waiting.key_id.hex(),
        "old_key_id": None if old is None else old.key_id.hex(),
        "certificate_until": None,
    }
    path = settings.centre.certificate_file
    if path is not None and path.exists():
        identity = TlsIdentity.load(path, credentials=credentials_folder())
        facts["certificate_until"] = _until(identity) if identity.chain else None
    return facts


def _rotated(settings: AgentFile) -> Facts:
    """Make another key, let the running agent sign it in, and wait for that."""
    files = NextKey(key_file=settings.gateway.key_file)
    before = load_signing_key(files.key_file, credentials=credentials_folder())
    key = files.prepare(credentials=credentials_folder())
    facts: Facts = {"old_key_id": before.key_id.hex(), "key_id": key.key_id.hex()}
    socket = settings.health.socket
    if socket is None or asked(socket) is None:
        return {
            **facts,
            "is_done": False,
            "next": "the agent does not run: it changes keys when it starts",
        }
    reload_agent(socket)
    until_ns = SystemClock().now().mono_ns + round(ROTATION_LIMIT_S * NS_PER_S)
    pause = Event()
    while files.waiting_file.exists():
        if SystemClock().now().mono_ns > until_ns:
            raise OperatorError(
                f"the agent has not changed keys within {ROTATION_LIMIT_S:g} s: its storage may be"
                " full. It goes on trying; look at its log",
                exit_code=ExitCode.TRY_AGAIN,
            )
        pause.wait(LOOK_S)
    return {
        **facts,
        "is_done": True,
        "next": f"{files.old_file} is wiped once the centre has what it signed",
    }


def _renewed(settings: AgentFile) -> Facts:
    """Get another certificate for another TLS key."""
    path, credentials = settings.centre.certificate_file, credentials_folder()
    if path is None:
        default = settings.gateway.key_file.with_name("tls.pem")
        raise OperatorError(
            f'centre.certificate_file: is not set. Write certificate_file = "{default}" into'
            " [centre] of agent.toml, then do this again",
            exit_code=ExitCode.CONFIGURATION,
        )
    if credentials is not None and path.parent == credentials:
        raise OperatorError(
            f"{path}: the service manager gives this certificate. Renew it there",
            exit_code=ExitCode.CONFIGURATION,
        )
    key = load_signing_key(settings.gateway.key_file, credentials=credentials)
    centre = Centre(url=settings.centre.url, ca_file=settings.centre.ca_file)
    nonce = centre.asked(NONCES, b"", Nonce.of)
    if isinstance(nonce, Refused):
        raise refusal(nonce)
    gateway_id, tls = settings.gateway.id, TlsIdentity.new()
    body = renewal(gateway_id, nonce.nonce, key, tls)
    answer = centre.asked(certificate_path(gateway_id), body, Renewed.of)
    if isinstance(answer, Refused):
        raise refusal(answer)
    try:
        certified = tls.certified(answer.certificate)
    except ValueError as fault:
        raise OperatorError(
            f"{centre.url}: what the centre sent is of no use: {fault}",
            exit_code=ExitCode.BAD_DATA,
        ) from fault
    certified.save(path)
    return {"certificate_file": str(path), "certificate_until": _until(certified)}


def _until(identity: TlsIdentity) -> str:
    return f"{datetime.fromtimestamp(identity.ends_ns / NS_PER_S, UTC):%Y-%m-%dT%H:%M:%SZ}"
