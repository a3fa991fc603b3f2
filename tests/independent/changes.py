"""Judge a centre's SQLite file against the events that a DNP3 outstation had.

Shares no code with the product (docs/wire-format.md is its only source). An event is a scan of one
row with the time of the event; a scan of all channels is what the outstation held. Each event must
be there exactly once. Prints one JSON report; exit code 0: so it is, 1: it is not, 2: the evidence
itself could not be read.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

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
NS_PER_MS = 1_000_000


class Change(NamedTuple):
    """One event."""

    channel: int
    at_ns: int
    raw: int


def scans(centre: Path, keys: Mapping[bytes, Ed25519PublicKey]) -> Iterator[list[Row]]:
    """Yield the rows of every scan that the centre holds.

    Raises:
        InvalidError: a batch is not what was signed, or a row has no value.

    """
    for stored in centre_batches(centre):
        if stored.body is None:
            raise InvalidError(f"{stored.name}: no body")
        batch = verified(stored.header, stored.signature, stored.body, keys)
        found: dict[int, list[Row]] = {}
        for row in batch.rows:
            if row.quality & NO_VALUE:
                raise InvalidError(f"{stored.name}: channel {row.channel} without a value")
            found.setdefault(row.scan, []).append(row)
        yield from found.values()


def judged(
    centre: Path, keys: Mapping[bytes, Ed25519PublicKey], journal: Path
) -> dict[str, object]:
    """Return which events are lost, there too often, or were never had."""
    wanted: Counter[Change] = Counter()
    for line in journal.read_text(encoding="ascii").splitlines():
        said = json.loads(line)
        wanted[Change(said["channel"], said["at_ms"] * NS_PER_MS, said["raw"])] += 1
    held = list(scans(centre, keys))
    events = [rows[0] for rows in held if len(rows) == 1]
    found = Counter(Change(row.channel, row.at, row.raw) for row in events)
    return {
        "events": wanted.total(),
        "present_scans": sum(len(rows) > 1 for rows in held),
        **compared(wanted, found),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as the arguments say, print the report and return the exit code."""
    what = 'events: JSON lines {"channel", "at_ms", "raw"}'
    return command(judged, "--had", what, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
