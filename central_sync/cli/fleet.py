"""`central-sync fleet`: the state of every gateway."""

import argparse

from central_sync.api.fleet import GatewayDocument, fleet_document
from central_sync.app import opened
from central_sync.cli.settings import settings_of
from central_sync.config import ExitCode


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="as JSON, like GET /v1/fleet/gateways")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Print the fleet."""
    with opened(settings_of(arguments)) as centre:
        document = fleet_document(centre.store)
    if arguments.json:
        print(document.model_dump_json(indent=2))
        return ExitCode.OK
    for gateway in document.gateways:
        print("\n".join(_lines(gateway)))
    return ExitCode.OK


def _lines(gateway: GatewayDocument) -> list[str]:
    state = "revoked" if gateway.is_revoked else f"last seen {gateway.last_seen or 'never'}"
    held = f"{gateway.batch_count} batches, {gateway.record_count} readings"
    newest = gateway.last_data or "none"
    lines = [
        f"{gateway.name}  {gateway.id}  {state}",
        f"  {held}, newest {newest}, {gateway.hole_count} missing",
    ]
    lines += [f"  alarm {alarm.code}: {alarm.detail}" for alarm in gateway.alarms]
    return lines
