"""The SQLite files that the checker reads, opened read-only: a centre's and a gateway's.

A file is read as it stands, row by row; whether the columns beside the bytes agree with them is
judged here, whether the bytes are right is not.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ewcheck.faults import InputError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ewcheck.batch import Batch

CENTRE_COLUMNS = (
    "gateway_id, chain_id, batch_no, batch_hash, verdict, header, signature, body, receipt,"
    " at_min, at_max, record_count"
)
BUFFER_COLUMNS = (
    "chain_id, batch_no, batch_hash, header, signature, body, receipted AS is_receipted"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One row of a `batch` table; what a gateway's buffer has no column for is None."""

    chain_id: bytes
    batch_no: int
    batch_hash: bytes
    header: bytes
    signature: bytes
    body: bytes | None
    gateway_id: bytes | None = None
    verdict: int | None = None
    receipt: bytes | None = None
    at_min: int | None = None
    at_max: int | None = None
    record_count: int | None = None
    is_receipted: bool = False

    @property
    def name(self) -> str:
        """Chain, number and hash as the columns have them."""
        return f"{self.chain_id.hex()[:8]}/{self.batch_no}/{self.batch_hash.hex()[:12]}"


def _rows(path: Path, columns: str) -> Iterator[Stored]:
    """Yield the rows of table `batch` of one snapshot; InputError if it cannot be read.

    What SQLite holds in a column is judged by its use.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            query = f"SELECT {columns} FROM batch ORDER BY chain_id, batch_no"  # noqa: S608 - constants
            found = connection.execute(query)
            names = [name for name, *_ in found.description]
            for row in found:
                yield Stored(**dict(zip(names, row, strict=True)))
    except sqlite3.Error as error:
        raise InputError(f"{path}: {error}") from error


def centre_batches(path: Path) -> Iterator[Stored]:
    """Return every batch of a centre's file."""
    return _rows(path, CENTRE_COLUMNS)


def buffer_batches(path: Path) -> Iterator[Stored]:
    """Return every batch of a gateway's buffer file."""
    return _rows(path, BUFFER_COLUMNS)


def check_columns(stored: Stored, batch: Batch) -> None:
    """Raise InvalidError unless the columns say what the bytes say."""
    header = batch.header
    times = [row.at for row in batch.rows]
    wanted: tuple[tuple[str, object, object], ...] = (
        ("chain_id", stored.chain_id, header.chain_id),
        ("batch_no", stored.batch_no, header.batch_no),
        ("batch_hash", stored.batch_hash, header.batch_hash),
        ("gateway_id", stored.gateway_id, header.gateway_id),
        ("record_count", stored.record_count, header.record_count),
        ("at_min", stored.at_min, min(times, default=None)),
        ("at_max", stored.at_max, max(times, default=None)),
    )
    for column, said, real in wanted:
        if said is not None and real is not None and said != real:
            raise InvalidError(f"column {column}: {said!r}, the bytes say {real!r}")
