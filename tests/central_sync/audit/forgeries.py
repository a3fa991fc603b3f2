"""Every way to alter an archive that we could think of, and what the auditor must name first."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from central_sync.proofs.archive import (
    BUNDLES,
    ENTRIES,
    LOG_KEY,
    MANIFEST,
    PROFILES,
    PROOF,
    RESULTS,
    Record,
    pack_entry,
    read_entries,
)
from central_sync.proofs.entry import FactEntry
from central_sync.proofs.note import NoteKey
from edge_agent.wire.compression import compress, decompress
from edge_agent.wire.header import Header
from edge_agent.wire.receipt import Receipt, sign_receipt
from edge_agent.wire.signing import SigningKey
from tests.central_sync.audit.lies import (
    accept_what_was_refused,
    leave_a_batch_out_of_everything,
    move_a_receipt_with_the_real_key,
    rewrite_the_log,
    shorten_the_checkpoint,
)
from tests.central_sync.audit.records import line_files, read, with_body, write

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


def take_another_log_key(archive: Path) -> None:
    key = SigningKey.from_seed(b"f" * 32)
    name = NoteKey.parse((archive / LOG_KEY).read_text().strip()).name
    (archive / LOG_KEY).write_text(f"{NoteKey(name=name, key=key.verifying_key)}\n")


def alter_a_result(archive: Path) -> None:
    path = archive / RESULTS
    path.write_bytes(path.read_bytes().replace(b'"is_valid":true', b'"is_valid":false', 1))


def alter_the_inputs_of_a_result(archive: Path) -> None:
    path = archive / RESULTS
    path.write_bytes(path.read_bytes().replace(b'"input_hash":"', b'"input_hash":"00', 1))


def move_a_result(archive: Path) -> None:
    path = archive / RESULTS
    path.write_bytes(path.read_bytes().replace(b'"revision":"1"', b'"revision":"2"', 1))


def remove_a_result(archive: Path) -> None:
    path = archive / RESULTS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


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
    alter_a_result: "results, line 1",
    alter_the_inputs_of_a_result: "results",
    move_a_result: "results",
    remove_a_result: "results",
}
