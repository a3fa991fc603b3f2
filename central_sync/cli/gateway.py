"""`central-sync gateway add|list|revoke`: who may send."""

import argparse
import json
from pathlib import Path
from uuid import UUID

from central_sync.api.fleet import rfc3339
from central_sync.app import opened
from central_sync.cli import add_settings
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode, OperatorError
from central_sync.ingest.receipt_key import public_key_of, public_pem


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
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
    revoke = actions.add_parser("revoke", help="accept nothing more from a gateway")
    revoke.add_argument("id", type=UUID, help="the gateway's UUID")
    revoke.add_argument("--reason", required=True, help="why; kept with the gateway")
    for action in (add, listing, revoke):
        add_settings(action, again=True)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Run one action."""
    actions = {"add": _add, "list": _list, "revoke": _revoke}
    return actions[arguments.action](arguments)


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
    if arguments.json:
        rows = [
            {
                "id": str(gateway.id),
                "name": gateway.name,
                "facility": gateway.facility,
                "added": rfc3339(gateway.added_ns),
                "revoked": None if gateway.revoked_ns is None else rfc3339(gateway.revoked_ns),
            }
            for gateway in gateways
        ]
        print(json.dumps({"gateways": rows}, indent=2))
        return ExitCode.OK
    for gateway in gateways:
        state = "active" if gateway.revoked_ns is None else f"revoked {rfc3339(gateway.revoked_ns)}"
        print(f"{gateway.id}  {gateway.name}  {gateway.facility}  {state}")
    return ExitCode.OK


def _revoke(arguments: argparse.Namespace) -> ExitCode:
    with opened(settings_of(arguments)) as centre:
        try:
            centre.store.revoke_gateway(arguments.id, reason=arguments.reason)
        except KeyError as fault:
            raise OperatorError(
                f"gateway {arguments.id} is not registered. See: central-sync gateway list",
                exit_code=ExitCode.BAD_DATA,
            ) from fault
    print(f"{arguments.id} is revoked")
    return ExitCode.OK
