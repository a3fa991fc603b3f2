"""Judge a centre's SQLite file against the messages that a broker took from a publisher.

Shares no code with the product (docs/wire-format.md is its only source). A message is a scan with
one number and one value; it must be there as often as it was published, no more and no less. Prints
one JSON report; exit code 0: so it is, 1: it is not, 2: the evidence itself could not be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from ewcheck.batch import verified
from ewcheck.faults import InputError, InvalidError
from ewcheck.receipt import key_id
from ewcheck.store import centre_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ewcheck.rows import Row

NO_VALUE = 1 << 3  # docs/wire-format.md section 7
NUMBER, VALUE = 1, 2  # the channels
SHOWN = 20


def messages(centre: Path, keys: Mapping[bytes, Ed25519PublicKey]) -> Iterator[tuple[int, int]]:
    """Yield number and raw value of every scan that the centre holds.

    Raises:
        InvalidError: a batch is not what was signed, or a scan is no message.

    """
    for stored in centre_batches(centre):
        if stored.body is None:
            raise InvalidError(f"{stored.name}: no body")
        batch = verified(stored.header, stored.signature, stored.body, keys)
        scans: dict[int, list[Row]] = {}
        for row in batch.rows:
            scans.setdefault(row.scan, []).append(row)
        for rows in scans.values():
            if [row.channel for row in rows] != [NUMBER, VALUE]:
                raise InvalidError(f"{stored.name}: a scan of {[row.channel for row in rows]}")
            if any(row.quality & NO_VALUE for row in rows):
                raise InvalidError(f"{stored.name}: a message without a value")
            yield rows[0].raw, rows[1].raw


def public_key(path: Path) -> Ed25519PublicKey:
    """Return the Ed25519 public key of a PEM file."""
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: no Ed25519 key")
    return key


def judged(
    centre: Path, keys: Mapping[bytes, Ed25519PublicKey], published: Path
) -> dict[str, object]:
    """Return how often what was published is lost, there too often, or was never published."""
    wanted: Counter[tuple[int, int]] = Counter()
    for line in published.read_text(encoding="ascii").splitlines():
        said = json.loads(line)
        wanted[said["number"], said["raw"]] += 1
    found = Counter(messages(centre, keys))
    lost = sorted((wanted - found).elements())
    twice = sorted(key for key in (found - wanted).elements() if key in wanted)
    invented = sorted(key for key in found if key not in wanted)
    return {
        "published": wanted.total(),
        "published_alike": wanted.total() - len(wanted),
        "found": found.total(),
        "lost": len(lost),
        "twice": len(twice),
        "invented": len(invented),
        "shown": [number for number, _ in (lost + twice + invented)[:SHOWN]],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as the arguments say, print the report and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("centre", type=Path, help="the centre's SQLite file")
    parser.add_argument("--key", type=Path, required=True, help="public key of the gateway, PEM")
    parser.add_argument(
        "--published", type=Path, required=True, help='JSON lines {"number", "raw"}, one a message'
    )
    options = parser.parse_args(arguments)
    try:
        key = public_key(options.key)
        report = judged(options.centre, {key_id(key): key}, options.published)
    except InvalidError as error:
        report = {"invalid": str(error)}
    except (InputError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report) + "\n")
    is_right = not any(report.get(key, 1) for key in ("lost", "twice", "invented"))
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
