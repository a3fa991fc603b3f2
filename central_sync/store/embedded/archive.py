"""The record in SQLite in the order in which it is sealed and exported."""

from typing import Final
from uuid import UUID

from central_sync.model import StoredBatch, StoredLine
from central_sync.proofs.entry import SEGMENT_SEALED, FactEntry
from central_sync.store.embedded import log
from central_sync.store.embedded.database import Database
from central_sync.store.embedded.record import BATCH_COLUMNS, stored
from central_sync.store.embedded.sealing import whole
from central_sync.store.port import NowNs
from central_sync.store.segments import Segment, SegmentFolder
from edge_agent.wire.vocabulary import Hash

LAST_HASH: Final = b"\xff" * 32


class ArchiveTables:
    """The tables `segment` and `sealed`, and walks along `batch`."""

    _db: Database
    _now_ns: NowNs
    _segments: SegmentFolder

    def unsealed(self, before_ns: int, limit_bytes: int) -> tuple[StoredBatch, ...]:
        """Return the oldest batches received before a time that are in no segment."""
        found: list[StoredBatch] = []
        size = 0
        with self._db.read() as connection:
            rows = connection.execute(
                f"select {BATCH_COLUMNS} from batch"  # noqa: S608 - a constant
                " where length(body) > 0 and received_ns < ? order by received_ns, id",
                (before_ns,),
            )
            for row in rows:
                batch = stored(row)
                found.append(batch)
                size += len(batch.body)
                if size >= limit_bytes:
                    break
        return tuple(found)

    def seal(self, segment: Segment) -> int:
        """Forget the bodies that a segment holds; return how many were forgotten."""
        emptied = 0
        with self._db.write() as connection:
            connection.execute(
                "insert into segment (sha256, size_bytes, batch_count, sealed_ns)"
                " values (?, ?, ?, ?) on conflict do nothing",
                (segment.sha256, segment.size_bytes, len(segment.batches), self._now_ns()),
            )
            for one in segment.batches:
                place = one.place
                # A headstone that got its readings meanwhile has another receipt, and stays.
                count = connection.execute(
                    "update batch set body = x'' where gateway_id = ? and chain_id = ?"
                    " and batch_no = ? and batch_hash = ? and receipt = ?",
                    (
                        place.gateway_id.bytes,
                        place.chain_id.bytes,
                        place.batch_no,
                        place.batch_hash,
                        one.receipt,
                    ),
                ).rowcount
                if count:
                    connection.execute(
                        "insert into sealed (batch_hash, segment, start) values (?, ?, ?)"
                        " on conflict (batch_hash) do update set segment = excluded.segment,"
                        " start = excluded.start",
                        (place.batch_hash, segment.sha256, one.start),
                    )
                emptied += count
            if emptied:
                log.append(connection, _sealed(segment, self._now_ns()))
        return emptied

    def lines(
        self, gateway_id: UUID | None, from_ns: int | None, to_ns: int | None
    ) -> tuple[StoredLine, ...]:
        """Return, of each chain, the numbers that have to do with [from_ns, to_ns)."""
        with self._db.read() as connection:
            rows = connection.execute(
                "select gateway_id, chain_id, min(batch_no), max(batch_no) from batch"
                " where (?1 is null or gateway_id = ?1)"
                " and (?2 is null or coalesce(at_max, received_ns) >= ?2)"
                " and (?3 is null or coalesce(at_min, received_ns) < ?3)"
                " group by gateway_id, chain_id order by gateway_id, chain_id",
                (None if gateway_id is None else gateway_id.bytes, from_ns, to_ns),
            ).fetchall()
        return tuple(
            StoredLine(
                gateway_id=UUID(bytes=gateway),
                chain_id=UUID(bytes=chain),
                first_no=first,
                last_no=last,
            )
            for gateway, chain, first, last in rows
        )

    def line_batches(
        self, line: StoredLine, after: tuple[int, Hash] | None, limit: int
    ) -> tuple[StoredBatch, ...]:
        """Return batches of a line, of branches too, by number and then by hash."""
        number, batch_hash = after or (line.first_no - 1, LAST_HASH)
        with self._db.read() as connection:
            rows = connection.execute(
                f"select {BATCH_COLUMNS} from batch"  # noqa: S608 - a constant
                " where gateway_id = ? and chain_id = ? and (batch_no, batch_hash) > (?, ?)"
                " and batch_no <= ? order by batch_no, batch_hash limit ?",
                (
                    line.gateway_id.bytes,
                    line.chain_id.bytes,
                    number,
                    batch_hash,
                    line.last_no,
                    limit,
                ),
            ).fetchall()
            return tuple(whole(connection, stored(row), self._segments) for row in rows)


def _sealed(segment: Segment, now_ns: int) -> FactEntry:
    """Return the fact that a segment holds batches from now on."""
    return FactEntry(
        type=SEGMENT_SEALED,
        at_ns=now_ns,
        fields={"sha256": segment.sha256.hex(), "batch_count": len(segment.batches)},
    )
