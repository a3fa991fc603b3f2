"""The product's centre without process and disk: its admission and its store, in memory.

Requests go in as bytes and answers come out as bytes. A backup is a copy of the whole database.
"""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from central_sync.api.uploads import answer
from central_sync.ingest.admit import admit
from central_sync.ingest.receipt_key import receipts_by
from central_sync.ingest.receive import prepared
from central_sync.store.embedded import EmbeddedStore
from central_sync.store.embedded.database import Database
from central_sync.store.migrations.upgrade import upgrade
from edge_agent.wire.signing import SigningKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from central_sync.store.admission import Admit, Submission

RECEIPT_KEY = SigningKey.from_seed(b"r" * 32)


@cache
def empty() -> bytes:
    """Return a migrated database with nothing in it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "centre.db"
        upgrade(f"sqlite:///{file}")
        with closing(sqlite3.connect(file)) as made:
            made.execute("pragma journal_mode=delete")
            return made.serialize()


class MemoryDatabase(Database):
    """One connection for everybody, to a database that is gone with it."""

    def __init__(self, image: bytes) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(image)
        self.connection.execute("pragma journal_mode=memory")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield it in a transaction."""
        self.connection.execute("begin immediate")
        try:
            yield self.connection
            self.connection.execute("commit")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("rollback")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield it."""
        yield self.connection

    def close(self) -> None:
        """Let it go."""
        self.connection.close()


class MemoryStore(EmbeddedStore):
    """The embedded store over such a database."""

    def __init__(self, image: bytes, *, admit: Admit, now_ns: Callable[[], int]) -> None:
        self.database = MemoryDatabase(image)
        self._db = self.database
        self._admit = admit
        self._sign = receipts_by(RECEIPT_KEY)
        self._now_ns = now_ns


class Centre:
    """One centre; `restore` puts it back to a backup."""

    def __init__(self, now_ns: Callable[[], int], *, admit: Admit = admit) -> None:
        self._now_ns = now_ns
        self._admit = admit
        self.store = MemoryStore(empty(), admit=admit, now_ns=now_ns)

    def backup(self) -> bytes:
        """Return the whole of it."""
        return self.store.database.connection.serialize()

    def restore(self, image: bytes) -> None:
        """Go on from a backup."""
        self.store.close()
        self.store = MemoryStore(image, admit=self._admit, now_ns=self._now_ns)

    def looked_through(self, gateway_id: UUID, body: bytes) -> Submission:
        """Return a request as the first look finds it; what is stored may change until `taken`."""
        return prepared(gateway_id, body, store=self.store, receipt_key=RECEIPT_KEY.verifying_key)

    def taken(self, submission: Submission) -> tuple[int, bytes]:
        """Take a request; return status and body of the answer."""
        (outcome,) = self.store.accept([submission])
        told = answer(outcome)
        return told.status_code, bytes(told.body)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what the database holds, past the product."""
        return self.store.database.connection.execute(sql).fetchall()
