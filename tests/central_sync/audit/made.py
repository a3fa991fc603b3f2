"""Archives made by hand, of whatever batches and verdicts a test wants, under real signatures."""

from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby, pairwise
from pathlib import Path

from central_sync.proofs.archive import (
    ARCHIVE_CONTEXT,
    CHECKPOINT,
    ENTRIES,
    LOG_KEY,
    MANIFEST,
    PROOF,
    RESULTS,
    SIGNATURE,
    Line,
    Manifest,
    pack_entry,
    pack_record,
)
from central_sync.proofs.entry import BatchEntry, FactEntry
from central_sync.proofs.note import Checkpoint, NoteKey
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.receipt import NO_LOG, BatchPlace, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.ingest.signed_chain import TEN, SignedChain
from tests.central_sync.proofs.naive import tree_hash

RECEIPT_KEY = SigningKey.from_seed(b"r" * 32)
LOG_KEY_PAIR = SigningKey.from_seed(b"l" * 32)
NAMED = NoteKey(name="log", key=LOG_KEY_PAIR.verifying_key)

Taken = tuple[SignedBatch, Verdict]
"""A batch and what the centre made of it, in the order in which it did."""


def fact(kind: str, **fields: str) -> FactEntry:
    """Return a fact."""
    return FactEntry(type=kind, at_ns=TEN, fields=fields)


def registered(chain: SignedChain) -> list[FactEntry]:
    """Return the facts with which the log of a centre that knows a gateway begins."""
    gateway = str(chain.gateway_id)
    return [
        fact("log_started", origin=NAMED.name, key=str(NAMED)),
        fact(
            "receipt_key",
            key_id=RECEIPT_KEY.key_id.hex(),
            public_key=RECEIPT_KEY.public_bytes.hex(),
        ),
        fact(
            "key_registered",
            gateway=gateway,
            key_id=chain.key.key_id.hex(),
            public_key=chain.key.public_bytes.hex(),
        ),
    ]


def make(
    folder: Path, facts: Sequence[FactEntry], taken: Sequence[Taken], *, unlogged: int = 0
) -> Path:
    """Write an archive of everything: first the facts were logged, then the batches.

    The first `unlogged` batches were accepted before there was a log.
    """
    log = [one.pack() for one in facts]
    records: list[tuple[SignedBatch, bytes]] = []
    for number, (batch, verdict) in enumerate(taken):
        log_index = NO_LOG if number < unlogged else len(log)
        place = BatchPlace.of(batch.header, batch.batch_hash)
        receipt = sign_receipt(
            RECEIPT_KEY, place, verdict=verdict, received_ns=TEN, log_index=log_index
        )
        if log_index != NO_LOG:
            log.append(BatchEntry.of(receipt).pack())
        records.append((batch, receipt.pack()))
    lines = tuple(_line(folder, group) for group in _by_chain(records))
    manifest = Manifest(
        origin=NAMED.name,
        log_size=len(log),
        made_ns=TEN,
        from_ns=None,
        to_ns=None,
        gateway_id=None,
        results_sha256=Hash(sha256(b"").digest()),
        lines=lines,
    )
    checkpoint = Checkpoint(origin=NAMED.name, size=len(log), root=tree_hash(log))
    packed = manifest.pack()
    files = {
        MANIFEST: packed,
        SIGNATURE: LOG_KEY_PAIR.sign(ARCHIVE_CONTEXT, packed),
        LOG_KEY: f"{NAMED}\n".encode(),
        CHECKPOINT: checkpoint.signed(LOG_KEY_PAIR),
        ENTRIES: b"".join(pack_entry(at, one) for at, one in enumerate(log[: len(facts)])),
        PROOF: b"",
        RESULTS: b"",
    }
    for name, octets in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(octets)
    return folder


def _by_chain(records: list[tuple[SignedBatch, bytes]]) -> list[list[tuple[SignedBatch, bytes]]]:
    """Return records in the order of an archive, by chain."""

    def order(one: tuple[SignedBatch, bytes]) -> tuple[bytes, int, bytes]:
        batch = one[0]
        return batch.header.chain_id.bytes, batch.header.batch_no, batch.batch_hash

    ordered = sorted(records, key=order)
    return [list(group) for _, group in groupby(ordered, key=lambda one: order(one)[0])]


def _line(folder: Path, records: list[tuple[SignedBatch, bytes]]) -> Line:
    """Write the records of a chain; return what the manifest says of it."""
    first, last = records[0][0].header, records[-1][0].header
    numbers = [batch.header.batch_no for batch, _ in records]
    line = Line(
        gateway_id=first.gateway_id,
        chain_id=first.chain_id,
        first_no=first.batch_no,
        last_no=last.batch_no,
        batch_count=len(records),
        last_hash=records[-1][0].batch_hash,
        missing=tuple((a + 1, b - 1) for a, b in pairwise(numbers) if b > a + 1),
    )
    path = folder / line.name
    path.parent.mkdir(parents=True)
    packed = [
        pack_record(
            BatchFrame(
                flags=FrameFlag(0),
                header_bytes=batch.header_bytes,
                signature=batch.signature,
                body=batch.body,
            ),
            receipt,
        )
        for batch, receipt in records
    ]
    path.write_bytes(b"".join(packed))
    return line
