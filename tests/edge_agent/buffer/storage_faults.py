"""Storage that refuses, for tests: a COMMIT that fails, every transaction, a growing file."""

import resource
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from edge_agent.buffer.connection import Database, Row, SqlValue

Statement = Callable[[str, Sequence[SqlValue]], Awaitable[list[Row]]]


@contextmanager
def no_file_grows_beyond(size_bytes: int) -> Iterator[None]:
    """Let the kernel refuse writes behind this place in any file of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Failing:
    """Fails the next COMMITs of a database, before or after they have worked; or all writing."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self._rows: Statement = database.rows
        self.before = 0
        self.after = 0
        self.refuses = False
        monkeypatch.setattr(database, "rows", self.rows)

    async def rows(self, sql: str, values: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a statement, or fail it."""
        if self.refuses and sql == "BEGIN IMMEDIATE":
            raise sqlite3.OperationalError("attempt to write a readonly database")
        if sql == "COMMIT" and self.before:
            self.before -= 1
            raise sqlite3.OperationalError("disk I/O error")
        found = await self._rows(sql, values)
        if sql == "COMMIT" and self.after:
            self.after -= 1
            raise sqlite3.OperationalError("disk I/O error")
        return found
