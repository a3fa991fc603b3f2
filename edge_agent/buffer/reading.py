"""Read-only access to a buffer's file: it cannot change what it reads, and needs no permission to.

Also finds, in a damaged file, the newest batch that is still whole.
"""

import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeAlias
from uuid import UUID

from edge_agent.buffer.records import Head
from edge_agent.clock import NS_PER_S, Clock
from edge_agent.wire.batch import open_body
from edge_agent.wire.events import KEY_ROTATED, parse_event
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import Hash

Keys: TypeAlias = Mapping[Hash, VerifyingKey]
"""Whose signatures count, by key id."""

NEWEST_LOOKED_AT: Final = 8
# What reading damaged bytes can raise besides our own errors: a value of another type (bytes where
# a number was stored have none of its methods), a number out of range, or whatever SQLite says: it
# runs out of memory over a damaged schema, however much there is.
DAMAGE_ERRORS: Final = (
    *(RefusedError, sqlite3.Error, MemoryError),
    *(ValueError, TypeError, AttributeError, OverflowError),
)


# So long is waited for another program that holds the file.
BUSY_S: Final = 3.0
# Operations of SQLite's machine between two looks at the clock: some milliseconds.
OPERATIONS: Final = 100_000
# No body and no document has more bytes: a damaged length must not cost memory.
LONGEST_VALUE: Final = 72 * 1024 * 1024


class DamagedError(Exception):
    """A stored byte is not what it was; the message says where."""


class Limit:
    """How long one look at a file may take."""

    def __init__(self, clock: Clock, limit_s: float) -> None:
        self._clock = clock
        self._began_ns = clock.now().mono_ns
        self._limit_ns = round(limit_s * NS_PER_S)

    def is_near(self) -> bool:
        """Return whether half of it has passed."""
        return 2 * (self._clock.now().mono_ns - self._began_ns) > self._limit_ns

    def is_over(self) -> bool:
        """Return whether it has passed."""
        return self._clock.now().mono_ns - self._began_ns > self._limit_ns


@contextmanager
def opened_read_only(path: Path, limit: Limit | None = None) -> Iterator[sqlite3.Connection]:
    """Yield a connection that sees what has been committed, log included, and writes nothing.

    Args:
        path: of the database.
        limit: ends a query that is running when it has passed: damaged pages may lead in circles.

    Raises:
        sqlite3.Error: the file is no database, or may not be read.

    """
    with closing(_connected(path)) as connection:
        if limit is not None:
            connection.set_progress_handler(limit.is_over, OPERATIONS)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_VALUE)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA busy_timeout = 3000")
        yield connection


def last_verified(path: Path, *, gateway_id: UUID, keys: Keys, limit: Limit) -> Head | None:
    """Return the newest batch of a damaged file whose header and signature verify, if any.

    Newest first finds it at once unless the damage is there; then it is found from the other end,
    as far as the limit allows.
    """
    with closing(_verified_heads(path, "DESC", gateway_id, keys, limit)) as newest_first:
        found = next(newest_first, None)
    if found is None:
        for head in _verified_heads(path, "ASC", gateway_id, keys, limit):
            found = head
    return found


def newest_verified(path: Path, *, gateway_id: UUID, keys: Keys, limit: Limit) -> Head | None:
    """Return the newest batch of a buffer that nobody has open; None where none is readable.

    Only a few rows are looked at: how many are damaged is for the opening to find out.
    """
    few = f"DESC LIMIT {NEWEST_LOOKED_AT}"
    with closing(_verified_heads(path, few, gateway_id, keys, limit)) as heads:
        return next(heads, None)


def key_after(path: Path) -> Hash | None:
    """Return the key that must sign what follows the newest batch of a file.

    That is the key of the batch, or the one that its last event names as the next. None where
    there is no file, no batch, or it cannot be read: what that means, others say.
    """
    try:
        with opened_read_only(path) as connection:
            packed, body = connection.execute(
                "SELECT header, body FROM sealed WHERE position > 0 ORDER BY position DESC LIMIT 1"
            ).fetchone() or (b"", b"")
        header = Header.unpack(packed)
        lines = open_body(header, body).event_lines
        last = parse_event(lines[-1]) if lines else None
    except DAMAGE_ERRORS:
        return None
    if last is None or last.type != KEY_ROTATED:
        return header.key_id
    return Hash(bytes.fromhex(str(last.fields["key"])))


def _verified_heads(
    path: Path, order: str, gateway_id: UUID, keys: Keys, limit: Limit
) -> Generator[Head, None, None]:
    """Yield what verifies, in this order, until damage or the limit stops the walk."""
    try:
        with opened_read_only(path, limit) as connection:
            for row in connection.execute(
                "SELECT position, batch_hash, header, signature FROM sealed"  # noqa: S608 - from above
                f" WHERE position > 0 ORDER BY position {order}"
            ):
                head = _verified_head(row, gateway_id, keys)
                if head is not None:
                    yield head
                if limit.is_over():
                    return
    except DAMAGE_ERRORS:
        return


def _verified_head(
    row: tuple[int, bytes, bytes, bytes], gateway_id: UUID, keys: Keys
) -> Head | None:
    """Return the batch in this row of a damaged file, or None if it does not verify."""
    position, stored_hash, header_bytes, signature = row
    try:
        header = Header.unpack(header_bytes)
        keys[header.key_id].verify(BATCH_CONTEXT, header_bytes, signature)
    except (RefusedError, TypeError, KeyError):
        return None
    if header.gateway_id != gateway_id or batch_hash(header_bytes) != stored_hash:
        return None
    return Head(position=position, header=header, batch_hash=Hash(stored_hash))


def _connected(path: Path) -> sqlite3.Connection:
    """Return a connection, also where this user may not make the log's index beside the file.

    Without a log the file alone is the whole database and can be read as it stands.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_S)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as error:
        connection.close()
        log = path.with_name(path.name + "-wal")
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CANTOPEN or log.exists():
            raise
        return sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
