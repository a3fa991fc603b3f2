"""What is stored around one frame: the view on which the decision of `ingest.admit` rests."""

import sqlite3
from typing import Final
from uuid import UUID

from central_sync.store.admission import Candidate, Contents, Known, Previous, Sight
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash, Verdict

# What SQLite can be asked for (docs/wire-format.md section 2: below 2^63).
LARGEST_BATCH_NO: Final = 2**63 - 1


def sight(connection: sqlite3.Connection, candidate: Candidate) -> Sight:
    """Return what is stored around one candidate."""
    header = candidate.header
    number = header.batch_no
    around = {
        known.header.batch_no: known
        for known in _known(connection, header, header.chain_id, number - 1, number + 1)
    }
    if not header.is_genesis:
        before = around.get(number - 1)
        if before is not None and before.batch_hash != header.prev_batch_hash:
            before = None
        named = header.chain_id
    else:
        before, named = _named_by_genesis(connection, candidate)
    return Sight(
        same_number=around.get(number),
        before=before,
        after=around.get(number + 1),
        head_no=None if before is not None else _head_no(connection, header.gateway_id, named),
    )


def _named_by_genesis(
    connection: sqlite3.Connection, candidate: Candidate
) -> tuple[Known | None, UUID]:
    """Return the stored batch that a genesis continues, and the chain it must be in."""
    header = candidate.header
    contents = candidate.body
    if not isinstance(contents, Contents) or contents.previous is None:
        return None, header.chain_id
    wanted = contents.previous
    found = _known(connection, header, wanted.chain_id, wanted.batch_no, wanted.batch_no)
    same = [known for known in found if known.batch_hash == wanted.batch_hash]
    return (same[0] if same else None), wanted.chain_id


def _known(
    connection: sqlite3.Connection, header: Header, chain_id: UUID, first: int, last: int
) -> list[Known]:
    rows = connection.execute(
        "select header, batch_hash, verdict, receipt from batch"
        " where gateway_id = ? and chain_id = ? and batch_no between ? and ?",
        (header.gateway_id.bytes, chain_id.bytes, first, min(last, LARGEST_BATCH_NO)),
    )
    return [
        Known(
            header=Header.unpack(raw),
            batch_hash=batch_hash,
            verdict=Verdict(verdict),
            receipt=receipt,
        )
        for raw, batch_hash, verdict, receipt in rows
    ]


def _head_no(connection: sqlite3.Connection, gateway_id: UUID, chain_id: UUID) -> int | None:
    row = connection.execute(
        "select head_no from chain where gateway_id = ? and chain_id = ?",
        (gateway_id.bytes, chain_id.bytes),
    ).fetchone()
    return None if row is None else int(row[0])


def head(connection: sqlite3.Connection, gateway_id: UUID, chain_id: UUID) -> Previous | None:
    """Return the head of a chain, or else of the gateway's chain that was written last."""
    row = connection.execute(
        "select chain_id, head_no, head_hash from chain where gateway_id = ?"
        " order by chain_id = ? desc, written_ns desc limit 1",
        (gateway_id.bytes, chain_id.bytes),
    ).fetchone()
    if row is None:
        return None
    return Previous(chain_id=UUID(bytes=row[0]), batch_no=row[1], batch_hash=Hash(row[2]))
