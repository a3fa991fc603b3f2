"""What signed events say is lost, in SQLite: by number, or by name.

By number it may be whatever has the number, on either line of a chain; by name it is one batch.
"""

import sqlite3
from typing import Final

from central_sync.store.admission import Loss
from central_sync.store.embedded.lines import LARGEST_BATCH_NO, Line
from edge_agent.wire.vocabulary import Hash

# Of what has a number: all of it, or only its readings, whose headstone still comes.
ALL: Final = 0
READINGS: Final = 1


def note(connection: sqlite3.Connection, line: Line, loss: Loss) -> tuple[int, int]:
    """Keep what a loss event says of a chain; return the numbers of which it may be news."""
    if loss.named is None:
        kind = READINGS if loss.leaves_headstones else ALL
        return note_numbers(connection, line, kind, first=loss.first_batch, last=loss.last_batch)
    number = loss.last_batch
    if number <= LARGEST_BATCH_NO:
        connection.execute(
            "insert into lost_batch (gateway_id, chain_id, batch_no, batch_hash, prev_batch_hash)"
            " values (?, ?, ?, ?, ?) on conflict do nothing",
            (*line, number, loss.named.batch_hash, loss.named.prev_batch_hash),
        )
    return number, number


def names(connection: sqlite3.Connection, line: Line, number: int) -> list[tuple[Hash, Hash]]:
    """Return the batches of a number that are lost by name, each with the one before it."""
    rows = connection.execute(
        "select batch_hash, prev_batch_hash from lost_batch"
        " where gateway_id = ? and chain_id = ? and batch_no = ?",
        (*line, number),
    )
    return [(Hash(batch_hash), Hash(before)) for batch_hash, before in rows]


def note_numbers(
    connection: sqlite3.Connection, line: Line, kind: int, *, first: int, last: int
) -> tuple[int, int]:
    """Add lost numbers (both inclusive); return the whole range that they make with others.

    Ranges that overlap or touch are kept as one, so that what they cover is found in one look
    however many there are.
    """
    last = min(last, LARGEST_BATCH_NO - 1)
    if first > last:
        return first, last
    own = (*line, kind)
    touching = connection.execute(
        "select first_batch, last_batch from (select * from loss where gateway_id = ?1"
        " and chain_id = ?2 and leaves_headstones = ?3 and first_batch < ?4"
        " order by first_batch desc limit 1) where last_batch >= ?4 - 1"
        " union all select first_batch, last_batch from loss where gateway_id = ?1"
        " and chain_id = ?2 and leaves_headstones = ?3 and first_batch between ?4 and ?5 + 1",
        (*own, first, last),
    ).fetchall()
    connection.executemany(
        "delete from loss where gateway_id = ? and chain_id = ? and leaves_headstones = ?"
        " and first_batch = ? and last_batch = ?",
        [(*own, *ends) for ends in touching],
    )
    first = min([first, *(start for start, _ in touching)])
    last = max([last, *(end for _, end in touching)])
    connection.execute(
        "insert into loss (gateway_id, chain_id, leaves_headstones, first_batch, last_batch)"
        " values (?, ?, ?, ?, ?)",
        (*own, first, last),
    )
    return first, last


def are_batches(connection: sqlite3.Connection, line: Line, *, first: int, last: int) -> bool:
    """Return whether all that has a number from first to last is lost."""
    return _is_covered(connection, line, ALL, first=first, last=last)


def are_readings(connection: sqlite3.Connection, line: Line, number: int) -> bool:
    """Return whether the readings of what has a number are lost."""
    return any(
        _is_covered(connection, line, kind, first=number, last=number) for kind in (ALL, READINGS)
    )


def _is_covered(
    connection: sqlite3.Connection, line: Line, kind: int, *, first: int, last: int
) -> bool:
    row = connection.execute(
        "select last_batch from loss where gateway_id = ? and chain_id = ?"
        " and leaves_headstones = ? and first_batch <= ? order by first_batch desc limit 1",
        (*line, kind, first),
    ).fetchone()
    return row is not None and int(row[0]) >= last
