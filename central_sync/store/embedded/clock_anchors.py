"""Batches whose clocks were trusted, in SQLite: noted many at a time.

What that means for a batch whose clock was not trusted is in `clocks`.
"""

import sqlite3
from collections.abc import Iterable
from typing import Final, TypeAlias

from central_sync.calc.clock_times import error_ns
from edge_agent.wire.header import Header

LARGEST: Final = 2**63 - 1

Boot: TypeAlias = tuple[bytes, int, bytes]
"""A gateway, which of its boots by its own count, and the id that the kernel gave it."""


def boot_of(header: Header) -> Boot:
    """Return the boot in which a batch was made."""
    return header.gateway_id.bytes, header.boot_count, header.boot_id.bytes


def note_anchors(connection: sqlite3.Connection, batches: Iterable[tuple[Header, int]]) -> None:
    """Keep those of these batches whose clock was trusted; look again at the doubts around them.

    Args:
        connection: in the caller's transaction.
        batches: their headers and ids, on whichever line they stand.

    """
    rows: list[tuple[bytes, int, bytes, int, int, int, int]] = []
    boots: dict[Boot, list[int]] = {}
    for header, batch_id in batches:
        trusted_ns = error_ns(header.wall_unc_ms)
        if trusted_ns is not None:
            boot, mono_ns = boot_of(header), header.mono_ns
            rows.append((*boot, mono_ns, batch_id, header.wall_ns, trusted_ns))
            boots.setdefault(boot, []).append(mono_ns)
    connection.executemany(
        "insert into clock_anchor (gateway_id, boot_count, boot_id, mono_ns, batch_id, wall_ns,"
        " error_ns) values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
        rows,
    )
    for boot, found in boots.items():
        _look_around(connection, boot, first_ns=min(found), last_ns=max(found))


def _look_around(
    connection: sqlite3.Connection, boot: Boot, *, first_ns: int, last_ns: int
) -> None:
    """Look again at the doubts to which new anchors of a boot may be the nearest.

    These are the ones between the anchors next to them. Where others lie between the new ones,
    some doubts are looked at for nothing.
    """
    if (
        connection.execute(
            "select 1 from clock_doubt where gateway_id = ? limit 1", boot[:1]
        ).fetchone()
        is None
    ):
        return
    below, above = (
        connection.execute(
            f"select {end}(mono_ns) from clock_anchor where gateway_id = ?"  # noqa: S608 - min, max
            f" and boot_count = ? and boot_id = ? and mono_ns {sign} ?"
            " and batch_id not in (select batch_id from branch)",
            (*boot, at_ns),
        ).fetchone()[0]
        for end, sign, at_ns in (("max", "<", first_ns), ("min", ">", last_ns))
    )
    connection.execute(
        "update clock_doubt set is_due = 1 where gateway_id = ? and boot_count = ? and boot_id = ?"
        " and mono_ns between ? and ?",
        (*boot, -1 if below is None else below, LARGEST if above is None else above),
    )
    if below is None or above is None:
        _look_at_other_boots(connection, boot)


def _look_at_other_boots(connection: sqlite3.Connection, boot: Boot) -> None:
    """Look again at boots without an anchor between this one and the next ones that have some."""
    where = {"gateway": boot[0], "count": boot[1]}
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
