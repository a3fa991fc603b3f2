"""Judge a centre's SQLite file against the messages that a broker took from a publisher.

Shares no code with the product (docs/wire-format.md is its only source). A message is a scan with
one number and one value; it must be there as often as it was published, no more and no less. Prints
one JSON report; exit code 0: so it is, 1: it is not, 2: the evidence itself could not be read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING

from counting import command, compared
from ewcheck.batch import verified
from ewcheck.faults import InvalidError
from ewcheck.store import centre_batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from ewcheck.rows import Row

NO_VALUE = 1 << 3  # docs/wire-format.md section 7
NUMBER, VALUE = 1, 2  # the channels


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


def judged(
    centre: Path, keys: Mapping[bytes, Ed25519PublicKey], published: Path
) -> dict[str, object]:
    """Return how often what was published is lost, there too often, or was never published."""
    wanted: Counter[tuple[int, int]] = Counter()
    for line in published.read_text(encoding="ascii").splitlines():
        said = json.loads(line)
        wanted[said["number"], said["raw"]] += 1
    found = Counter(messages(centre, keys))
    return {
        "published": wanted.total(),
        "published_alike": wanted.total() - len(wanted),
        **compared(wanted, found),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as the arguments say, print the report and return the exit code."""
    what = 'JSON lines {"number", "raw"}, one a message'
    return command(judged, "--published", what, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
