"""The newest batches of a buffer's file, read beside a running agent; nothing is verified here."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.reading import DAMAGE_ERRORS, opened_read_only
from edge_agent.buffer.table import IS_EMPTIED
from edge_agent.wire.header import Header


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch as it is stored.

    Attributes:
        position: its place among all batches of the buffer.
        batch_hash: that it is filed under.
        header: 312 bytes.
        signature: 64 bytes.
        body: compressed.
        is_receipted: whether the centre has it.
        is_headstone: whether its readings were given up.

    """

    position: int
    batch_hash: bytes
    header: bytes
    signature: bytes
    body: bytes
    is_receipted: bool
    is_headstone: bool = False


def batches_since(path: Path, since_ns: int) -> Iterator[Batch]:
    """Yield the batches that were sealed since then, oldest first.

    Args:
        path: of the buffer.
        since_ns: UTC ns.

    Raises:
        BufferUnavailableError: there is no buffer, or it cannot be read as one.

    """
    if not path.exists():
        raise BufferUnavailableError(f"{path}: there is no buffer yet; the agent makes it")
    try:
        with opened_read_only(path) as connection:
            first = _first_position(connection, since_ns)
            for *stored, receipted, is_emptied in connection.execute(_SINCE, (first,)):
                position, batch_hash, header, signature, body = stored
                yield Batch(
                    position=position,
                    batch_hash=batch_hash,
                    header=header,
                    signature=signature,
                    body=body,
                    is_receipted=bool(receipted),
                    is_headstone=bool(is_emptied) and Header.unpack(header).record_count > 0,
                )
    except DAMAGE_ERRORS as error:
        raise BufferUnavailableError(f"{path}: cannot be read as a buffer: {error}") from error


_SINCE: Final = (
    "SELECT position, batch_hash, header, signature, body, EXISTS ("  # noqa: S608 - a constant is put in
    " SELECT 1 FROM receipt"
    " WHERE position BETWEEN receipt.first_position AND receipt.last_position),"
    f" {IS_EMPTIED} FROM sealed WHERE position >= ? ORDER BY position"
)


def _first_position(connection: sqlite3.Connection, since_ns: int) -> int:
    """Return the position of the oldest batch since then; behind all where there is none."""
    first = 0
    for position, header in connection.execute(
        "SELECT position, header FROM sealed ORDER BY position DESC"
    ):
        if not first:
            first = position + 1
        if Header.unpack(header).wall_ns < since_ns:
            break
        first = position
    return first
