"""Dirty quarter-hours, parts and hourly revisions in SQLite."""

import sqlite3
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Final
from uuid import UUID

from central_sync.model import DirtyHour, HourlyRevision, HourlyValue, Part
from central_sync.store.embedded.database import Database
from central_sync.store.port import NowNs

HOUR_NS: Final = 3600 * 1_000_000_000
QUARTERS_PER_HOUR: Final = 4

_VALUE_FIELDS: Final = tuple(field.name for field in fields(HourlyValue))
_VALUE_COLUMNS: Final = ", ".join(_VALUE_FIELDS)
_HASHES: Final = ("input_hash", "parameter_hash", "kernel", "output_hash")


class LedgerTables:
    """The tables `dirty_quarter`, `part`, `hourly` and `hourly_current`."""

    _db: Database
    _now_ns: NowNs

    def dirty_hours(self, limit: int) -> tuple[DirtyHour, ...]:
        """Return hours to compute: of each gateway the oldest change first, gateways in turn."""
        with self._db.read() as connection:
            rows = connection.execute(
                "select gateway_id, hour, newest from (select gateway_id, quarter / 4 as hour,"
                " min(generation) as oldest, max(generation) as newest, row_number() over"
                " (partition by gateway_id order by min(generation), quarter / 4) as turn"
                " from dirty_quarter group by gateway_id, quarter / 4)"
                " order by turn, oldest limit ?",
                (limit,),
            ).fetchall()
        return tuple(
            DirtyHour(gateway_id=UUID(bytes=gateway), hour_ns=hour * HOUR_NS, generation=generation)
            for gateway, hour, generation in rows
        )

    def mark_dirty(self, gateway_id: UUID, from_ns: int, to_ns: int) -> None:
        """Mark every hour of [from_ns, to_ns) dirty: a recomputation was asked for."""
        hours = range(from_ns // HOUR_NS, -(-to_ns // HOUR_NS))
        with self._db.write() as connection:
            mark_quarters(
                connection, {(gateway_id.bytes, hour * QUARTERS_PER_HOUR) for hour in hours}
            )

    def settle_hour(
        self, hour: DirtyHour, part: Part | None, values: Sequence[HourlyValue]
    ) -> bool:
        """Write a part and new revisions and clear the hour, if its generation is `hour`'s."""
        first = hour.hour_ns // HOUR_NS * QUARTERS_PER_HOUR
        where = (hour.gateway_id.bytes, first, first + QUARTERS_PER_HOUR)
        with self._db.write() as connection:
            (newest,) = connection.execute(
                "select max(generation) from dirty_quarter"
                " where gateway_id = ? and quarter >= ? and quarter < ?",
                where,
            ).fetchone()
            if newest != hour.generation:
                return False
            connection.execute(
                "delete from dirty_quarter where gateway_id = ? and quarter >= ? and quarter < ?",
                where,
            )
            now_ns = self._now_ns()
            if part is not None:
                _add_part(connection, part, now_ns)
            for value in values:
                _add_revision(connection, value, now_ns)
        return True

    def part(self, gateway_id: UUID, hour_ns: int) -> Part | None:
        """Return the current part of one hour."""
        with self._db.read() as connection:
            row = connection.execute(
                "select path, sha256, row_count, input_hash from part"
                " where gateway_id = ? and hour_ns = ? order by id desc limit 1",
                (gateway_id.bytes, hour_ns),
            ).fetchone()
        if row is None:
            return None
        return Part(
            gateway_id=gateway_id,
            hour_ns=hour_ns,
            path=row[0],
            sha256=row[1],
            row_count=row[2],
            input_hash=row[3],
        )

    def hourly(
        self, *, facility: str | None, channel: int | None, from_ns: int, to_ns: int
    ) -> tuple[HourlyRevision, ...]:
        """Return current revisions with from_ns <= hour < to_ns by hour, gateway, channel."""
        with self._db.read() as connection:
            rows = connection.execute(
                f"select revision, computed_ns, {_VALUE_COLUMNS} from hourly"  # noqa: S608 - constant
                " join hourly_current using (hour_ns, gateway_id, channel, revision)"
                " where hour_ns >= ? and hour_ns < ? and (?3 is null or facility = ?3)"
                " and (?4 is null or channel = ?4) order by hour_ns, gateway_id, channel",
                (from_ns, to_ns, facility, channel),
            ).fetchall()
        return tuple(_revision(row) for row in rows)

    def revisions(self, gateway_id: UUID, channel: int, hour_ns: int) -> tuple[HourlyRevision, ...]:
        """Return every revision of one hourly value, the first one first."""
        with self._db.read() as connection:
            rows = connection.execute(
                f"select revision, computed_ns, {_VALUE_COLUMNS} from hourly"  # noqa: S608 - constant
                " where gateway_id = ? and channel = ? and hour_ns = ? order by revision",
                (gateway_id.bytes, channel, hour_ns),
            ).fetchall()
        return tuple(_revision(row) for row in rows)


def mark_quarters(connection: sqlite3.Connection, quarters: set[tuple[bytes, int]]) -> None:
    """Mark (gateway, number of the quarter-hour since 1970) dirty under a new generation.

    Generations come from one counter that never falls: a worker that saw an older one, even of
    a quarter cleared and marked again since, cannot clear it.
    """
    (generation,) = connection.execute(
        "insert into counter (name, value) values ('generation', 1)"
        " on conflict (name) do update set value = value + 1 returning value"
    ).fetchone()
    connection.executemany(
        "insert into dirty_quarter (gateway_id, quarter, generation) values (?, ?, ?)"
        " on conflict (gateway_id, quarter) do update set generation = excluded.generation",
        [(gateway, quarter, generation) for gateway, quarter in sorted(quarters)],
    )


def _add_part(connection: sqlite3.Connection, part: Part, now_ns: int) -> None:
    connection.execute(
        "insert into part (gateway_id, hour_ns, path, sha256, row_count, input_hash, made_ns)"
        " values (?, ?, ?, ?, ?, ?, ?)",
        (
            part.gateway_id.bytes,
            part.hour_ns,
            part.path,
            part.sha256,
            part.row_count,
            part.input_hash,
            now_ns,
        ),
    )


def _add_revision(connection: sqlite3.Connection, value: HourlyValue, now_ns: int) -> None:
    """Append a revision and point to it, unless nothing differs from the current one."""
    where = (value.hour_ns, value.gateway_id.bytes, value.channel)
    current = connection.execute(
        "select revision, input_hash, parameter_hash, kernel, output_hash from hourly"
        " join hourly_current using (hour_ns, gateway_id, channel, revision)"
        " where hour_ns = ? and gateway_id = ? and channel = ?",
        where,
    ).fetchone()
    if current is not None and current[1:] == tuple(getattr(value, name) for name in _HASHES):
        return
    revision = 1 if current is None else current[0] + 1
    row = {name: getattr(value, name) for name in _VALUE_FIELDS}
    row |= {
        "gateway_id": value.gateway_id.bytes,
        "total": str(value.total),
        "revision": revision,
        "computed_ns": now_ns,
    }
    places = ", ".join(f":{name}" for name in row)
    connection.execute(
        f"insert into hourly ({', '.join(row)}) values ({places})",  # noqa: S608 - our own names
        row,
    )
    connection.execute(
        "insert into hourly_current (hour_ns, gateway_id, channel, revision) values (?, ?, ?, ?)"
        " on conflict (hour_ns, gateway_id, channel) do update set revision = excluded.revision",
        (*where, revision),
    )


def _revision(row: tuple[Any, ...]) -> HourlyRevision:
    revision, computed_ns, *rest = row
    named = dict(zip(_VALUE_FIELDS, rest, strict=True))
    named["gateway_id"] = UUID(bytes=named["gateway_id"])
    named["total"] = int(named["total"])
    for flag in ("is_valid", "is_provisional", "is_simulated"):
        named[flag] = bool(named[flag])
    return HourlyRevision(value=HourlyValue(**named), revision=revision, computed_ns=computed_ns)
