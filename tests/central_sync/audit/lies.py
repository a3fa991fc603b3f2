"""Archives that the centre itself falsified, with its real keys."""

from dataclasses import replace
from pathlib import Path

from central_sync.ingest.receipt_key import load_receipt_key
from central_sync.proofs.archive import (
    CHECKPOINT,
    LOG_KEY,
    MANIFEST,
    Manifest,
)
from central_sync.proofs.note import Checkpoint, NoteKey
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import Receipt, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.audit.records import line_files, read, sign_again, write


def move_a_receipt_with_the_real_key(archive: Path) -> None:
    """Say that a batch came earlier than it did: the centre itself lies."""
    path = line_files(archive)[0]
    records = read(path)
    real = Receipt.unpack(records[2].receipt_bytes)
    forged = sign_receipt(
        load_receipt_key(archive.parent / "state" / "receipt.key"),
        real.place,
        verdict=real.verdict,
        received_ns=real.received_ns - 3_600_000_000_000,
        log_index=real.log_index,
    )
    records[2] = replace(records[2], receipt_bytes=forged.pack())
    write(path, records)


def accept_what_was_refused(archive: Path) -> None:
    """Turn evidence into data with the real key: its content still breaks the format."""
    path = line_files(archive)[0]
    records = read(path)
    for place, record in enumerate(records):
        real = Receipt.unpack(record.receipt_bytes)
        if real.verdict is Verdict.QUARANTINED:
            forged = sign_receipt(
                load_receipt_key(archive.parent / "state" / "receipt.key"),
                real.place,
                verdict=Verdict.ACCEPTED,
                received_ns=real.received_ns,
                log_index=real.log_index,
            )
            records[place] = replace(record, receipt_bytes=forged.pack())
    write(path, records)


def rewrite_the_log(archive: Path) -> None:
    """Sign another root with the log's real key: the centre itself lies."""
    key = log_key(archive)
    name = NoteKey.parse((archive / LOG_KEY).read_text().strip()).name
    note = (archive / CHECKPOINT).read_text().split("\n")
    forged = Checkpoint(origin=name, size=int(note[1]), root=Hash(b"x" * 32))
    (archive / CHECKPOINT).write_bytes(forged.signed(key))


def shorten_the_checkpoint(archive: Path) -> None:
    key = log_key(archive)
    name = NoteKey.parse((archive / LOG_KEY).read_text().strip()).name
    (archive / CHECKPOINT).write_bytes(
        Checkpoint(origin=name, size=1, root=Hash(b"x" * 32)).signed(key)
    )


def leave_a_batch_out_of_everything(archive: Path) -> None:
    """Export everything but the newest batch of a line, signed with the log's real key."""
    path = line_files(archive)[-1]
    records = read(path)
    write(path, records[:-1])
    manifest = Manifest.parse((archive / MANIFEST).read_bytes())
    last = Header.unpack(records[-2].frame.header_bytes)
    lines = tuple(
        replace(
            line,
            last_no=last.batch_no,
            batch_count=len(records) - 1,
            last_hash=Receipt.unpack(records[-2].receipt_bytes).batch_hash,
        )
        if line.name.endswith(path.name)
        else line
        for line in manifest.lines
    )
    sign_again(archive, log_key(archive), replace(manifest, lines=lines))


def log_key(archive: Path) -> SigningKey:
    """Return the real key of the log."""
    return load_receipt_key(archive.parent / "state" / "log.key")
