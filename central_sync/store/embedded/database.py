"""One SQLite file: a single writer, and readers that cannot write. Not a word about tables.

Always true: a write that returned is on the disk (WAL with `synchronous=FULL`, asserted on every
connection), or it left no trace.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Final

from central_sync.store.port import StoreUnavailableError

READER_COUNT: Final = 4
# A command (`gateway add`) writes beside the service: either waits for the other's transaction.
BUSY_TIMEOUT_MS: Final = 10_000
_FULL: Final = 2
# The rest of what SQLite raises says something of the file, not of what was asked.
_OF_THE_CALLER: Final = (sqlite3.IntegrityError, sqlite3.ProgrammingError)


class Database:
    """Hands out connections: `write` one at a time in a transaction, `read` several at once."""

    def __init__(self, path: Path) -> None:
        self._writing = Lock()
        self._writer = _connect(path)
        self._readers: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._is_closed = False
        for _ in range(READER_COUNT):
            reader = _connect(path)
            reader.execute("pragma query_only=on")
            self._readers.put(reader)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield the writer inside a transaction that commits at the end, or did nothing.

        Raises:
            StoreUnavailableError: the file cannot be written: disk full, read-only, locked, closed.

        """
        with self._writing:
            self._require_open()
            try:
                self._writer.execute("begin immediate")
                yield self._writer
                self._writer.execute("commit")
            except _OF_THE_CALLER:
                raise
            except sqlite3.DatabaseError as fault:
                raise StoreUnavailableError(f"the store cannot be written: {fault}") from fault
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("rollback")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a reader that sees one state of the file from its first query on.

        Raises:
            StoreUnavailableError: the file cannot be read: locked, damaged, closed.

        """
        reader = self._readers.get()
        try:
            self._require_open()
            reader.execute("begin")
            yield reader
        except _OF_THE_CALLER:
            raise
        except sqlite3.DatabaseError as fault:
            raise StoreUnavailableError(f"the store cannot be read: {fault}") from fault
        finally:
            # SQLite ends a transaction by itself when the disk fails under it.
            if not self._is_closed and reader.in_transaction:
                reader.execute("rollback")
            self._readers.put(reader)

    def close(self) -> None:
        """Close every connection as soon as no thread uses it; SQLite would crash under one."""
        with self._writing:
            self._is_closed = True
            self._writer.close()
        readers = [self._readers.get() for _ in range(READER_COUNT)]
        for reader in readers:
            reader.close()
            self._readers.put(reader)

    def _require_open(self) -> None:
        if self._is_closed:
            raise StoreUnavailableError("the store is closed")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.execute(f"pragma busy_timeout={BUSY_TIMEOUT_MS}")
    (mode,) = connection.execute("pragma journal_mode=wal").fetchone()
    connection.execute("pragma synchronous=full")
    (level,) = connection.execute("pragma synchronous").fetchone()
    if mode != "wal" or level != _FULL:
        connection.close()
        raise StoreUnavailableError(
            f"{path}: journal mode {mode}, synchronous {level}; must be wal and {_FULL}"
        )
    return connection
