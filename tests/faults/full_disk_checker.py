"""Holds what a full disk left against what was taken: nothing may be missing without a signed word.

usage: python tests/faults/full_disk_checker.py DIR OUT [--forget-loss], with tests/independent on
PYTHONPATH: it shares no code with the product. Readings taken = readings at the centre + readings
that signed loss events cover + readings in the buffer, and each of them in one place.
Prints one JSON object; exit code 1 on any fault. --forget-loss overlooks one loss event: then a
fault must be found.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ewcheck.batch import verified
from ewcheck.faults import InvalidError
from ewcheck.receipt import key_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ewcheck.batch import Batch
    from ewcheck.events import Event

# The gateway's key in buffer_workload.py.
GATEWAY = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
KEYS = {key_id(GATEWAY): GATEWAY}
NUMBER_MASK = (1 << 24) - 1
HEADSTONE = 1


class WrongError(Exception):
    """Something was lost, is there twice, or differs."""


@dataclass
class Account:
    """Everything found, batch by batch."""

    batches: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    readings: dict[int, bytes] = field(default_factory=dict)
    with_readings: set[tuple[bytes, int]] = field(default_factory=set)
    ranges: dict[tuple[bytes, int], range] = field(default_factory=dict)
    lost: list[tuple[bytes, range, range]] = field(default_factory=list)

    def take(self, batch: Batch) -> None:
        """Note one batch; seen before with its readings, it says nothing new."""
        header = batch.header
        place = (header.chain_id, header.batch_no)
        known = self.batches.setdefault(place, header.batch_hash)
        if known != header.batch_hash:
            raise WrongError(f"two batches are {header.name}")
        if place not in self.ranges:
            for event in batch.events:
                if event["type"] == "loss":
                    self._note_loss(event)
        self.ranges[place] = range(header.first_seq, header.first_seq + header.record_count)
        if batch.is_headstone or place in self.with_readings:
            return
        self.with_readings.add(place)
        for row in batch.rows:
            number = row.raw & NUMBER_MASK
            if self.readings.setdefault(number, header.batch_hash) != header.batch_hash:
                raise WrongError(f"reading {number} is in two batches")

    def _note_loss(self, event: Event) -> None:
        first, last, first_seq, last_seq = (
            int(str(event[name])) for name in ("first_batch", "last_batch", "first_seq", "last_seq")
        )
        chain = bytes.fromhex(str(event["chain"]).replace("-", ""))
        self.lost.append((chain, range(first, last + 1), range(first_seq, last_seq + 1)))

    def covered(self) -> int:
        """Return how many readings loss events cover that are nowhere else."""
        count = 0
        for chain, numbers, sequence in self.lost:
            inside = [self.ranges[chain, no] for no in numbers if (chain, no) in self.ranges]
            if len(inside) != len(numbers) or sum(map(len, inside)) != len(sequence):
                raise WrongError(f"a loss of {len(sequence)} is not that of its batches")
            for no, span in zip(numbers, inside, strict=True):
                if span and not set(span) <= set(sequence):
                    raise WrongError(f"a loss does not cover its batch {no}")
                if (chain, no) not in self.with_readings:
                    count += len(span)
        return count

    def check_numbers(self) -> None:
        """Raise WrongError if a chain has a hole."""
        newest: dict[bytes, int] = {}
        for chain, number in self.batches:
            newest[chain] = max(number, newest.get(chain, 0))
        for chain, last in newest.items():
            missing = [no for no in range(last) if (chain, no) not in self.batches]
            if missing:
                raise WrongError(f"chain {chain.hex()[:8]} lacks {missing[:5]}")


def at_centre(path: Path) -> Iterator[Batch]:
    """Yield what the centre was given."""
    for line in path.read_text().splitlines():
        flags, *parts = json.loads(line)
        header, signature, body = (bytes.fromhex(part) for part in parts)
        batch = verified(header, signature, body, KEYS)
        if bool(flags & HEADSTONE) != (batch.is_headstone and batch.header.record_count > 0):
            raise WrongError(f"{batch.header.name} was not sent as what it is")
        yield batch


def in_buffer(path: Path) -> Iterator[Batch]:
    """Yield what the buffer holds."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
        if integrity != "ok":
            raise WrongError(f"integrity_check: {integrity}")
        found = connection.execute("SELECT header, signature, body FROM batch")
        for header, signature, body in found:
            yield verified(header, signature, body, KEYS)


def judged(folder: Path, out: Path, *, must_forget: bool) -> dict[str, int]:
    """Return the sums; WrongError if they do not come out."""
    told = json.loads((out / "taken.json").read_text())
    account = Account()
    for batch in at_centre(out / "centre.jsonl"):
        account.take(batch)
    delivered = len(account.readings)
    for batch in in_buffer(folder / "buffer.db"):
        account.take(batch)
    if must_forget and account.lost:
        account.lost.pop()
    account.check_numbers()
    sums = {
        "taken": told["taken"],
        "at_centre": delivered,
        "in_buffer": len(account.readings) - delivered,
        "covered": account.covered(),
        "losses": len(account.lost),
        "chains": len({chain for chain, _ in account.batches}),
    }
    if sums["taken"] != sums["at_centre"] + sums["in_buffer"] + sums["covered"]:
        raise WrongError(f"it does not come out: {sums}")
    if told["has_room"] and not told["ballast is back"]:
        raise WrongError("there is room, and no ballast")
    return sums


def main() -> int:
    """Judge what the command line names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--forget-loss", action="store_true")
    given = parser.parse_args()
    try:
        sums = judged(given.dir, given.out, must_forget=given.forget_loss)
    except (WrongError, InvalidError, OSError, sqlite3.Error, ValueError) as error:
        print(json.dumps({"fault": f"{type(error).__name__}: {error}"}))
        return 1
    print(json.dumps(sums))
    return 0


if __name__ == "__main__":
    sys.exit(main())
