"""Judge a centre's SQLite file from its bytes against what a plant served and a gateway committed.

Shares no code with the product (docs/wire-format.md is its only source). Prints one JSON report;
exit code 0: nothing wrong, 1: a reading is lost, twice, invented, invalid or missing without a
word, 2: the evidence itself could not be read.

The channel map of --map says which registers each channel is, words in order of address:
  {"devices": [{"device": "stack-1", "poll_channel": 3, "channels": {
     "1": {"table": "input", "address": 0, "words": 2},
     "2": {"table": "input", "address": 4, "bit": 3},
     "3": {"table": "input", "address": 10, "words": 2,
           "status": {"table": "input", "address": 5}}}}]}
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from ewcheck.faults import InputError, Kind
from ewcheck.judge import Evidence, judged
from ewcheck.receipt import key_id

if TYPE_CHECKING:
    from collections.abc import Sequence


def public_key(path: Path) -> Ed25519PublicKey:
    """Return the Ed25519 public key of a file: PEM, or its 32 bytes as they are or in hex."""
    try:
        content = path.read_bytes()
        if content.lstrip().startswith(b"-----"):
            key = load_pem_public_key(content)
        else:
            raw = content if len(content) == 32 else bytes.fromhex(content.decode().strip())
            key = Ed25519PublicKey.from_public_bytes(raw)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: not an Ed25519 key")
    return key


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("centre", type=Path, help="the centre's SQLite file")
    for option, what in (
        ("--key", "a gateway's public key"),
        ("--buffer", "a gateway's buffer file"),
        ("--committed", "journal of batches seen committed: {chain, batch_no, batch_hash}"),
        ("--served", "the plant's record of its answers; needs --map"),
    ):
        parser.add_argument(
            option, type=Path, action="append", default=[], help=f"{what}; repeatable"
        )
    parser.add_argument("--server-key", type=Path, help="public key that signs receipts")
    parser.add_argument("--map", type=Path, help="which registers each channel is (see above)")
    parser.add_argument("--kills", type=Path, help='JSON lines {"from_ns", "at_ns", "to_ns"}')
    parser.add_argument("--slack-ms", type=int, default=1_000, help="widening of gaps")
    parser.add_argument("--at-tolerance-ms", type=int, help="largest error of a stamp")
    parser.add_argument(
        "--utc-minus-boottime-ns",
        type=int,
        help="judge times by CLOCK_BOOTTIME, which lacks so much to true UTC: one boot only",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as the arguments say, print the report and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.served) != bool(options.map):
        parser.error("--served and --map need each other")
    if not options.key:
        parser.error("--key is needed: without it no signature can be judged")
    tolerance_ms = options.at_tolerance_ms
    try:
        keys = [public_key(path) for path in options.key]
        report = judged(
            Evidence(
                centre=options.centre,
                keys={key_id(key): key for key in keys},
                server_key=public_key(options.server_key) if options.server_key else None,
                buffers=options.buffer,
                journals=options.committed,
                served=options.served,
                channel_map=options.map,
                kills=options.kills,
                slack_ns=options.slack_ms * 1_000_000,
                at_tolerance_ns=None if tolerance_ms is None else tolerance_ms * 1_000_000,
                utc_minus_boottime_ns=options.utc_minus_boottime_ns,
            )
        )
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report, indent=1) + "\n")
    return 1 if any(report[kind.value] for kind in Kind) else 0


if __name__ == "__main__":
    sys.exit(main())
