"""`edge-agent profiles`: list, show and validate device profiles; print the schemas for editors."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from edge_agent.config.library import Library, listed, schema_text, shown, validated
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.drivers import trial_decoder
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.quality.trial import vector_faults


def main(arguments: Sequence[str]) -> int:
    """Run one action; return the exit code."""
    known = _parser().parse_args(arguments)
    library = Library.beside(known.config)
    match known.action:
        case "list":
            _list(library, as_json=known.json)
        case "show":
            print(shown(known.profile, library), end="")
        case "validate":
            _validate(known.files)
        case "schema":
            print(schema_text(known.kind), end="")
    return ExitCode.OK


def _validate(files: Sequence[Path]) -> None:
    """Check files, and run their test vectors through the decoder and the judge of the agent."""
    profiles = validated(files)
    faults = [
        f"{loaded.file.name}: {fault}"
        for loaded in profiles
        for fault in vector_faults(loaded, trial_decoder(loaded.profile.protocol))
    ]
    if faults:
        raise OperatorError(*faults, exit_code=ExitCode.BAD_DATA)
    for loaded in profiles:
        print(f"{loaded.file.name}: good, {len(loaded.profile.test_vectors)} test vectors hold")


def _list(library: Library, *, as_json: bool) -> None:
    rows = [
        {
            "id": loaded.profile.id,
            "revision": loaded.profile.revision,
            "vendor": loaded.profile.vendor,
            "model": loaded.profile.model,
            "protocol": str(loaded.profile.protocol),
            "trust": str(loaded.profile.trust),
            "points": len(loaded.profile.point_names()),
            "sha256": loaded.file_hash.hex(),
        }
        for loaded in listed(library)
    ]
    if as_json:
        print(json.dumps({"profiles": rows}))
        return
    for row in rows:
        print(*(row[name] for name in ("id", "revision", "protocol", "trust")), sep="  ")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent profiles", description=__doc__)
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, help="profiles.d is looked for beside it"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="every profile at hand")
    listing.add_argument("--json", action="store_true", help="print facts as JSON")
    show = actions.add_parser("show", help="a profile's file as it is written")
    show.add_argument("profile", help="its id, such as vendor/model")
    validate = actions.add_parser("validate", help="check files and run their test vectors")
    validate.add_argument("files", nargs="+", type=Path)
    schema = actions.add_parser("schema", help="JSON Schema for an editor")
    schema.add_argument("kind", choices=["agent", "device", "profile"])
    return parser
