"""The log in SQLite: appended inside the transactions of what it tells, read by its tree.

Of the tree every fourth level is kept: an append writes little, and each hash of a proof reads at
most fifteen rows. `log_state` has one row: how many leaves there are, and the frontier.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from central_sync.proofs import entry as facts
from central_sync.proofs.entry import BatchEntry, Entry, FactEntry, leaf
from central_sync.proofs.note import NoteKey
from central_sync.proofs.tree import (
    Frontier,
    NodeAt,
    consistency_proof,
    inclusion_proof,
    root_at,
    roots_around,
)
from central_sync.store.admission import Warned
from central_sync.store.embedded.database import Database
from central_sync.store.port import NowNs
from edge_agent.wire.merkle import root
from edge_agent.wire.receipt import BatchPlace
from edge_agent.wire.signing import VerifyingKey
from edge_agent.wire.vocabulary import HASH_SIZE, Hash, Verdict

KEPT_LEVELS: Final = 4
"""The roots of subtrees of 16, 256, 4096 ... leaves are kept."""


class LogTables:
    """The tables `log_entry`, `log_node`, `log_state`, `logged` and `checkpoint`."""

    _db: Database
    _now_ns: NowNs

    def begin_log(self, log_key: NoteKey, receipt_key: VerifyingKey) -> None:
        """Log the keys in use and whatever the registry knows that was not logged yet."""
        now_ns = self._now_ns()
        with self._db.write() as connection:
            note_log_key(connection, log_key, now_ns=now_ns)
            note_receipt_key(connection, receipt_key, now_ns=now_ns)
            _catch_up(connection, now_ns=now_ns)

    def add_fact(self, fact: FactEntry) -> int:
        """Append a fact; return its index."""
        with self._db.write() as connection:
            return append(connection, fact)

    def log_size(self) -> int:
        """Return how many entries the log has."""
        with self._db.read() as connection:
            return _frontier(connection).size

    def log_root(self, size: int) -> Hash:
        """Return the tree hash of the first `size` entries; ValueError when there are fewer."""
        with self._db.read() as connection:
            _require_size(connection, size)
            return root_at(size, _node_at(connection))

    def log_entries(self, start: int, count: int) -> tuple[bytes, ...]:
        """Return the entries from `start` on, `count` at most."""
        with self._db.read() as connection:
            rows = connection.execute(
                "select entry from log_entry where id >= ? order by id limit ?", (start, count)
            ).fetchall()
        return tuple(entry for (entry,) in rows)

    def log_facts(self, start: int, count: int) -> tuple[tuple[int, bytes], ...]:
        """Return the entries from `start` on that are facts, with their places."""
        with self._db.read() as connection:
            rows = connection.execute(
                "select id, entry from log_entry where is_fact = 1 and id >= ? order by id limit ?",
                (start, count),
            ).fetchall()
        return tuple(rows)

    def inclusion_proof(self, index: int, size: int) -> tuple[Hash, ...]:
        """Return the audit path of an entry; ValueError when there is none."""
        with self._db.read() as connection:
            _require_size(connection, size)
            return inclusion_proof(index, size, _node_at(connection))

    def consistency_proof(self, old: int, new: int) -> tuple[Hash, ...]:
        """Return the proof that one tree begins the other; ValueError when it cannot be."""
        with self._db.read() as connection:
            _require_size(connection, new)
            return consistency_proof(old, new, _node_at(connection))

    def roots_around(self, indices: Sequence[int], size: int) -> tuple[Hash, ...]:
        """Return the roots of the largest subtrees without any of these entries."""
        with self._db.read() as connection:
            _require_size(connection, size)
            return tuple(roots_around(indices, size, _node_at(connection)))

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint."""
        with self._db.write() as connection:
            connection.execute(
                "insert into checkpoint (size, note, made_ns) values (?, ?, ?)"
                " on conflict (size) do update set note = excluded.note,"
                " made_ns = excluded.made_ns",
                (size, note, self._now_ns()),
            )

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint of the largest tree; None before the first."""
        with self._db.read() as connection:
            row = connection.execute(
                "select note from checkpoint order by size desc limit 1"
            ).fetchone()
        return None if row is None else bytes(row[0])


def append(connection: sqlite3.Connection, entry: Entry) -> int:
    """Append an entry in the caller's transaction; return its index."""
    frontier = _frontier(connection)
    packed = entry.pack()
    grown, nodes = frontier.grown(leaf(packed))
    connection.execute(
        "insert into log_entry (id, is_fact, entry) values (?, ?, ?)",
        (frontier.size, isinstance(entry, FactEntry), packed),
    )
    for node in nodes:
        if node.level % KEPT_LEVELS == 0:
            connection.execute(
                "insert into log_node (level, place, root) values (?, ?, ?)",
                (node.level, node.place, node.root),
            )
    connection.execute(
        "insert into log_state (id, size, peaks) values (0, ?, ?)"
        " on conflict (id) do update set size = excluded.size, peaks = excluded.peaks",
        (grown.size, b"".join(grown.peaks)),
    )
    return frontier.size


