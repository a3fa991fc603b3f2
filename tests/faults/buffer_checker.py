"""Judges a buffer after a power cut, from docs/wire-format.md alone: none of the product's code.

usage: python -m tests.faults.buffer_checker DIR 'ack <batch_no> <batch_hash>' [--reopen]
Every batch up to the promised one is held or has its receipt, no byte of any differs from what was
signed, and the chain has no hole. With --reopen the product then opens the buffer too, and may
neither set it aside nor lose sight of a batch. Prints one JSON object; exit code 1 on any fault.
"""

import argparse
import asyncio
import hashlib
import json
import sqlite3
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME: Final = "buffer.db"
# The two keys of buffer_workload.py.
GATEWAY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32))).public_key()
CENTRE: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64))).public_key()
BATCH_CONTEXT: Final = b"EmissionWatch batch signature v1\0"
RECEIPT_CONTEXT: Final = b"EmissionWatch receipt v1\0"
MAX_PAYLOAD: Final = 4_194_304


class WrongError(Exception):
    """Something was lost or differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One stored batch with the header fields that matter here (section 2)."""

    batch_no: int
    batch_hash: bytes
    header: bytes
    signature: bytes
    body: bytes

    @property
    def has_readings(self) -> bool:
        """Whether this is a zstd frame (RFC 8878 section 3.1.1) and no headstone."""
        return self.body[:4] == bytes.fromhex("28b52ffd")

    def field(self, form: str, offset: int) -> int:
        """Return one integer of the header."""
        return int(struct.unpack_from(form, self.header, offset)[0])


def judge(database: Path, mark: str) -> dict[str, int]:
    """Return counts of what was found.

    Raises:
        WrongError, sqlite3.Error: the buffer is not what was promised.

    """
    promised_no, promised_hash = int(mark.split()[1]), mark.split()[2]
    connection = sqlite3.connect(database)
    (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    if integrity != "ok":
        raise WrongError(f"integrity_check: {integrity}")
    batches = list(_batches(connection))
    given_up = {number for batch in batches for number in _declared(_verified_events(batch))}
    for before, batch in pairwise(batches):
        _verify_link(before, batch)
    runs = list(_runs(connection))
    held = {batch.batch_no for batch in batches}
    receipted = {number for first, last in runs for number in range(first, last + 1)}
    newest = max(held, default=-1)
    missing = [number for number in range(newest + 1) if number not in held | receipted]
    if missing:
        raise WrongError(f"batches {missing[:5]} are gone without a receipt")
    stones = {batch.batch_no for batch in batches if not batch.has_readings}
    # Who said so may be gone itself, against its receipt.
    is_told = max(set(range(newest + 1)) - held, default=-1) < min(stones, default=0)
    if is_told and stones - given_up:
        raise WrongError(f"readings of {sorted(stones - given_up)[:5]} are gone without a word")
    if newest < promised_no:
        raise WrongError(f"newest batch is {newest}, {promised_no} was promised")
    found = [batch.batch_hash.hex() for batch in batches if batch.batch_no == promised_no]
    if found and found != [promised_hash]:
        raise WrongError(f"batch {promised_no} is not the one that was promised")
    if not found and promised_no not in receipted:
        raise WrongError(f"batch {promised_no} is gone")
    connection.close()
    return {"promised": promised_no, "newest": newest, "held": len(held), "runs": len(runs)}


def _batches(connection: sqlite3.Connection) -> Iterator[Batch]:
    (chains,) = connection.execute("SELECT count(DISTINCT chain_id) FROM batch").fetchone()
    if chains != 1:
        raise WrongError(f"{chains} chains, the workload made one")
    for batch_no, batch_hash, header, signature, body in connection.execute(
        "SELECT batch_no, batch_hash, header, signature, body FROM batch ORDER BY batch_no"
    ):
        yield Batch(
            batch_no=batch_no,
            batch_hash=batch_hash,
            header=header,
            signature=signature,
            body=body,
        )


def _verified_events(batch: Batch) -> bytes:
    """Return the events of a batch once number, name, signature and payload are checked.

    Of a headstone (section 9) the hashes are not folded here: full_disk_checker.py does that.
    """
    if batch.field("<Q", 48) != batch.batch_no:
        raise WrongError(f"batch {batch.batch_no}: its header has another number")
    if hashlib.sha256(b"\x02" + batch.header).digest() != batch.batch_hash:
        raise WrongError(f"batch {batch.batch_no}: header and hash differ")
    try:
        GATEWAY.verify(batch.signature, BATCH_CONTEXT + batch.header)
    except InvalidSignature as error:
        raise WrongError(f"batch {batch.batch_no}: signature") from error
    if not batch.has_readings:
        (hash_count,) = struct.unpack_from("<I", batch.body, 4)
        return batch.body[8 + 32 * hash_count + 4 :]
    payload = zstandard.ZstdDecompressor().decompress(batch.body, max_output_size=MAX_PAYLOAD)
    if hashlib.sha256(payload).digest() != batch.header[152:184]:
        raise WrongError(f"batch {batch.batch_no}: payload")
    (readings_length,) = struct.unpack_from("<I", payload)
    return payload[4 + readings_length + 4 :]


def _declared(events: bytes) -> Iterator[int]:
    """Yield the numbers of the batches that the loss events among these lines name."""
    for event in map(json.loads, events.splitlines()):
        if event["type"] == "loss":
            yield from range(int(event["first_batch"]), int(event["last_batch"]) + 1)


def _verify_link(before: Batch, batch: Batch) -> None:
    """Check what a batch owes to its neighbour; behind a hole there is none."""
    if batch.batch_no != before.batch_no + 1:
        return
    if batch.header[120:152] != before.batch_hash:
        raise WrongError(f"batch {batch.batch_no}: previous hash")
    if batch.field("<Q", 56) != before.field("<Q", 56) + before.field("<I", 64):
        raise WrongError(f"batch {batch.batch_no}: first_seq")


def _runs(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Yield first and last number of each run of receipted batches, its receipt verified."""
    (start,) = connection.execute("SELECT min(first_position) FROM chain").fetchone()
    for first, last, receipt in connection.execute(
        "SELECT first_position, last_position, receipt FROM receipt"
    ):
        try:
            CENTRE.verify(receipt[121:], RECEIPT_CONTEXT + receipt[:121])
        except InvalidSignature as error:
            raise WrongError(f"receipt of {first} to {last}: signature") from error
        if struct.unpack_from("<Q", receipt, 64)[0] != last - start:
            raise WrongError(f"receipt of {first} to {last}: about another batch")
        yield first - start, last - start


def _reopen(folder: Path, newest: int) -> None:
    """Let the product open the buffer as a restarted agent would."""
    from tests.faults.buffer_workload import reopened  # noqa: PLC0415 - only here is the product's code wanted

    went_on_from = asyncio.run(reopened(folder))
    if went_on_from != newest:
        raise WrongError(f"the product went on from batch {went_on_from}, newest is {newest}")
    if (folder / "quarantine").exists():
        raise WrongError("the product set the buffer aside")


def main() -> int:
    """Judge the buffer of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("mark")
    parser.add_argument("--reopen", action="store_true")
    given = parser.parse_args()
    try:
        found = judge(given.dir / NAME, given.mark)
        if given.reopen:
            _reopen(given.dir, found["newest"])
    except (WrongError, sqlite3.Error, zstandard.ZstdError) as error:
        print(json.dumps({"fault": f"{type(error).__name__}: {error}"}))
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
