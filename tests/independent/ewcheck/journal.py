"""The journal of batches that somebody saw committed in a gateway's buffer: JSON lines.

Each line is {"chain", "batch_no", "batch_hash"}, hexadecimal; the same batch may be seen often.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ewcheck.chain import Ranges, is_given_up
from ewcheck.faults import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """One batch that was durable in a gateway."""

    chain_id: bytes
    batch_no: int
    batch_hash: bytes

    @property
    def name(self) -> str:
        """Chain, number and hash, as everywhere in the report."""
        return f"{self.chain_id.hex()[:8]}/{self.batch_no}/{self.batch_hash.hex()[:12]}"

    def is_given_up(self, given_up: Ranges) -> bool:
        """Return whether a loss event declares this batch lost."""
        return is_given_up(given_up, self.chain_id, self.batch_no)


def committed(path: Path) -> Iterator[Committed]:
    """Yield the entries of a journal; a torn last line is left out."""
    try:
        for line in path.read_bytes().split(b"\n")[:-1]:
            entry = json.loads(line)
            yield Committed(
                chain_id=bytes.fromhex(entry["chain"].replace("-", "")),
                batch_no=int(entry["batch_no"]),
                batch_hash=bytes.fromhex(entry["batch_hash"]),
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a journal of batches: {error!r}") from error
