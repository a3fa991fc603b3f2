"""Missing batches in SQLite: opened by what follows them, closed by arrival or by loss events.

What loss events say is in `losses`.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from central_sync.model import AlarmCode, Hole
from central_sync.store.admission import Candidate, Keep, Loss, Previous, Warned
from central_sync.store.embedded import alarms, losses
from central_sync.store.embedded.lines import LARGEST_BATCH_NO, Line, is_forked
from edge_agent.wire.vocabulary import Hash, Verdict

# An answer names up to 256 wanted batches (docs/wire-format.md section 12).
WANTED_AT_MOST: Final = 256
# A hole that was announced as filling must shrink within this time of contact (same section).
OVERDUE_NS: Final = 24 * 3600 * 1_000_000_000
# A silence longer than this, three times a gateway's longest back-off, is no contact.
CONTACT_NS: Final = 15 * 60 * 1_000_000_000


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


def note_receipt(
    connection: sqlite3.Connection, gateway_id: UUID, presented: Previous, *, now_ns: int
) -> None:
    """Raise SERVER_BEHIND for a receipt of ours whose batch is not here: we were set back.

    What the receipt is about is missing from then on, and wanted.
    """
    line = (gateway_id.bytes, presented.chain_id.bytes)
    if _is_stored(connection, line, presented.batch_no, presented.batch_hash):
        return
    detail = f"we gave a receipt for batch {presented.batch_no} of {presented.chain_id}: not here"
    warned = Warned(code=AlarmCode.SERVER_BEHIND, subject=str(presented.chain_id), detail=detail)
    alarms.raise_alarm(connection, warned, gateway_id=gateway_id, now_ns=now_ns)
    hole = Hole(
        chain_id=presented.chain_id,
        batch_no=presented.batch_no,
        batch_hash=presented.batch_hash,
    )
    _open(connection, gateway_id.bytes, hole, is_headstone=False, now_ns=now_ns)
    _settle(connection, {(line, hole.batch_no)}, set(), now_ns=now_ns)


def note_silence(connection: sqlite3.Connection, gateway_id: UUID, *, now_ns: int) -> None:
    """Leave a long silence out of the time in which the holes of a gateway should have shrunk."""
    row = connection.execute(
        "select last_seen_ns from gateway_state where gateway_id = ?", (gateway_id.bytes,)
    ).fetchone()
    silence_ns = 0 if row is None else now_ns - int(row[0])
    if silence_ns > CONTACT_NS:
        connection.execute(
            "update hole set shrunk_ns = shrunk_ns + ? where gateway_id = ?",
            (silence_ns, gateway_id.bytes),
        )


def update(
    connection: sqlite3.Connection,
    candidate: Candidate,
    decision: Keep,
    *,
    lost: Sequence[Loss],
    now_ns: int,
) -> None:
    """Note what a batch that was just stored does to the holes of its gateway."""
    header = candidate.header
    own: Line = (header.gateway_id.bytes, header.chain_id.bytes)
    closed = {own} if _close(connection, own, header.batch_no, candidate.batch_hash) else set()
    doubtful = _doubtful(connection, candidate, decision, lost=lost, now_ns=now_ns)
    _settle(connection, doubtful, closed, now_ns=now_ns)


def _settle(
    connection: sqlite3.Connection,
    doubtful: set[tuple[Line, int]],
    closed: set[Line],
    *,
    now_ns: int,
) -> None:
    """Close those of the doubtful holes that loss events cover, and the alarms of whole chains.

    Below a batch that is lost by name the next one may be missing, too: it is wanted then. A chain
    without a hole lacks nothing any more that is known of: its alarms for that close.

    Args:
        connection: in a transaction.
        doubtful: lines, and with which number holes of theirs end.
        closed: lines of which a hole was closed already.
        now_ns: UTC ns.

    """
    while doubtful:
        line, ending = doubtful.pop()
        for below in _without_lost(connection, line, ending):
            closed.add(line)
            if below is not None:
                _open(connection, line[0], below, is_headstone=False, now_ns=now_ns)
                doubtful.add((line, below.batch_no))
        if _close_by_number(connection, line, ending):
            closed.add(line)
    for gateway, chain in closed:
        if _lowest(connection, (gateway, chain), 0) is None:
            for code in (AlarmCode.HOLE, AlarmCode.SERVER_BEHIND):
                alarms.close_alarm(
                    connection,
                    code,
                    gateway_id=UUID(bytes=gateway),
                    subject=str(UUID(bytes=chain)),
                    now_ns=now_ns,
                )


def _doubtful(
    connection: sqlite3.Connection,
    candidate: Candidate,
    decision: Keep,
    *,
    lost: Sequence[Loss],
    now_ns: int,
) -> set[tuple[Line, int]]:
    """Open and change holes, and note losses; return the holes that may be given up by now.

    These are few, however many there are: nothing here may grow with what a gateway left out.
    """
    header = candidate.header
    own: Line = (header.gateway_id.bytes, header.chain_id.bytes)
    number = header.batch_no
    doubtful: set[tuple[Line, int]] = set()
    above = _lowest(connection, own, number + 1)
    if above is not None:  # it ends the run of missing numbers in which this batch was
        doubtful.add((own, above))
        connection.execute(
            "update hole set shrunk_ns = ? where gateway_id = ? and chain_id = ? and batch_no = ?",
            (now_ns, *own, above),
        )
    if decision.hole is not None:
        _open(connection, own[0], decision.hole, is_headstone=False, now_ns=now_ns)
        doubtful.add(((own[0], decision.hole.chain_id.bytes), decision.hole.batch_no))
    if decision.verdict is Verdict.HEADSTONE:
        hole = Hole(chain_id=header.chain_id, batch_no=number, batch_hash=candidate.batch_hash)
        _open(connection, own[0], hole, is_headstone=True, now_ns=now_ns)
        doubtful.add((own, number))
    for loss in lost:
        line = (own[0], loss.chain_id.bytes)
        first, last = losses.note(connection, line, loss)
        doubtful.update((line, ending) for ending in _ending(connection, line, first, last))
    return doubtful


def warn_overdue(connection: sqlite3.Connection, gateway_id: UUID, *, now_ns: int) -> None:
    """Raise HOLE for chains whose lowest hole did not shrink in time: it is filled first."""
    rows = connection.execute(
        "select distinct chain_id from hole h where gateway_id = ? and shrunk_ns < ? and not exists"
        " (select 1 from hole l where l.gateway_id = h.gateway_id and l.chain_id = h.chain_id"
        " and l.batch_no < h.batch_no) limit ?",
        (gateway_id.bytes, now_ns - OVERDUE_NS, alarms.OPEN_AT_MOST),
    ).fetchall()
    for (chain,) in rows:
        chain_id = UUID(bytes=chain)
        detail = f"what is missing of chain {chain_id} did not arrive in 24 h of contact"
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


def _close(connection: sqlite3.Connection, line: Line, number: int, batch_hash: Hash) -> bool:
    """Close the hole that ends with a batch; return whether there was one."""
    count = connection.execute(
        "delete from hole where gateway_id = ? and chain_id = ? and batch_no = ?"
        " and batch_hash = ?",
        (*line, number, batch_hash),
    ).rowcount
    return count > 0


def _lowest(connection: sqlite3.Connection, line: Line, number: int) -> int | None:
    """Return with which number the lowest hole of a chain ends that ends with `number` or above."""
    row = connection.execute(
        "select batch_no from hole where gateway_id = ? and chain_id = ? and batch_no >= ?"
        " order by batch_no limit 1",
        (*line, min(number, LARGEST_BATCH_NO)),
    ).fetchone()
    return None if row is None else int(row[0])


def _ending(connection: sqlite3.Connection, line: Line, first: int, last: int) -> list[int]:
    """Return with which numbers the holes of a chain end that end within first to last."""
    rows = connection.execute(
        "select distinct batch_no from hole where gateway_id = ? and chain_id = ?"
        " and batch_no between ? and ?",
        (*line, first, last),
    )
    return [number for (number,) in rows]


def _without_lost(connection: sqlite3.Connection, line: Line, ending: int) -> list[Hole | None]:
    """Close the holes that are batches of this number lost by name; return one for each of them.

    It is what was before the lost batch, where that is missing; None where it is not, and for the
    first batch of a chain: what that continued is lost with it.
    """
    return [
        None
        if ending == 0 or _is_stored(connection, line, ending - 1, before)
        else Hole(chain_id=UUID(bytes=line[1]), batch_no=ending - 1, batch_hash=before)
        for batch_hash, before in losses.names(connection, line, ending)
        if _close(connection, line, ending, batch_hash)
    ]


def _close_by_number(connection: sqlite3.Connection, line: Line, ending: int) -> bool:
    """Close the holes that end with a number where losses cover them; tell if there was one.

    A headstone is one number; a missing batch is the end of all that is missing below it. Of a
    chain with two lines numbers do not tell which is meant.
    """
    (below,) = connection.execute(
        "select max(batch_no) from batch where gateway_id = ? and chain_id = ? and batch_no < ?",
        (*line, ending),
    ).fetchone()
    first_missing = 0 if below is None else int(below) + 1
    is_alone = losses.are_readings(connection, line, ending)
    is_whole = losses.are_batches(
        connection, line, first=first_missing, last=ending
    ) and not is_forked(connection, line)
    count = connection.execute(
        "delete from hole where gateway_id = ?1 and chain_id = ?2 and batch_no = ?3"
        " and ((is_headstone and ?4) or ?5)",
        (*line, ending, is_alone, is_whole),
    ).rowcount
    return count > 0


def _is_stored(connection: sqlite3.Connection, line: Line, number: int, batch_hash: Hash) -> bool:
    row = connection.execute(
        "select 1 from batch where gateway_id = ? and chain_id = ? and batch_no = ?"
        " and batch_hash = ?",
        (*line, number, batch_hash),
    ).fetchone()
    return row is not None
