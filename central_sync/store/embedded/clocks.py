"""What is known of the clocks of gateways in SQLite (docs/calculations.md section 9).

An anchor is a batch whose clock was trusted, a doubt one whose clock was not. Doubts are looked at
again when an anchor arrives next to them, in a transaction of their own, some at a time.
"""

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import UUID

from central_sync.calc.clock_times import BatchClock, error_ns, spans
from central_sync.model import NOTHING_AROUND, Anchor, Around, StoredBatch
from central_sync.store.admission import Contents
from central_sync.store.embedded.database import Database
from central_sync.store.embedded.ledger import mark_quarters
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash

QUARTER_NS: Final = 900 * 1_000_000_000
LARGEST: Final = 2**63 - 1
# No hour before 1970, nor one whose end does not fit into 64 bits.
LAST_QUARTER: Final = (2**63 - 24 * 4 * QUARTER_NS) // QUARTER_NS
# A range of times makes at most a week of quarter-hours due.
QUARTERS_AT_MOST: Final = 7 * 24 * 4

_ANCHOR: Final = (
    "select b.chain_id, b.batch_no, b.batch_hash, a.mono_ns, a.wall_ns, a.error_ns"
    " from clock_anchor a join batch b on b.id = a.batch_id"
    " where a.gateway_id = :gateway and b.received_ns <= :until"
    # What a branch says of the time is said by a copy.
    " and not exists (select 1 from branch where batch_id = a.batch_id)"
)
_TIES: Final = "b.chain_id, b.batch_no limit 1"
_IN_BOOT: Final = " and a.boot_count = :count and a.boot_id = :boot"


