"""Missing batches in SQLite: opened by what follows them, closed by arrival or by loss events."""

import sqlite3
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from central_sync.model import AlarmCode, Hole
from central_sync.store.admission import Candidate, Keep, Loss, Warned
from central_sync.store.embedded import alarms
from edge_agent.wire.vocabulary import Hash, Verdict

# An answer names up to 256 wanted batches (docs/wire-format.md section 12).
WANTED_AT_MOST: Final = 256
# A hole that was announced as filling must shrink within this time (same section).
OVERDUE_NS: Final = 24 * 3600 * 1_000_000_000


def any_of(connection: sqlite3.Connection, gateway_id: UUID) -> bool:
    """Return whether a gateway has an open hole."""
    row = connection.execute(
        "select 1 from hole where gateway_id = ? limit 1", (gateway_id.bytes,)
    ).fetchone()
    return row is not None


def wanted(connection: sqlite3.Connection, gateway_id: UUID) -> tuple[Hole, ...]:
    """Return the batches a gateway should send, lowest numbers first."""
    rows = connection.execute(
        "select chain_id, batch_no, batch_hash from hole where gateway_id = ?"
        " order by chain_id, batch_no limit ?",
        (gateway_id.bytes, WANTED_AT_MOST),
    )
    return tuple(
        Hole(chain_id=UUID(bytes=chain), batch_no=number, batch_hash=Hash(batch_hash))
        for chain, number, batch_hash in rows
    )


def update(
    connection: sqlite3.Connection,
    candidate: Candidate,
    decision: Keep,
    *,
    losses: Sequence[Loss],
    now_ns: int,
) -> None:
    """Note what a batch that was just stored does to the holes of its gateway."""
    header = candidate.header
    gateway, chain, number = header.gateway_id.bytes, header.chain_id.bytes, header.batch_no
    connection.execute(
        "delete from hole where gateway_id = ? and chain_id = ? and batch_no = ?",
        (gateway, chain, number),
    )
    connection.execute(
        "update hole set shrunk_ns = ? where gateway_id = ? and chain_id = ? and batch_no > ?",
        (now_ns, gateway, chain, number),
    )
    changed = {header.chain_id}
    if decision.hole is not None:
        _open(connection, gateway, decision.hole, is_headstone=False, now_ns=now_ns)
        changed.add(decision.hole.chain_id)
    if decision.verdict is Verdict.HEADSTONE:
        own = Hole(chain_id=header.chain_id, batch_no=number, batch_hash=candidate.batch_hash)
        _open(connection, gateway, own, is_headstone=True, now_ns=now_ns)
    for loss in losses:
        changed.add(loss.chain_id)
        connection.execute(
            "insert into loss (gateway_id, chain_id, first_batch, last_batch)"
            " values (?, ?, ?, ?) on conflict do nothing",
            (gateway, loss.chain_id.bytes, loss.first_batch, loss.last_batch),
        )
    for chain_id in changed:
        _close_covered(connection, header.gateway_id, chain_id, now_ns=now_ns)


def warn_overdue(connection: sqlite3.Connection, gateway_id: UUID, *, now_ns: int) -> None:
    """Raise HOLE for chains whose announced holes did not shrink for 24 h."""
    rows = connection.execute(
        "select distinct chain_id from hole where gateway_id = ? and shrunk_ns < ?",
        (gateway_id.bytes, now_ns - OVERDUE_NS),
    ).fetchall()
    for (chain,) in rows:
        chain_id = UUID(bytes=chain)
        detail = f"what is missing of chain {chain_id} did not arrive for 24 h"
        warned = Warned(code=AlarmCode.HOLE, subject=str(chain_id), detail=detail)
        alarms.raise_alarm(connection, warned, gateway_id=gateway_id, now_ns=now_ns)


def _open(
    connection: sqlite3.Connection, gateway: bytes, hole: Hole, *, is_headstone: bool, now_ns: int
) -> None:
    connection.execute(
        "insert into hole (gateway_id, chain_id, batch_no, batch_hash, is_headstone, opened_ns,"
        " shrunk_ns) values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        (
            gateway,
            hole.chain_id.bytes,
            hole.batch_no,
            hole.batch_hash,
            is_headstone,
            now_ns,
            now_ns,
        ),
    )


def _close_covered(
    connection: sqlite3.Connection, gateway_id: UUID, chain_id: UUID, *, now_ns: int
) -> None:
    """Close the holes of a chain that loss events cover, and its alarm with the last one."""
    where = (gateway_id.bytes, chain_id.bytes)
    holes = connection.execute(
        "select batch_no, is_headstone from hole where gateway_id = ? and chain_id = ?", where
    ).fetchall()
    losses = connection.execute(
        "select first_batch, last_batch from loss where gateway_id = ? and chain_id = ?"
        " order by first_batch",
        where,
    ).fetchall()
    open_count = len(holes)
    for last, is_headstone in holes:
        first = last if is_headstone else _first_missing(connection, where, last)
        if covers(losses, first=first, last=last):
            connection.execute(
                "delete from hole where gateway_id = ? and chain_id = ? and batch_no = ?",
                (*where, last),
            )
            open_count -= 1
    if not open_count:
        alarms.close_alarm(
            connection,
            AlarmCode.HOLE,
            gateway_id=gateway_id,
            subject=str(chain_id),
            now_ns=now_ns,
        )


def _first_missing(connection: sqlite3.Connection, where: tuple[bytes, bytes], last: int) -> int:
    """Return the first number that is missing in the run of missing numbers ending with `last`."""
    (below,) = connection.execute(
        "select max(batch_no) from batch where gateway_id = ? and chain_id = ? and batch_no < ?",
        (*where, last),
    ).fetchone()
    return 0 if below is None else int(below) + 1


def covers(losses: Sequence[tuple[int, int]], *, first: int, last: int) -> bool:
    """Return whether ranges (both ends inclusive, by rising start) cover first to last."""
    reached = first
    for start, end in losses:
        if start > reached:
            break
        reached = max(reached, end + 1)
    return reached > last
