"""Which stored batches are on a branch, in SQLite: a row beside the record, which never changes.

What arrives late can move batches above it from one line to the other: see `store.lines`.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from central_sync.store.admission import Candidate, Standing
from central_sync.store.lines import main_at
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash

QUARTER_NS: Final = 900 * 1_000_000_000
# docs/wire-format.md section 2.
LARGEST_BATCH_NO: Final = 2**63 - 1

Line = tuple[bytes, bytes]
"""A gateway and one of its chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    batch_id: int
    batch_hash: Hash
    prev_batch_hash: Hash
    is_branch: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A batch that changed its line; `quarters` are those of its readings."""

    batch_no: int
    is_branch: bool
    quarters: tuple[int, ...]


def note_branch(connection: sqlite3.Connection, batch_id: int) -> None:
    """Note that a batch is on a branch."""
    connection.execute("insert into branch (batch_id) values (?)", (batch_id,))


def is_forked(connection: sqlite3.Connection, line: Line) -> bool:
    """Return whether a chain has a branch; it looks through all branches there are."""
    row = connection.execute(
        "select 1 from branch cross join batch on id = batch_id"
        " where gateway_id = ? and chain_id = ? limit 1",
        line,
    ).fetchone()
    return row is not None


def became_head(connection: sqlite3.Connection, candidate: Candidate, *, now_ns: int) -> bool:
    """Let a batch of the main line be the head of its chain, if it is; return whether it is."""
    header = candidate.header
    row = connection.execute(
        "insert into chain (gateway_id, chain_id, head_no, head_hash, head_wall_ns,"
        " written_ns) values (?, ?, ?, ?, ?, ?) on conflict (gateway_id, chain_id)"
        " do update set head_no = excluded.head_no, head_hash = excluded.head_hash,"
        " head_wall_ns = excluded.head_wall_ns, written_ns = excluded.written_ns"
        " where excluded.head_no > head_no returning head_no",
        (
            header.gateway_id.bytes,
            header.chain_id.bytes,
            header.batch_no,
            candidate.batch_hash,
            header.wall_ns,
            now_ns,
        ),
    ).fetchone()
    return row is not None


def moved_by(connection: sqlite3.Connection, header: Header) -> list[Moved]:
    """Bring the lines above a batch that was just stored up to date; return what moved.

    It ends at the first number whose batch on the main line stays the same: as a rule at the next.
    """
    line: Line = (header.gateway_id.bytes, header.chain_id.bytes)
    moved: list[Moved] = []
    number = header.batch_no + 1
    level = _rows(connection, line, number)
    lower = _rows(connection, line, header.batch_no) if level else []
    while level:
        stored = {row.batch_hash for row in lower}
        main = main_at(
            [
                Standing(
                    batch_hash=row.batch_hash,
                    prev_batch_hash=row.prev_batch_hash,
                    is_behind=row.prev_batch_hash in stored,
                )
                for row in level
            ],
            _main(lower),
        )
        if main == _main(level):
            break
        moved += [
            _move(connection, number, row)
            for row in level
            if row.is_branch == (row.batch_hash == main)
        ]
        lower = _rows(connection, line, number)
        number += 1
        level = _rows(connection, line, number)
    if moved:
        _find_head(connection, line)
    return moved


def _main(level: list[_Row]) -> Hash | None:
    return next((row.batch_hash for row in level if not row.is_branch), None)


def _rows(connection: sqlite3.Connection, line: Line, number: int) -> list[_Row]:
    """Return the batches of one number, the one stored first first."""
    if number > LARGEST_BATCH_NO:
        return []
    rows = connection.execute(
        "select id, batch_hash, header, exists (select 1 from branch where batch_id = id)"
        " from batch where gateway_id = ? and chain_id = ? and batch_no = ? order by id",
        (*line, number),
    )
    return [
        _Row(
            batch_id=batch_id,
            batch_hash=batch_hash,
            prev_batch_hash=Header.unpack(header).prev_batch_hash,
            is_branch=bool(is_branch),
        )
        for batch_id, batch_hash, header, is_branch in rows
    ]


def _move(connection: sqlite3.Connection, number: int, row: _Row) -> Moved:
    """Put a batch on the other line."""
    if row.is_branch:
        connection.execute("delete from branch where batch_id = ?", (row.batch_id,))
    else:
        note_branch(connection, row.batch_id)
    quarters = connection.execute(
        "select q.quarter from batch b join batch_quarter q on q.gateway_id = b.gateway_id"
        " and q.quarter between b.at_min / ?2 - 1 and b.at_max / ?2 + 1 and q.batch_id = b.id"
        " where b.id = ?1",
        (row.batch_id, QUARTER_NS),
    ).fetchall()
    return Moved(
        batch_no=number,
        is_branch=not row.is_branch,
        quarters=tuple(quarter for (quarter,) in quarters),
    )


def _find_head(connection: sqlite3.Connection, line: Line) -> None:
    """Make the newest batch of the main line the head of its chain."""
    head_no, head_hash, header = connection.execute(
        "select batch_no, batch_hash, header from batch where gateway_id = ? and chain_id = ?"
        " and not exists (select 1 from branch where batch_id = id)"
        " order by batch_no desc limit 1",
        line,
    ).fetchone()
    connection.execute(
        "update chain set head_no = ?, head_hash = ?, head_wall_ns = ?"
        " where gateway_id = ? and chain_id = ?",
        (head_no, head_hash, Header.unpack(header).wall_ns, *line),
    )
