"""`central-sync gateway token|add|list|revoke`: who may send."""

import argparse
import json
from pathlib import Path
from uuid import UUID

from central_sync.api.fleet import rfc3339
from central_sync.app import opened
from central_sync.ca.key_file import put
from central_sync.ca.profile import NS_PER_S
from central_sync.cli import add_settings
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode, OperatorError
from central_sync.enrol.office import TOKEN_LIFE_NS, new_token
from central_sync.ingest.receipt_key import public_key_of, public_pem
from central_sync.model import KeyState
from edge_agent.wire.enrolment import token_text


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    token = actions.add_parser("token", help="let a gateway enrol itself, once, within 24 hours")
    token.add_argument("name", help="what people call the gateway")
    token.add_argument("--facility", required=True, help="the facility it measures for")
    token.add_argument(
        "--again", action="store_true", help="new keys for a gateway that has some: they were lost"
    )
    token.add_argument("--out", type=Path, metavar="FILE", help="write it there, not to the screen")
    token.add_argument("--json", action="store_true", help="as JSON")
    add = actions.add_parser("add", help="register a gateway with its public key")
    add.add_argument("id", type=UUID, help="the gateway's UUID")
    add.add_argument("--key", type=Path, required=True, metavar="PEM", help="its public key")
    add.add_argument("--facility", required=True, help="the facility it measures for")
    add.add_argument("--name", help="what people call it (default: the facility)")
    add.add_argument(
        "--receipt-key-out", type=Path, metavar="FILE", help="write our receipt key there"
    )
    listing = actions.add_parser("list", help="list all gateways")
    listing.add_argument("--json", action="store_true", help="as JSON")
    revoke = actions.add_parser(
        "revoke", help="accept nothing more from a gateway, or under one of its keys"
    )
    revoke.add_argument("id", type=UUID, help="the gateway's UUID")
    revoke.add_argument("--key", metavar="KEY_ID", help="only this key, as `list --json` shows it")
    revoke.add_argument("--reason", required=True, help="why; kept with the gateway")
    for action in (token, add, listing, revoke):
        add_settings(action, again=True)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run one action."""
    actions = {"token": _token, "add": _add, "list": _list, "revoke": _revoke}
    return actions[arguments.action](arguments)


def _token(arguments: argparse.Namespace) -> ExitCode:
    with opened(settings_of(arguments)) as centre:
        security = centre.security()
        try:
            token = new_token(
                centre.store,
                name=arguments.name,
                facility=arguments.facility,
                again=arguments.again,
                now_ns=centre.now_ns(),
            )
        except ValueError as fault:
            raise OperatorError(str(fault)) from fault
        expires_ns = centre.now_ns() + TOKEN_LIFE_NS
        expires = rfc3339(expires_ns - expires_ns % NS_PER_S)
    facts = {"token": token_text(token)}
    if security is not None:
        facts["pin"] = security.pin.hex()
    lines = "".join(f"{name:6} {fact}\n" for name, fact in facts.items())
    if arguments.out is not None:
        _write_secret(arguments.out, lines)
        facts = {"file": str(arguments.out)}
        lines = f"{arguments.out}: written\n"
    if arguments.json:
        print(json.dumps({**facts, "expires": expires}))
        return ExitCode.OK
    print(f"{lines}good once, until {expires}. At the gateway: edge-agent enroll URL")
    return ExitCode.OK


def _write_secret(path: Path, text: str) -> None:
    try:
        put(path, text.encode("ascii"), mode=0o600)
    except OSError as fault:
        raise OperatorError(
            f"{path}: cannot be written: {fault.strerror}", exit_code=ExitCode.PERMISSION
        ) from fault


def _add(arguments: argparse.Namespace) -> ExitCode:
    try:
        public_key = public_key_of(arguments.key.read_bytes())
    except OSError as fault:
        raise OperatorError(
            f"{arguments.key}: cannot be read: {fault.strerror}", exit_code=ExitCode.BAD_DATA
        ) from fault
    except ValueError as fault:
        raise OperatorError(
            f"{arguments.key}: is no Ed25519 public key in PEM: {fault}",
            exit_code=ExitCode.BAD_DATA,
        ) from fault
    with opened(settings_of(arguments)) as centre:
        try:
            centre.store.add_gateway(
                arguments.id,
                facility=arguments.facility,
                name=arguments.name or arguments.facility,
                public_key=public_key,
            )
        except ValueError as fault:
            raise OperatorError(str(fault)) from fault
        receipt_key = public_pem(centre.receipt_key.verifying_key)
    if arguments.receipt_key_out is not None:
        arguments.receipt_key_out.write_bytes(receipt_key)
    print(receipt_key.decode(), end="")
    return ExitCode.OK


def _list(arguments: argparse.Namespace) -> ExitCode:
    with opened(settings_of(arguments)) as centre:
        gateways = centre.store.gateways()
        keys = {gateway.id: centre.store.key_states(gateway.id) for gateway in gateways}
    if arguments.json:
        rows = [
            {
                "id": str(gateway.id),
                "name": gateway.name,
                "facility": gateway.facility,
                "added": rfc3339(gateway.added_ns),
                "revoked": None if gateway.revoked_ns is None else rfc3339(gateway.revoked_ns),
                "keys": [_key(key) for key in keys[gateway.id]],
            }
            for gateway in gateways
        ]
        print(json.dumps({"gateways": rows}, indent=2))
        return ExitCode.OK
    for gateway in gateways:
        state = "active" if gateway.revoked_ns is None else f"revoked {rfc3339(gateway.revoked_ns)}"
        print(f"{gateway.id}  {gateway.name}  {gateway.facility}  {state}")
    return ExitCode.OK


def _key(key: KeyState) -> dict[str, str | None]:
    return {
        "key_id": key.key_id.hex(),
        "added": rfc3339(key.added_ns),
        "revoked": None if key.revoked_ns is None else rfc3339(key.revoked_ns),
        "revoked_reason": key.revoked_reason,
    }


def _revoke(arguments: argparse.Namespace) -> ExitCode:
    with opened(settings_of(arguments)) as centre:
        try:
            if arguments.key is None:
                centre.store.revoke_gateway(arguments.id, reason=arguments.reason)
            else:
                key_id = _key_id(arguments.key)
                centre.store.revoke_key(arguments.id, key_id, reason=arguments.reason)
        except KeyError as fault:
            subject = "" if arguments.key is None else f"key {arguments.key} of "
            raise OperatorError(
                f"{subject}gateway {arguments.id} is not registered. See: central-sync gateway"
                " list --json",
                exit_code=ExitCode.BAD_DATA,
            ) from fault
    print(f"{arguments.id if arguments.key is None else arguments.key} is revoked")
    return ExitCode.OK


def _key_id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as fault:
        raise OperatorError(
            f"--key {text}: must be the 64 digits that `list --json` shows",
            exit_code=ExitCode.USAGE,
        ) from fault
