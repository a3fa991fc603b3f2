"""What is stored around one frame: the view on which the decision of `ingest.admit` rests."""

import sqlite3
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from central_sync.store.admission import Candidate, Contents, Known, Previous, Sight, Standing
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash, Verdict

# What SQLite can be asked for (docs/wire-format.md section 2: below 2^63).
LARGEST_BATCH_NO: Final = 2**63 - 1


def sight(connection: sqlite3.Connection, candidate: Candidate) -> Sight:
    """Return what is stored around one candidate."""
    header = candidate.header
    number = header.batch_no
    around = _known(connection, header, header.chain_id, number - 1, number + 1)
    lower = [one for one in around if one.header.batch_no == number - 1]
    level = [one for one in around if one.header.batch_no == number]
    if header.is_genesis:
        before, named = _named_by_genesis(connection, candidate)
    else:
        before, named = _found(lower, header.prev_batch_hash), header.chain_id
    others = [one for one in level if one.batch_hash != candidate.batch_hash]
    return Sight(
        same=_found(level, candidate.batch_hash),
        before=before,
        after=tuple(
            one
            for one in around
            if one.header.batch_no > number and one.header.prev_batch_hash == candidate.batch_hash
        ),
        beside=standing(others, lower),
        main_before=next((one.batch_hash for one in lower if not one.is_branch), None),
        head_no=None if before is not None else _head_no(connection, header.gateway_id, named),
    )


def standing(level: Iterable[Known], lower: Iterable[Known]) -> tuple[Standing, ...]:
    """Return the batches of one number as the rule of the main line sees them.

    Args:
        level: batches of one number of a chain.
        lower: all that are stored one number lower.

    """
    stored = {one.batch_hash for one in lower}
    return tuple(
        Standing(
            batch_hash=one.batch_hash,
            prev_batch_hash=one.header.prev_batch_hash,
            is_behind=one.header.prev_batch_hash in stored,
        )
        for one in level
    )


def _found(among: Iterable[Known], batch_hash: Hash) -> Known | None:
    return next((one for one in among if one.batch_hash == batch_hash), None)


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
    return _found(found, wanted.batch_hash), wanted.chain_id


def _known(
    connection: sqlite3.Connection, header: Header, chain_id: UUID, first: int, last: int
) -> list[Known]:
    """Return the stored batches of some numbers of a chain, the one stored first first."""
    rows = connection.execute(
        "select header, batch_hash, verdict, receipt,"
        " exists (select 1 from branch where batch_id = id) from batch"
        " where gateway_id = ? and chain_id = ? and batch_no between ? and ? order by id",
        (header.gateway_id.bytes, chain_id.bytes, first, min(last, LARGEST_BATCH_NO)),
    )
    return [
        Known(
            header=Header.unpack(raw),
            batch_hash=batch_hash,
            verdict=Verdict(verdict),
            receipt=receipt,
            is_branch=bool(is_branch),
        )
        for raw, batch_hash, verdict, receipt, is_branch in rows
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