def note_batch(
    connection: sqlite3.Connection, place: BatchPlace, verdict: Verdict, *, now_ns: int
) -> int:
    """Log that a batch was taken; return its place, for the receipt."""
    return append(connection, BatchEntry(place=place, received_ns=now_ns, verdict=verdict))


def note_log_key(connection: sqlite3.Connection, key: NoteKey, *, now_ns: int) -> None:
    """Log the key that signs checkpoints from now on, if it is new; the first starts the log."""
    is_first = _frontier(connection).size == 0
    fact = FactEntry(
        type=facts.LOG_STARTED if is_first else facts.LOG_RESTARTED,
        at_ns=now_ns,
        fields={"origin": key.name, "key": str(key)},
    )
    _once(connection, b"log:" + key.key.key_id, fact)


def note_receipt_key(connection: sqlite3.Connection, key: VerifyingKey, *, now_ns: int) -> None:
    """Log a key that signs receipts, if it is new."""
    fields = {"key_id": key.key_id.hex(), "public_key": key.public_bytes.hex()}
    fact = FactEntry(type=facts.RECEIPT_KEY, at_ns=now_ns, fields=fields)
    _once(connection, b"receipt:" + key.key_id, fact)


def note_gateway(
    connection: sqlite3.Connection, gateway_id: UUID, *, facility: str, name: str, now_ns: int
) -> None:
    """Log that a gateway was added, if it was not logged yet."""
    fields = {"gateway": str(gateway_id), "facility": facility, "name": name}
    fact = FactEntry(type=facts.GATEWAY_ADDED, at_ns=now_ns, fields=fields)
    _once(connection, b"gateway:" + gateway_id.bytes, fact)


def note_key(
    connection: sqlite3.Connection, gateway_id: UUID, public_key: bytes, *, now_ns: int
) -> None:
    """Log a signing key of a gateway, if it is new."""
    key_id = VerifyingKey(public_key).key_id
    fields = {
        "gateway": str(gateway_id),
        "key_id": key_id.hex(),
        "public_key": public_key.hex(),
    }
    fact = FactEntry(type=facts.KEY_REGISTERED, at_ns=now_ns, fields=fields)
    _once(connection, b"key:" + gateway_id.bytes + key_id, fact)


def note_revocation(
    connection: sqlite3.Connection, gateway_id: UUID, *, reason: str, now_ns: int
) -> None:
    """Log that nothing more is accepted from a gateway, if it was not logged yet."""
    fields = {"gateway": str(gateway_id), "reason": reason}
    fact = FactEntry(type=facts.GATEWAY_REVOKED, at_ns=now_ns, fields=fields)
    _once(connection, b"revoked:" + gateway_id.bytes, fact)


def note_key_revocation(
    connection: sqlite3.Connection, gateway_id: UUID, key_id: bytes, *, reason: str, now_ns: int
) -> None:
    """Log that nothing more is accepted under one key: entries before this one are not touched."""
    fields = {"gateway": str(gateway_id), "key_id": key_id.hex(), "reason": reason}
    fact = FactEntry(type=facts.KEY_REVOKED, at_ns=now_ns, fields=fields)
    _once(connection, b"key_revoked:" + key_id, fact)


