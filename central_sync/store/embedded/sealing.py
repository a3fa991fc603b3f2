"""Batches in SQLite whose bodies stand in a segment: the way back to them."""

import sqlite3
from dataclasses import replace

from central_sync.model import StoredBatch
from central_sync.store.port import StoreUnavailableError
from central_sync.store.segments import SegmentFolder
from edge_agent.wire.refusal import RefusedError


def whole(
    connection: sqlite3.Connection, batch: StoredBatch, segments: SegmentFolder
) -> StoredBatch:
    """Return a batch with its body, from the segment in which it was sealed if it was.

    Raises:
        StoreUnavailableError: the segment is not there, or not what it was.

    """
    if batch.body:
        return batch
    row = connection.execute(
        "select segment, start from sealed where batch_hash = ?", (batch.batch_hash,)
    ).fetchone()
    named = f"batch {batch.batch_no} of {batch.chain_id}"
    if row is None:
        raise StoreUnavailableError(f"{named}: its body is neither here nor in a segment")
    segment, start = row
    try:
        record = segments.record(segment, start, batch.batch_hash)
    except (OSError, RefusedError) as fault:
        path = segments.path(segment)
        raise StoreUnavailableError(f"{named}: {path}: {fault}") from fault
    return replace(batch, body=record.frame.body)
