"""Opens stored batches for calculation: what of the record goes in, and in which portions."""

from collections.abc import Iterable, Iterator
from typing import Final

from central_sync.model import StoredBatch
from central_sync.model.arrow import stored_rows
from central_sync.programs.channels import OpenedBatch
from edge_agent.wire.vocabulary import BatchFlag

CHUNK_ROWS: Final = 65_536
"""Rows worked on at once, about 10 MB of arrays: the size of the largest batch."""


def opened(stored: StoredBatch) -> OpenedBatch:
    """Return the rows of a stored batch, opened against its signed header.

    Raises:
        RefusedError: the record no longer holds what was signed.

    """
    header = stored.header
    return OpenedBatch(
        batch_hash=stored.batch_hash,
        config_hash=header.config_hash,
        first_seq=header.first_seq,
        is_clock_trusted=not header.flags & BatchFlag.CLOCK_UNTRUSTED,
        rows=stored_rows(header, stored.body),
    )


def portions(batches: Iterable[OpenedBatch]) -> Iterator[list[OpenedBatch]]:
    """Yield batches in order, in groups of CHUNK_ROWS rows or little more."""
    group: list[OpenedBatch] = []
    row_count = 0
    for batch in batches:
        group.append(batch)
        row_count += len(batch.rows)
        if row_count >= CHUNK_ROWS:
            yield group
            group, row_count = [], 0
    if group:
        yield group