class ClockTables:
    """The tables `clock_anchor` and `clock_doubt`."""

    _db: Database

    def around(self, stored: StoredBatch, *, until_ns: int | None = None) -> Around:
        """Return the batches of trusted clocks next to a stored one."""
        with self._db.read() as connection:
            return _around(connection, stored.header, LARGEST if until_ns is None else until_ns)

    def retime(self, limit: int) -> int:
        """Look again at batches of untrusted clocks around which more became known."""
        with self._db.read() as connection:
            if connection.execute("select 1 from clock_doubt where is_due").fetchone() is None:
                return 0
        with self._db.write() as connection:
            rows = connection.execute(
                "select d.batch_id, d.mono_min, d.mono_max, d.quarters, b.header, b.received_ns,"
                " b.at_min, b.at_max from clock_doubt d join batch b on b.id = d.batch_id"
                " where d.is_due limit ?",
                (limit,),
            ).fetchall()
            for row in rows:
                _looked_at_again(connection, _Doubt(*row))
        return len(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extent:
    """Smallest and largest time of a batch's rows, by wall clock and by CLOCK_BOOTTIME, ns."""

    at: tuple[int, int]
    mono: tuple[int, int]

    @classmethod
    def of(cls, contents: Contents) -> Self | None:
        """Return the extent of a batch; None where it has no rows."""
        at = (contents.at_min, contents.at_max)
        mono = (contents.mono_min, contents.mono_max)
        if at[0] is None or at[1] is None or mono[0] is None or mono[1] is None:
            return None
        return cls(at=(at[0], at[1]), mono=(mono[0], mono[1]))


def note(
    connection: sqlite3.Connection,
    header: Header,
    contents: Contents,
    batch_id: int,
    received_ns: int,
) -> set[int]:
    """Note what a batch says of its clock, on whichever line it stands.

    Returns the quarter-hours since 1970 in which it is found now besides those of its `at`.
    """
    trusted_ns = error_ns(header.wall_unc_ms)
    if trusted_ns is not None:
        _note_anchor(connection, header, batch_id, trusted_ns)
    extent = _Extent.of(contents)
    if extent is None or (trusted_ns is not None and not contents.has_step):
        return set()
    around = NOTHING_AROUND if trusted_ns is not None else _around(connection, header, LARGEST)
    found = _quarters(header, received_ns, extent, around) - set(contents.quarters)
    if trusted_ns is None:
        connection.execute(
            "insert into clock_doubt (gateway_id, boot_count, boot_id, mono_ns, batch_id, mono_min,"
            " mono_max, quarters, is_due) values (?, ?, ?, ?, ?, ?, ?, ?, 0)"
            " on conflict do nothing",
            (*_boot(header), header.mono_ns, batch_id, *extent.mono, json.dumps(sorted(found))),
        )
    _find_in(connection, header, batch_id, found)
    return found


def look_again(connection: sqlite3.Connection, gateway_id: UUID) -> None:
    """Look again at all of a gateway: batches have moved from one line to another."""
    connection.execute(
        "update clock_doubt set is_due = 1 where gateway_id = ?", (gateway_id.bytes,)
    )


def _note_anchor(
    connection: sqlite3.Connection, header: Header, batch_id: int, trusted_ns: int
) -> None:
    """Keep an anchor, and look again at the doubts to which it is the nearest."""
    connection.execute(
        "insert into clock_anchor (gateway_id, boot_count, boot_id, mono_ns, batch_id, wall_ns,"
        " error_ns) values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        (*_boot(header), header.mono_ns, batch_id, header.wall_ns, trusted_ns),
    )
    gateway = header.gateway_id.bytes
    if (
        connection.execute(
            "select 1 from clock_doubt where gateway_id = ? limit 1", (gateway,)
        ).fetchone()
        is None
    ):
        return
    below, above = (
        connection.execute(
            f"select {end}(mono_ns) from clock_anchor where gateway_id = ?"  # noqa: S608 - min, max
            f" and boot_count = ? and boot_id = ? and mono_ns {sign} ?"
            " and batch_id not in (select batch_id from branch)",
            (*_boot(header), header.mono_ns),
        ).fetchone()[0]
        for end, sign in (("max", "<"), ("min", ">"))
    )
    connection.execute(
        "update clock_doubt set is_due = 1 where gateway_id = ? and boot_count = ? and boot_id = ?"
        " and mono_ns between ? and ?",
        (*_boot(header), -1 if below is None else below, LARGEST if above is None else above),
    )
    if below is None or above is None:
        _look_at_other_boots(connection, header)


def _look_at_other_boots(connection: sqlite3.Connection, header: Header) -> None:
    """Look again at boots without an anchor between this one and the next ones that have some."""
    where = {"gateway": header.gateway_id.bytes, "count": header.boot_count}
    before, behind = connection.execute(
        "select (select max(boot_count) from clock_anchor where gateway_id = :gateway"
        " and boot_count < :count), (select min(boot_count) from clock_anchor"
        " where gateway_id = :gateway and boot_count > :count)",
        where,
    ).fetchone()
    connection.execute(
        "update clock_doubt set is_due = 1 where gateway_id = :gateway and boot_count > :before"
        " and boot_count < :behind and boot_count <> :count",
        where
        | {
            "before": -1 if before is None else before,
            "behind": LARGEST if behind is None else behind,
        },
    )


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A batch whose clock was not trusted, as stored."""

    batch_id: int
    mono_min: int
    mono_max: int
    quarters: str
    header: bytes
    received_ns: int
    at_min: int
    at_max: int


def _looked_at_again(connection: sqlite3.Connection, doubt: _Doubt) -> None:
    """Make a batch findable by what is known now, and the hours dirty that this changes."""
    header = Header.unpack(doubt.header)
    gateway = header.gateway_id.bytes
    around = _around(connection, header, LARGEST)
    before = set(json.loads(doubt.quarters))
    own = _found_in(connection, gateway, doubt) - before
    extent = _Extent(at=(doubt.at_min, doubt.at_max), mono=(doubt.mono_min, doubt.mono_max))
    found = _quarters(header, doubt.received_ns, extent, around) - own
    connection.executemany(
        "delete from batch_quarter where gateway_id = ? and quarter = ? and batch_id = ?",
        [(gateway, quarter, doubt.batch_id) for quarter in before - found],
    )
    _find_in(connection, header, doubt.batch_id, found)
    connection.execute(
        "update clock_doubt set is_due = 0, quarters = ? where gateway_id = ? and boot_count = ?"
        " and boot_id = ? and mono_ns = ? and batch_id = ?",
        (json.dumps(sorted(found)), *_boot(header), header.mono_ns, doubt.batch_id),
    )
    mark_quarters(connection, {(gateway, quarter) for quarter in own | before | found})


def _found_in(connection: sqlite3.Connection, gateway: bytes, doubt: _Doubt) -> set[int]:
    """Return the quarter-hours between the times of a batch as signed in which it is found."""
    rows = connection.execute(
        "select quarter from batch_quarter where gateway_id = ? and quarter between ? and ?"
        " and batch_id = ?",
        (gateway, doubt.at_min // QUARTER_NS, doubt.at_max // QUARTER_NS, doubt.batch_id),
    )
    return {quarter for (quarter,) in rows}


def _find_in(
    connection: sqlite3.Connection, header: Header, batch_id: int, quarters: set[int]
) -> None:
    connection.executemany(
        "insert into batch_quarter (gateway_id, quarter, batch_id) values (?, ?, ?)"
        " on conflict do nothing",
        [(header.gateway_id.bytes, quarter, batch_id) for quarter in sorted(quarters)],
    )


def _quarters(header: Header, received_ns: int, extent: _Extent, around: Around) -> set[int]:
    """Return the quarter-hours in which a batch's readings may be once they are set right."""
    clock = BatchClock.of(header, received_ns=received_ns)
    ranges = spans(clock, extent.at, extent.mono, around)
    return {quarter for first, last in ranges for quarter in _between(first, last)}


def _between(first_ns: int, last_ns: int) -> set[int]:
    """Return the quarter-hours from one time to another, at most so many, the latest of them."""
    last = min(last_ns // QUARTER_NS, LAST_QUARTER - 1)
    first = max(first_ns // QUARTER_NS, 0, last - QUARTERS_AT_MOST + 1)
    return set(range(first, last + 1))


def _boot(header: Header) -> tuple[bytes, int, bytes]:
    return header.gateway_id.bytes, header.boot_count, header.boot_id.bytes


def _around(connection: sqlite3.Connection, header: Header, until_ns: int) -> Around:
    given = {
        "gateway": header.gateway_id.bytes,
        "count": header.boot_count,
        "boot": header.boot_id.bytes,
        "mono": header.mono_ns,
        "until": until_ns,
    }

    def first(condition: str, order: str) -> Anchor | None:
        row = connection.execute(
            f"{_ANCHOR}{condition} order by {order}, {_TIES}", given
        ).fetchone()
        return None if row is None else _anchor(row)

    before = first(f"{_IN_BOOT} and a.mono_ns <= :mono", "a.mono_ns desc")
    after = first(f"{_IN_BOOT} and a.mono_ns > :mono", "a.mono_ns")
    if before is not None or after is not None:
        return Around(before=before, after=after)
    return Around(
        earlier=first(
            " and a.boot_count < :count", "a.boot_count desc, a.boot_id desc, a.mono_ns desc"
        ),
        later=first(" and a.boot_count > :count", "a.boot_count, a.boot_id, a.mono_ns"),
    )


def _anchor(row: tuple[Any, ...]) -> Anchor:
    chain_id, batch_no, batch_hash, mono_ns, wall_ns, error_ns_ = row
    return Anchor(
        chain_id=UUID(bytes=chain_id),
        batch_no=batch_no,
        batch_hash=Hash(batch_hash),
        mono_ns=mono_ns,
        wall_ns=wall_ns,
        error_ns=error_ns_,
    )
