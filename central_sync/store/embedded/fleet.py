"""The state of the fleet in SQLite: chain heads, holes, alarms, counts."""

import sqlite3
from typing import Any, Final
from uuid import UUID

from central_sync.model import Alarm, AlarmCode, ChainHead, Counts, GatewayState, Hole
from central_sync.store.admission import Warned
from central_sync.store.embedded import alarms, holes
from central_sync.store.embedded.database import Database
from central_sync.store.embedded.record import missing_bundles
from central_sync.store.port import NowNs
from edge_agent.wire.header import Header

# Holes of the main line: where it has a batch of that number, another is missing of a branch.
_LOWEST_HOLE: Final = (
    "select min(batch_no) from hole h where gateway_id = ? and chain_id = ? and not is_headstone"
    " and not exists (select 1 from batch b where b.gateway_id = h.gateway_id"
    " and b.chain_id = h.chain_id and b.batch_no = h.batch_no"
    " and not exists (select 1 from branch where batch_id = b.id))"
)
_NEWEST_BELOW: Final = (
    "select batch_no, header from batch where gateway_id = ? and chain_id = ? and batch_no < ?"
    " and not exists (select 1 from branch where batch_id = id) order by batch_no desc limit 1"
)


class FleetTables:
    """The tables `gateway_state`, `chain`, `hole` and `alarm`."""

    _db: Database
    _now_ns: NowNs

    def fleet(self) -> tuple[GatewayState, ...]:
        """Return one state per gateway, by name."""
        with self._db.read() as connection:
            open_alarms = alarms.alarms(connection, is_open=True)
            rows = connection.execute(
                "select g.id, g.facility, g.name, g.revoked_ns, s.last_seen_ns, s.last_data_ns,"
                " coalesce(s.batch_count, 0), coalesce(s.record_count, 0), s.last_header,"
                " (select count(*) from hole h where h.gateway_id = g.id)"
                " from gateway g left join gateway_state s on s.gateway_id = g.id"
                " order by g.name, g.id"
            ).fetchall()
            return tuple(_state(connection, row, open_alarms) for row in rows)

    def heads(self, gateway_id: UUID) -> tuple[ChainHead, ...]:
        """Return the heads of a gateway's chains, the chain written last first."""
        with self._db.read() as connection:
            return _heads(connection, gateway_id)

    def holes(self, gateway_id: UUID) -> tuple[Hole, ...]:
        """Return the batches a gateway should send, lowest numbers first, at most 256."""
        with self._db.read() as connection:
            return holes.wanted(connection, gateway_id)

    def alarms(self, *, is_open: bool) -> tuple[Alarm, ...]:
        """Return the alarms that are open, or those that are closed, oldest first."""
        with self._db.read() as connection:
            return alarms.alarms(connection, is_open=is_open)

    def raise_alarm(
        self, code: AlarmCode, gateway_id: UUID | None, *, subject: str = "", detail: str
    ) -> None:
        """Open an alarm, or count it once more when the same one is open."""
        warned = Warned(code=code, subject=subject, detail=detail)
        with self._db.write() as connection:
            alarms.raise_alarm(connection, warned, gateway_id=gateway_id, now_ns=self._now_ns())

    def close_alarm(self, code: AlarmCode, gateway_id: UUID | None, *, subject: str = "") -> None:
        """Close an alarm, if it is open."""
        with self._db.write() as connection:
            alarms.close_alarm(
                connection, code, gateway_id=gateway_id, subject=subject, now_ns=self._now_ns()
            )

    def counts(self) -> Counts:
        """Return the totals for the metrics."""
        with self._db.read() as connection:
            row = connection.execute(
                "select (select count(*) from gateway where revoked_ns is null),"
                " (select coalesce(sum(batch_count), 0) from gateway_state),"
                " (select coalesce(sum(record_count), 0) from gateway_state),"
                " (select coalesce(sum(quarantined_count), 0) from gateway_state),"
                " (select count(*) from hole),"
                " (select count(*) from alarm where closed_ns is null),"
                " (select count(*) from (select distinct gateway_id, quarter / 4"
                " from dirty_quarter))"
            ).fetchone()
        gateways, batches, readings, quarantined, hole_count, open_alarms, dirty_hours = row
        return Counts(
            gateways=gateways,
            batches=batches,
            readings=readings,
            quarantined=quarantined,
            holes=hole_count,
            open_alarms=open_alarms,
            dirty_hours=dirty_hours,
        )


def _heads(
    connection: sqlite3.Connection, gateway_id: UUID, limit: int = -1
) -> tuple[ChainHead, ...]:
    rows = connection.execute(
        "select chain_id, head_no, head_hash, head_wall_ns from chain where gateway_id = ?"
        " order by written_ns desc, chain_id limit ?",
        (gateway_id.bytes, limit),
    ).fetchall()
    return tuple(_with_contiguous(connection, gateway_id, row) for row in rows)


def _with_contiguous(
    connection: sqlite3.Connection, gateway_id: UUID, row: tuple[Any, ...]
) -> ChainHead:
    """Return a head with the newest batch behind which nothing is missing.

    The lowest hole of the main line ends it: that is the newest stored batch below the hole, if
    there is one. What is missing of a branch is not missing there.
    """
    chain, head_no, head_hash, head_wall_ns = row
    where = (gateway_id.bytes, chain)
    (lowest,) = connection.execute(_LOWEST_HOLE, where).fetchone()
    contiguous: tuple[int, int] | tuple[None, None] = (head_no, head_wall_ns)
    if lowest is not None:
        below = connection.execute(_NEWEST_BELOW, (*where, lowest)).fetchone()
        contiguous = (None, None) if below is None else (below[0], Header.unpack(below[1]).wall_ns)
    return ChainHead(
        gateway_id=gateway_id,
        chain_id=UUID(bytes=chain),
        batch_no=head_no,
        batch_hash=head_hash,
        wall_ns=head_wall_ns,
        contiguous_no=contiguous[0],
        contiguous_ns=contiguous[1],
    )


def _state(
    connection: sqlite3.Connection, row: tuple[Any, ...], open_alarms: tuple[Alarm, ...]
) -> GatewayState:
    id_, facility, name, revoked, seen, last_data, batches, records, last_header, hole_count = row
    gateway_id = UUID(bytes=id_)
    heads = _heads(connection, gateway_id, limit=1)
    return GatewayState(
        gateway_id=gateway_id,
        facility=facility,
        name=name,
        is_revoked=revoked is not None,
        last_seen_ns=seen,
        last_data_ns=last_data,
        batch_count=batches,
        record_count=records,
        newest=heads[0] if heads else None,
        last_header=last_header,
        hole_count=hole_count,
        missing_bundle_count=len(missing_bundles(connection, gateway_id)),
        alarms=tuple(alarm for alarm in open_alarms if alarm.gateway_id == gateway_id),
    )
