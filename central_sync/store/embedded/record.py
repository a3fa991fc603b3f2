"""Stored batches, bundles and profiles in SQLite: reading them, and keeping what batches name."""

import sqlite3
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from central_sync.model import AlarmCode, StoredBatch
from central_sync.proofs.entry import BUNDLE_STORED, PROFILE_STORED
from central_sync.store.admission import Warned
from central_sync.store.embedded import alarms, log
from central_sync.store.embedded.database import Database
from central_sync.store.embedded.ledger import mark_quarters
from central_sync.store.embedded.sealing import whole
from central_sync.store.port import NowNs
from central_sync.store.segments import SegmentFolder
from edge_agent.wire.vocabulary import Hash, Verdict

QUARTER_NS: Final = 900 * 1_000_000_000
# An answer to an upload stays small however many configurations a gateway names.
MISSING_AT_MOST: Final = 256

BATCH_COLUMNS: Final = (
    "gateway_id, chain_id, batch_no, batch_hash, verdict, header, signature, body, receipt,"
    " received_ns, at_min, at_max, record_count"
)
_IS_BRANCH: Final = "id in (select batch_id from branch)"


class RecordTables:
    """The tables `batch`, `bundle`, `profile`, `rejected` and what belongs to them."""

    _db: Database
    _now_ns: NowNs
    _segments: SegmentFolder

    def batch(self, gateway_id: UUID, chain_id: UUID, batch_no: int) -> StoredBatch | None:
        """Return the stored batch of that number on the main line."""
        with self._db.read() as connection:
            row = connection.execute(
                f"select {BATCH_COLUMNS} from batch"  # noqa: S608 - a constant
                f" where gateway_id = ? and chain_id = ? and batch_no = ? and not {_IS_BRANCH}",
                (gateway_id.bytes, chain_id.bytes, batch_no),
            ).fetchone()
            return None if row is None else whole(connection, stored(row), self._segments)

    def batches_touching(
        self, gateway_id: UUID, from_ns: int, to_ns: int
    ) -> tuple[StoredBatch, ...]:
        """Return readable batches of main lines that may have a row with from_ns <= at < to_ns."""
        return self._touching(gateway_id, from_ns, to_ns, f"not {_IS_BRANCH}")

    def branches_touching(
        self, gateway_id: UUID, from_ns: int, to_ns: int
    ) -> tuple[StoredBatch, ...]:
        """Return readable batches of branches that may have a row with from_ns <= at < to_ns."""
        return self._touching(gateway_id, from_ns, to_ns, _IS_BRANCH)

    def _touching(
        self, gateway_id: UUID, from_ns: int, to_ns: int, condition: str
    ) -> tuple[StoredBatch, ...]:
        with self._db.read() as connection:
            rows = connection.execute(
                f"select {BATCH_COLUMNS} from batch where verdict in (?, ?) and id in ("  # noqa: S608 - constants
                " select batch_id from batch_quarter"
                " where gateway_id = ? and quarter >= ? and quarter < ?)"
                f" and {condition} order by chain_id, batch_no, batch_hash",
                (
                    Verdict.ACCEPTED,
                    Verdict.BRANCH,
                    gateway_id.bytes,
                    from_ns // QUARTER_NS,
                    -(-to_ns // QUARTER_NS),
                ),
            ).fetchall()
            return tuple(whole(connection, stored(row), self._segments) for row in rows)

    def is_bundle_wanted(self, config_hash: Hash) -> bool:
        """Return whether a stored batch names this configuration, here already or not."""
        with self._db.read() as connection:
            return bool(_gateways_with(connection, config_hash))

    def put_bundle(self, config_hash: Hash, body: bytes, *, profile_hashes: Sequence[Hash]) -> None:
        """Keep a configuration bundle for ever and mark the hours that waited for it dirty."""
        with self._db.write() as connection:
            added = connection.execute(
                "insert into bundle (config_hash, body, received_ns) values (?, ?, ?)"
                " on conflict do nothing",
                (config_hash, body, self._now_ns()),
            ).rowcount
            connection.execute("delete from refused_bundle where config_hash = ?", (config_hash,))
            alarms.close_alarms(connection, subject=config_hash.hex(), now_ns=self._now_ns())
            connection.executemany(
                "insert into profile (profile_hash) values (?) on conflict do nothing",
                [(profile_hash,) for profile_hash in profile_hashes],
            )
            if added:
                log.note_file(connection, BUNDLE_STORED, config_hash, now_ns=self._now_ns())
                mark_quarters(connection, _waiting(connection, config_hash))

    def refuse_bundle(self, config_hash: Hash, *, code: AlarmCode, detail: str) -> None:
        """Note that a bundle was not taken: it is not wanted, its batches stay undecoded."""
        now_ns = self._now_ns()
        warned = Warned(code=code, subject=config_hash.hex(), detail=detail)
        with self._db.write() as connection:
            connection.execute(
                "insert into refused_bundle (config_hash, reason, refused_ns) values (?, ?, ?)"
                " on conflict (config_hash) do update set reason = excluded.reason",
                (config_hash, detail, now_ns),
            )
            for gateway_id in _gateways_with(connection, config_hash):
                alarms.raise_alarm(connection, warned, gateway_id=gateway_id, now_ns=now_ns)

    def forget_refusals(self) -> None:
        """Want refused bundles again: the rules for taking them have changed."""
        with self._db.write() as connection:
            connection.execute("delete from refused_bundle")

    def bundle(self, config_hash: Hash) -> bytes | None:
        """Return a bundle's bytes."""
        return self._body("bundle", "config_hash", config_hash)

    def missing_bundles(self, gateway_id: UUID) -> tuple[Hash, ...]:
        """Return the configurations that stored batches of a gateway name and nobody sent."""
        with self._db.read() as connection:
            return missing_bundles(connection, gateway_id)

    def is_profile_wanted(self, profile_hash: Hash) -> bool:
        """Return whether a stored bundle names this profile, here already or not."""
        with self._db.read() as connection:
            row = connection.execute(
                "select 1 from profile where profile_hash = ?", (profile_hash,)
            ).fetchone()
        return row is not None

    def put_profile(self, profile_hash: Hash, body: bytes) -> None:
        """Keep a profile file for ever."""
        with self._db.write() as connection:
            connection.execute(
                "insert into profile (profile_hash, body, received_ns) values (?, ?, ?)"
                " on conflict (profile_hash) do update set body = excluded.body,"
                " received_ns = excluded.received_ns where body is null",
                (profile_hash, body, self._now_ns()),
            )
            log.note_file(connection, PROFILE_STORED, profile_hash, now_ns=self._now_ns())

    def profile(self, profile_hash: Hash) -> bytes | None:
        """Return a profile file's bytes."""
        return self._body("profile", "profile_hash", profile_hash)

    def _body(self, table: str, column: str, wanted: Hash) -> bytes | None:
        with self._db.read() as connection:
            row = connection.execute(
                f"select body from {table} where {column} = ?",  # noqa: S608 - our own names
                (wanted,),
            ).fetchone()
        return None if row is None else row[0]


def missing_bundles(connection: sqlite3.Connection, gateway_id: UUID) -> tuple[Hash, ...]:
    """Return the configurations of a gateway that are neither here nor refused."""
    rows = connection.execute(
        "select config_hash from gateway_config where gateway_id = ?"
        " and config_hash not in (select config_hash from bundle)"
        " and config_hash not in (select config_hash from refused_bundle)"
        " order by first_ns, config_hash limit ?",
        (gateway_id.bytes, MISSING_AT_MOST),
    )
    return tuple(Hash(row[0]) for row in rows)


def _gateways_with(connection: sqlite3.Connection, config_hash: Hash) -> list[UUID]:
    """Return the gateways whose stored batches name a configuration."""
    rows = connection.execute(
        "select gateway_id from gateway_config where config_hash = ? order by gateway_id",
        (config_hash,),
    )
    return [UUID(bytes=gateway) for (gateway,) in rows]


def _waiting(connection: sqlite3.Connection, config_hash: Hash) -> set[tuple[bytes, int]]:
    """Return the (gateway, quarter) of all batches under a configuration.

    config_hash stands at offset 216 of the header (docs/wire-format.md section 2); SQL counts
    from 1.
    """
    return set(
        connection.execute(
            "select q.gateway_id, q.quarter from gateway_config c"
            " join batch_quarter q on q.gateway_id = c.gateway_id"
            " join batch b on b.id = q.batch_id"
            " where c.config_hash = ? and substr(b.header, 217, 32) = c.config_hash",
            (config_hash,),
        )
    )


def stored(row: tuple[Any, ...]) -> StoredBatch:
    """Return the batch of a row of BATCH_COLUMNS; its body is empty where it was sealed."""
    gateway, chain, number, batch_hash, verdict, *rest = row
    header, signature, body, receipt, received_ns, at_min, at_max, record_count = rest
    return StoredBatch(
        gateway_id=UUID(bytes=gateway),
        chain_id=UUID(bytes=chain),
        batch_no=number,
        batch_hash=batch_hash,
        verdict=Verdict(verdict),
        header_bytes=header,
        signature=signature,
        body=body,
        receipt=receipt,
        received_ns=received_ns,
        at_min=at_min,
        at_max=at_max,
        record_count=record_count,
    )
