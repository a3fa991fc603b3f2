"""Gateways and keys in SQLite."""

import sqlite3
from uuid import UUID

from central_sync.model import Gateway, GatewayKey, KeyState
from central_sync.store.embedded import log
from central_sync.store.embedded.database import Database
from central_sync.store.port import NowNs
from edge_agent.wire.signing import VerifyingKey


class RegistryTables:
    """The tables `gateway`, `gateway_key`, `revoked_key` and `revoked_from`."""

    _db: Database
    _now_ns: NowNs

    def add_gateway(self, gateway_id: UUID, *, facility: str, name: str, public_key: bytes) -> None:
        """Register a gateway with its 32-byte public key; ValueError when id or key is taken."""
        key_id = VerifyingKey(public_key).key_id
        now_ns = self._now_ns()
        with self._db.write() as connection:
            try:
                connection.execute(
                    "insert into gateway (id, facility, name, added_ns) values (?, ?, ?, ?)",
                    (gateway_id.bytes, facility, name, now_ns),
                )
                connection.execute(
                    "insert into gateway_key (gateway_id, key_id, public_key, added_ns)"
                    " values (?, ?, ?, ?)",
                    (gateway_id.bytes, key_id, public_key, now_ns),
                )
            except sqlite3.IntegrityError as fault:
                raise ValueError(
                    f"gateway {gateway_id} or its key is registered already"
                ) from fault
            log.note_gateway(connection, gateway_id, facility=facility, name=name, now_ns=now_ns)
            log.note_key(connection, gateway_id, public_key, now_ns=now_ns)

    def gateways(self) -> tuple[Gateway, ...]:
        """Return all gateways, also revoked ones, by name."""
        with self._db.read() as connection:
            rows = connection.execute(
                "select id, facility, name, added_ns, revoked_ns from gateway order by name, id"
            ).fetchall()
        return tuple(_gateway(row) for row in rows)

    def gateway(self, gateway_id: UUID) -> Gateway | None:
        """Return a gateway, also a revoked one."""
        with self._db.read() as connection:
            row = connection.execute(
                "select id, facility, name, added_ns, revoked_ns from gateway where id = ?",
                (gateway_id.bytes,),
            ).fetchone()
        return None if row is None else _gateway(row)

    def revoke_gateway(self, gateway_id: UUID, *, reason: str) -> None:
        """Accept nothing more under this gateway's keys; KeyError when it is unknown."""
        now_ns = self._now_ns()
        with self._db.write() as connection:
            changed = connection.execute(
                "update gateway set revoked_ns = coalesce(revoked_ns, ?),"
                " revoked_reason = coalesce(revoked_reason, ?) where id = ?",
                (now_ns, reason, gateway_id.bytes),
            ).rowcount
            if changed:
                log.note_revocation(connection, gateway_id, reason=reason, now_ns=now_ns)
        if not changed:
            raise KeyError(gateway_id)

    def key(self, gateway_id: UUID, key_id: bytes) -> GatewayKey | None:
        """Return a gateway's key, active or revoked; None when it never had that key."""
        with self._db.read() as connection:
            row = connection.execute(
                "select k.public_key, g.revoked_ns is null and r.key_id is null from gateway_key k"
                " join gateway g on g.id = k.gateway_id left join revoked_key r using (key_id)"
                " where k.gateway_id = ? and k.key_id = ?",
                (gateway_id.bytes, key_id),
            ).fetchone()
        if row is None:
            return None
        return GatewayKey(
            gateway_id=gateway_id, key_id=key_id, public_key=row[0], is_active=bool(row[1])
        )

    def key_states(self, gateway_id: UUID) -> tuple[KeyState, ...]:
        """Return all keys that a gateway ever had, oldest first."""
        with self._db.read() as connection:
            rows = connection.execute(
                "select k.key_id, k.added_ns, r.revoked_ns, r.reason from gateway_key k"
                " left join revoked_key r using (key_id) where k.gateway_id = ?"
                " order by k.added_ns, k.key_id",
                (gateway_id.bytes,),
            ).fetchall()
        return tuple(
            KeyState(key_id=key_id, added_ns=added, revoked_ns=revoked, revoked_reason=reason)
            for key_id, added, revoked, reason in rows
        )

    def revoke_key(self, gateway_id: UUID, key_id: bytes, *, reason: str) -> None:
        """Accept nothing more under one key; KeyError when the gateway never had it."""
        with self._db.write() as connection:
            known = connection.execute(
                "select 1 from gateway_key where gateway_id = ? and key_id = ?",
                (gateway_id.bytes, key_id),
            ).fetchone()
            if known is None:
                raise KeyError(key_id)
            is_new = connection.execute(
                "insert into revoked_key (key_id, revoked_ns, reason) values (?, ?, ?)"
                " on conflict do nothing",
                (key_id, self._now_ns(), reason),
            ).rowcount
            if is_new:
                connection.execute(
                    "insert into revoked_from (key_id, chain_id, batch_no)"
                    " select ?, chain_id, head_no + 1 from chain where gateway_id = ?",
                    (key_id, gateway_id.bytes),
                )
                log.note_key_revocation(
                    connection, gateway_id, key_id, reason=reason, now_ns=self._now_ns()
                )


def _gateway(row: tuple[bytes, str, str, int, int | None]) -> Gateway:
    id_, facility, name, added_ns, revoked_ns = row
    return Gateway(
        id=UUID(bytes=id_), facility=facility, name=name, added_ns=added_ns, revoked_ns=revoked_ns
    )
