"""What a buffer may fail with: errors of the world, each with its remedy.

A bug is not here: it raises whatever Python raises. After any of these the caller still has its
readings and calls `append` again with the same portion; nothing is stored twice.
"""

import sqlite3
from enum import StrEnum


class Fault(StrEnum):
    """Why storage refuses."""

    FULL = "full"
    READONLY = "readonly"
    FAILING = "failing"


_BY_CODE = {sqlite3.SQLITE_FULL: Fault.FULL, sqlite3.SQLITE_READONLY: Fault.READONLY}


def fault_of(error: sqlite3.Error) -> Fault:
    """Return what kind of refusal an error of SQLite is (sqlite.org/rescode.html)."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return Fault.FAILING if code is None else _BY_CODE.get(code & 0xFF, Fault.FAILING)


class BufferFullError(Exception):
    """The quota is full of what the centre has not receipted; nothing was stored."""


class DiskFullError(BufferFullError):
    """The disk has no room for more, and nothing that may go; nothing was stored."""


class BufferUnavailableError(Exception):
    """The storage refused: disk full, read-only, damaged, or in use by another agent."""

    def __init__(self, message: str, *, fault: Fault = Fault.FAILING) -> None:
        super().__init__(message)
        self.fault = fault