def note_file(connection: sqlite3.Connection, kind: str, digest: Hash, *, now_ns: int) -> None:
    """Log that a bundle (BUNDLE_STORED) or profile (PROFILE_STORED) is kept, if it is new."""
    fact = FactEntry(type=kind, at_ns=now_ns, fields={"sha256": digest.hex()})
    _once(connection, f"{kind}:".encode() + digest, fact)


def note_alarm(
    connection: sqlite3.Connection, warned: Warned, *, gateway_id: UUID | None, now_ns: int
) -> None:
    """Log an alarm that was opened."""
    fields = {
        "code": warned.code.value,
        "gateway": None if gateway_id is None else str(gateway_id),
        "subject": warned.subject,
        "detail": warned.detail,
    }
    append(connection, FactEntry(type=facts.ALARM_RAISED, at_ns=now_ns, fields=fields))


def _once(connection: sqlite3.Connection, subject: bytes, fact: FactEntry) -> None:
    """Append a fact unless one about its subject was appended before."""
    is_new = connection.execute(
        "insert into logged (subject) values (?) on conflict do nothing", (subject,)
    ).rowcount
    if is_new:
        append(connection, fact)


def _catch_up(connection: sqlite3.Connection, *, now_ns: int) -> None:
    """Log what the tables say and the log does not: they may be older than the log."""
    rows = connection.execute(
        "select id, facility, name, revoked_ns, revoked_reason from gateway order by added_ns, id"
    ).fetchall()
    for gateway, facility, name, revoked_ns, reason in rows:
        gateway_id = UUID(bytes=gateway)
        note_gateway(connection, gateway_id, facility=facility, name=name, now_ns=now_ns)
        if revoked_ns is not None:
            note_revocation(connection, gateway_id, reason=reason or "", now_ns=now_ns)
    keys = connection.execute(
        "select gateway_id, public_key from gateway_key order by added_ns, key_id"
    ).fetchall()
    for gateway, public_key in keys:
        note_key(connection, UUID(bytes=gateway), public_key, now_ns=now_ns)
    bundles = connection.execute(
        "select config_hash from bundle order by received_ns, config_hash"
    ).fetchall()
    for (digest,) in bundles:
        note_file(connection, facts.BUNDLE_STORED, digest, now_ns=now_ns)
    profiles = connection.execute(
        "select profile_hash from profile where body is not null order by received_ns, profile_hash"
    ).fetchall()
    for (digest,) in profiles:
        note_file(connection, facts.PROFILE_STORED, digest, now_ns=now_ns)


def _frontier(connection: sqlite3.Connection) -> Frontier:
    row = connection.execute("select size, peaks from log_state where id = 0").fetchone()
    if row is None:
        return Frontier()
    size, peaks = row
    return Frontier(
        size, tuple(Hash(peaks[at : at + HASH_SIZE]) for at in range(0, len(peaks), HASH_SIZE))
    )


def _require_size(connection: sqlite3.Connection, size: int) -> None:
    held = _frontier(connection).size
    if not 0 <= size <= held:
        raise ValueError(f"the log has {held} entries, not {size}")


def _node_at(connection: sqlite3.Connection) -> NodeAt:
    """Return how the roots of complete subtrees are found: kept ones, and what they make."""

    def node_at(level: int, place: int) -> Hash:
        kept = level - level % KEPT_LEVELS
        first, end = place << level - kept, place + 1 << level - kept
        if kept:
            rows = connection.execute(
                "select root from log_node where level = ? and place >= ? and place < ?"
                " order by place",
                (kept, first, end),
            )
            return root([Hash(one) for (one,) in rows])
        rows = connection.execute(
            "select entry from log_entry where id >= ? and id < ? order by id", (first, end)
        )
        return root([leaf(one) for (one,) in rows])

    return node_at
