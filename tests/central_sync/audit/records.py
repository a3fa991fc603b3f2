"""Archives taken apart and put together again, for forgers."""

from dataclasses import replace
from pathlib import Path

from central_sync.proofs.archive import (
    ARCHIVE_CONTEXT,
    BATCHES,
    MANIFEST,
    SIGNATURE,
    Manifest,
    Record,
    pack_record,
    read_record,
)
from edge_agent.wire.signing import SigningKey


def line_files(archive: Path) -> list[Path]:
    """Return the files of all lines, the longest first."""
    files = [path for path in (archive / BATCHES).rglob("*") if path.is_file()]
    return sorted(files, key=lambda path: -path.stat().st_size)


def read(path: Path) -> list[Record]:
    """Return the records of a line."""
    with path.open("rb") as file:
        return list(iter(lambda: read_record(file.read), None))


def write(path: Path, records: list[Record]) -> None:
    """Put records in place of those of a line."""
    path.write_bytes(b"".join(pack_record(one.frame, one.receipt_bytes) for one in records))


def with_body(record: Record, body: bytes) -> Record:
    """Return a record with another body, its own hash put right."""
    return replace(record, frame=replace(record.frame, body=body))


def sign_again(archive: Path, key: SigningKey, manifest: Manifest) -> None:
    """Put another manifest in place, under a key."""
    packed = manifest.pack()
    (archive / MANIFEST).write_bytes(packed)
    (archive / SIGNATURE).write_bytes(key.sign(ARCHIVE_CONTEXT, packed))
