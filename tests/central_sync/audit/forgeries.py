"""Every way to alter an archive that we could think of, and what the auditor must name first."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from central_sync.ingest.receipt_key import load_receipt_key
from central_sync.proofs.archive import (
    BUNDLES,
    CHECKPOINT,
    ENTRIES,
    LOG_KEY,
    MANIFEST,
    PROFILES,
    PROOF,
    Manifest,
    Record,
    pack_entry,
    read_entries,
)
from central_sync.proofs.entry import FactEntry
from central_sync.proofs.note import Checkpoint, NoteKey
from edge_agent.wire.compression import compress, decompress
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import Receipt, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.audit.records import line_files, read, sign_again, with_body, write

Forge = Callable[[Path], None]


def change_records(archive: Path, change: Callable[[list[Record]], None]) -> None:
    path = line_files(archive)[0]
    records = read(path)
    change(records)
    write(path, records)


def remove_a_batch(archive: Path) -> None:
    change_records(archive, lambda records: records.__delitem__(3))


def remove_the_last_batch(archive: Path) -> None:
    change_records(archive, lambda records: records.__delitem__(-1))


def remove_the_first_batch(archive: Path) -> None:
    change_records(archive, lambda records: records.__delitem__(0))


def double_a_batch(archive: Path) -> None:
    change_records(archive, lambda records: records.insert(3, records[3]))


def swap_two_batches(archive: Path) -> None:
    change_records(archive, lambda records: records.insert(3, records.pop(4)))


def cut_a_line(archive: Path) -> None:
    path = line_files(archive)[0]
    path.write_bytes(path.read_bytes()[:-50])


def empty_a_line(archive: Path) -> None:
    line_files(archive)[0].write_bytes(b"")


def remove_a_line(archive: Path) -> None:
    line_files(archive)[0].unlink()


def swap_gateways(archive: Path) -> None:
    one, other = line_files(archive)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def alter_a_reading(archive: Path) -> None:
    path = line_files(archive)[0]
    records = read(path)
    frame = records[2].frame
    payload = bytearray(decompress(frame.body, Header.unpack(frame.header_bytes).payload_len))
    payload[800] ^= 1
    records[2] = with_body(records[2], compress(bytes(payload)))
    write(path, records)


def give_up_readings_unseen(archive: Path) -> None:
    """Put one batch's body in another's place."""
    path = line_files(archive)[0]
    records = read(path)
    records[2] = with_body(records[2], records[3].frame.body)
    write(path, records)


def exchange_receipts(archive: Path) -> None:
    path = line_files(archive)[0]
    records = read(path)
    one, other = records[2], records[3]
    records[2] = replace(one, receipt_bytes=other.receipt_bytes)
    records[3] = replace(other, receipt_bytes=one.receipt_bytes)
    write(path, records)


def forge_a_receipt(archive: Path) -> None:
    """Sign a receipt with a key that the centre never had."""
    path = line_files(archive)[0]
    records = read(path)
    real = Receipt.unpack(records[2].receipt_bytes)
    forged = sign_receipt(
        SigningKey.from_seed(b"f" * 32),
        real.place,
        verdict=real.verdict,
        received_ns=real.received_ns,
        log_index=real.log_index,
    )
    records[2] = replace(records[2], receipt_bytes=forged.pack())
    write(path, records)


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


def alter_the_bundle(archive: Path) -> None:
    (path,) = (archive / BUNDLES).iterdir()
    path.write_bytes(path.read_bytes().replace(b'"scale":"', b'"scale":"1', 1))


def remove_the_bundle(archive: Path) -> None:
    shutil.rmtree(archive / BUNDLES)


def alter_the_profile(archive: Path) -> None:
    (path,) = (archive / PROFILES).iterdir()
    path.write_bytes(path.read_bytes() + b"\n")


def remove_the_profile(archive: Path) -> None:
    shutil.rmtree(archive / PROFILES)


def add_a_profile(archive: Path) -> None:
    (archive / PROFILES / ("0" * 64)).write_bytes(b"x")


def add_a_file(archive: Path) -> None:
    (archive / "readme").write_text("trust me")


def add_a_line(archive: Path) -> None:
    path = line_files(archive)[0]
    shutil.copy(path, path.with_name(path.name[:-1] + "f"))


def widen_what_was_asked_for(archive: Path) -> None:
    path = archive / MANIFEST
    path.write_bytes(path.read_bytes().replace(b'"from_ns":null', b'"from_ns":"1"'))


def rewrite_an_entry(archive: Path) -> None:
    """Register another key for a gateway, in the log, without its owner."""
    path = archive / ENTRIES
    path.write_bytes(path.read_bytes().replace(b'"facility":"PLANT"', b'"facility":"PLANE"', 1))


def remove_an_entry(archive: Path) -> None:
    path = archive / ENTRIES
    entries = list(read_entries(path.read_bytes()))
    path.write_bytes(b"".join(pack_entry(*entry) for entry in entries[:-1]))


def add_an_entry(archive: Path) -> None:
    path = archive / ENTRIES
    entry = FactEntry(type="note", at_ns=0).pack()
    path.write_bytes(path.read_bytes() + pack_entry(10_000, entry))


def add_to_the_proof(archive: Path) -> None:
    (archive / PROOF).write_bytes(bytes(32))


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


def take_another_log_key(archive: Path) -> None:
    key = SigningKey.from_seed(b"f" * 32)
    name = NoteKey.parse((archive / LOG_KEY).read_text().strip()).name
    (archive / LOG_KEY).write_text(f"{NoteKey(name=name, key=key.verifying_key)}\n")


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


FORGERIES: Final[dict[Forge, str]] = {
    remove_a_batch: "chain ",
    remove_the_last_batch: "chain ",
    remove_the_first_batch: "chain ",
    double_a_batch: "batch 3 of chain ",
    swap_two_batches: "batch 3 of chain ",
    cut_a_line: "record 12 of chain ",
    empty_a_line: "chain ",
    remove_a_line: "batches/",
    swap_gateways: "batch 0 of chain ",
    alter_a_reading: "record 2 of chain ",
    give_up_readings_unseen: "record 2 of chain ",
    exchange_receipts: "record 2 of chain ",
    forge_a_receipt: "record 2 of chain ",
    move_a_receipt_with_the_real_key: "log",
    accept_what_was_refused: "record 8 of chain ",
    alter_the_bundle: "bundles/",
    remove_the_bundle: "bundles/",
    alter_the_profile: "profiles/",
    remove_the_profile: "profiles/",
    add_a_profile: "profiles/",
    add_a_file: "readme",
    add_a_line: "batches/",
    widen_what_was_asked_for: "manifest.json",
    rewrite_an_entry: "log",
    remove_an_entry: "log",
    add_an_entry: "log",
    add_to_the_proof: "log",
    rewrite_the_log: "log",
    shorten_the_checkpoint: "log/checkpoint",
    take_another_log_key: "log/key",
    leave_a_batch_out_of_everything: "log",
}
