"""`central-sync archive export`: signed bytes and their proofs, for an auditor."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from central_sync.app import opened
from central_sync.calc.clock_hours import parse_time
from central_sync.cli import add_settings
from central_sync.cli.settings import settings_of
from central_sync.errors import ExitCode, OperatorError
from central_sync.model import StoredLine
from central_sync.witness.checkpoints import LogRewrittenError
from central_sync.witness.export import BusyError, Exported, Exporter
from central_sync.witness.selection import Selection
from edge_agent.wire.canonical import JsonValue


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write an archive")
    export.add_argument(
        "target", type=Path, metavar="FOLDER|FILE.tar", help="where; must not be there yet"
    )
    export.add_argument("--gateway", type=UUID, help="of one gateway (default: all)")
    export.add_argument("--from", dest="begin", metavar="TIME", help="readings from then on, UTC")
    export.add_argument("--to", dest="end", metavar="TIME", help="readings before then, UTC")
    export.add_argument("--dry-run", action="store_true", help="say what it would hold, no more")
    export.add_argument("--json", action="store_true", help="print the facts as one JSON object")
    add_settings(export, again=True)


def run(arguments: argparse.Namespace) -> ExitCode:
    """Write an archive, or say what it would hold."""
    selection = _selection(arguments)
    with opened(settings_of(arguments)) as centre:
        exporter = Exporter(
            store=centre.store, witness=centre.witness, now_ns=centre.now_ns, told=_told
        )
        if arguments.dry_run:
            lines = exporter.planned(selection)
            print(json.dumps(_plan(lines), indent=2) if arguments.json else _plan_words(lines))
            return ExitCode.OK
        try:
            exported = exporter.write(selection, arguments.target)
        except OSError as fault:
            raise OperatorError(f"{arguments.target}: {fault}") from fault
        except BusyError as fault:
            raise OperatorError(
                f"{arguments.target}: {fault}. Try again, or export less",
                exit_code=ExitCode.TRY_AGAIN,
            ) from fault
        except LogRewrittenError as fault:
            raise OperatorError(
                f"the log cannot be vouched for: {fault}. Restart the service, and read"
                " docs/witness.md section 4",
                exit_code=ExitCode.BAD_DATA,
            ) from fault
    facts = _facts(exported, arguments.target)
    print(json.dumps(facts, indent=2) if arguments.json else _words(exported, arguments.target))
    return ExitCode.OK


def _selection(arguments: argparse.Namespace) -> Selection:
    times: dict[str, int | None] = {}
    for name, text in (("from", arguments.begin), ("to", arguments.end)):
        try:
            times[name] = None if text is None else parse_time(text)
        except ValueError as fault:
            raise OperatorError(f"--{name}: {fault}", exit_code=ExitCode.USAGE) from fault
    return Selection(gateway_id=arguments.gateway, from_ns=times["from"], to_ns=times["to"])


def _told(count: int) -> None:
    print(f"{count} batches written", file=sys.stderr)


def _plan(lines: tuple[StoredLine, ...]) -> Mapping[str, JsonValue]:
    return {
        "chains": [
            {
                "gateway": str(line.gateway_id),
                "chain": str(line.chain_id),
                "first_no": line.first_no,
                "last_no": line.last_no,
            }
            for line in lines
        ]
    }


def _plan_words(lines: tuple[StoredLine, ...]) -> str:
    rows = [
        f"gateway {line.gateway_id}  chain {line.chain_id}  batches {line.first_no} to"
        f" {line.last_no}"
        for line in lines
    ]
    return "\n".join([*rows, f"{len(lines)} chains; nothing was written"])


def _facts(exported: Exported, target: Path) -> Mapping[str, JsonValue]:
    manifest = exported.manifest
    return {
        "archive": str(target),
        "log": manifest.origin,
        "log_size": manifest.log_size,
        "chains": len(manifest.lines),
        "batches": exported.batch_count,
        "bundles": exported.bundle_count,
        "profiles": exported.profile_count,
        "hourly_values": exported.result_count,
        "size_bytes": exported.size_bytes,
    }


def _words(exported: Exported, target: Path) -> str:
    manifest = exported.manifest
    return (
        f"{target}: {exported.batch_count} batches of {len(manifest.lines)} chains,"
        f" {exported.bundle_count} configurations, {exported.profile_count} profiles,"
        f" {exported.result_count} hourly values, {exported.size_bytes} bytes\n"
        f"log {manifest.origin} at {manifest.log_size} entries"
    )
