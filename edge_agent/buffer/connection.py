"""One connection to the buffer's file: its settings asserted, its failures never believed twice.

After any failure the connection is closed and a new one is made before the next use; what the
failed transaction had written is then either wholly there or wholly absent.
"""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import aiosqlite

from edge_agent.buffer import schema
from edge_agent.buffer.faults import BufferFullError

SqlValue: TypeAlias = bytes | int | str | None
Row: TypeAlias = tuple[SqlValue, ...]

# Primary result codes that mean damaged bytes, not a refusing device (sqlite.org/rescode.html). No
# statement of ours breaks a constraint unless a table hides rows that it has.
DAMAGED_CODES = frozenset(
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT}
)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether SQLite says that the file's bytes are wrong."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in DAMAGED_CODES


class Database:
    """The writer. Not safe for two tasks at once: the buffer's lock is around every use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: aiosqlite.Connection | None = None
        self._is_sound = False
        self._has_tables = False
        # Whether a COMMIT was begun of which nobody knows what became; who finds out about his
        # batches clears the first, only another COMMIT the second.
        self.is_uncertain = False
        self.has_doubts = False

    async def create(self) -> None:
        """Connect, and make the file and its tables where there are none."""
        await self._connect("rwc")
        if not await self.rows("SELECT 1 FROM sqlite_schema LIMIT 1"):
            async with self.transaction():
                for statement in schema.TABLES:
                    await self.rows(statement)
        self._has_tables = True

    async def rows(self, sql: str, values: Sequence[SqlValue] = ()) -> list[Row]:
        """Run one statement to its end and return its rows."""
        if self._connection is None:
            raise RuntimeError("the buffer is closed")
        return [tuple(row) for row in await self._connection.execute_fetchall(sql, values)]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit what the block writes; any way out but the end leaves the connection unsound.

        A full quota is no failure of the connection: that is rolled back at once.
        """
        self._is_sound = False
        await self.rows("BEGIN IMMEDIATE")
        try:
            yield
        except BufferFullError:
            await self.rows("ROLLBACK")
            self._is_sound = True
            raise
        self.is_uncertain = self.has_doubts = True
        await self.rows("COMMIT")
        self.is_uncertain = self.has_doubts = False
        self._is_sound = True

    async def mend(self) -> bool:
        """Connect anew if the last use failed; return whether that was necessary.

        Everything the log holds is then written to the database file and flushed: pages that a
        failed fsync left in the kernel's cache look written and are not (fsyncgate, LWN 752063).
        """
        if self._is_sound:
            return False
        await self.close()
        if not self._has_tables:
            await self.create()
            return True
        await self._connect("rw")
        busy, *_ = (await self.rows("PRAGMA wal_checkpoint(TRUNCATE)"))[0]
        if busy:
            raise sqlite3.OperationalError("a reader holds the log; the buffer cannot be re-opened")
        self._is_sound = True
        return True

    async def mend_to_read(self) -> None:
        """Connect for reading alone, where `mend` has failed; the next use mends again."""
        await self.close()
        uri = f"{self._path.absolute().as_uri()}?mode=ro"
        self._connection = await aiosqlite.connect(uri, uri=True, isolation_level=None)
        await self.rows("PRAGMA trusted_schema = OFF")
        await self.rows("PRAGMA cell_size_check = ON")

    async def close(self) -> None:
        """Close the connection; a failure to close changes nothing that was committed."""
        connection, self._connection, self._is_sound = self._connection, None, False
        if connection is not None:
            with suppress(sqlite3.Error):
                await connection.close()

    async def forget(self) -> None:
        """Close the connection to files that are given up; the next use makes new ones."""
        await self.close()
        self._has_tables = False

    async def _connect(self, mode: str) -> None:
        self._connection = await aiosqlite.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None
        )
        await self.rows(f"PRAGMA page_size = {schema.PAGE_BYTES}")
        for name, value, expected in schema.PRAGMAS:
            await self.rows(f"PRAGMA {name} = {value}")
            taken = (await self.rows(f"PRAGMA {name}"))[0][0]
            if taken != expected:
                raise RuntimeError(f"PRAGMA {name} is {taken!r}, must be {expected!r}")
        self._is_sound = True
