"""Read-only access to a buffer's file: it cannot change what it reads, and needs no permission to.

Also finds, in a damaged file, the newest batch that is still whole.
"""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from edge_agent.buffer.records import Head
from edge_agent.wire.batch import open_body
from edge_agent.wire.events import KEY_ROTATED, parse_event
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import Hash

# What reading damaged bytes can raise besides our own errors: a value of another type, a number
# out of range, or whatever SQLite says.
DAMAGE_ERRORS: Final = (RefusedError, sqlite3.Error, ValueError, TypeError, OverflowError)


@contextmanager
def opened_read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that sees what has been committed, log included, and writes nothing.

    Raises:
        sqlite3.Error: the file is no database, or may not be read.

    """
    with closing(_connected(path)) as connection:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA busy_timeout = 5000")
        yield connection


def last_verified(path: Path, *, gateway_id: UUID, key: VerifyingKey) -> Head | None:
    """Return the newest batch of a damaged file whose header and signature verify, if any.

    Newest first finds it at once unless the damage is there; then it is found from the other end.
    """
    with closing(_verified_heads(path, "DESC", gateway_id, key)) as newest_first:
        found = next(newest_first, None)
    if found is None:
        for head in _verified_heads(path, "ASC", gateway_id, key):
            found = head
    return found


def key_after(path: Path) -> Hash | None:
    """Return the key that must sign what follows the newest batch of a file.

    That is the key of the batch, or the one that its last event names as the next. None where
    there is no file, no batch, or it cannot be read: what that means, others say.
    """
    try:
        with opened_read_only(path) as connection:
            packed, body = connection.execute(
                "SELECT header, body FROM sealed ORDER BY position DESC LIMIT 1"
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
    path: Path, order: str, gateway_id: UUID, key: VerifyingKey
) -> Generator[Head, None, None]:
    """Yield what verifies, in this order, until damage stops the walk."""
    try:
        with opened_read_only(path) as connection:
            for row in connection.execute(
                "SELECT position, batch_hash, header, signature FROM sealed"  # noqa: S608 - DESC or ASC, from above
                f" ORDER BY position {order}"
            ):
                head = _verified_head(row, gateway_id, key)
                if head is not None:
                    yield head
    except DAMAGE_ERRORS:
        return


def _verified_head(
    row: tuple[int, bytes, bytes, bytes], gateway_id: UUID, key: VerifyingKey
) -> Head | None:
    """Return the batch in this row of a damaged file, or None if it does not verify."""
    position, stored_hash, header_bytes, signature = row
    try:
        header = Header.unpack(header_bytes)
        key.verify(BATCH_CONTEXT, header_bytes, signature)
    except (RefusedError, TypeError):
        return None
    if header.gateway_id != gateway_id or batch_hash(header_bytes) != stored_hash:
        return None
    return Head(position=position, header=header, batch_hash=Hash(stored_hash))


def _connected(path: Path) -> sqlite3.Connection:
    """Return a connection, also where this user may not make the log's index beside the file.

    Without a log the file alone is the whole database and can be read as it stands.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
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
