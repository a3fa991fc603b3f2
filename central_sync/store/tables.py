"""The words in which `central_sync.store.schema` describes tables."""

from typing import Any

import sqlalchemy as sa

METADATA = sa.MetaData()

# 64-bit on every database: SQLite's INTEGER is, and its STRICT tables know no BIGINT.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
TEXT = sa.Text()


def key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    """Return a column of the primary key."""
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def col(name: str, kind: sa.types.TypeEngine[Any], *, may_lack: bool = False) -> sa.Column[Any]:
    """Return an ordinary column; `may_lack` where NULL says that there is none."""
    return sa.Column(name, kind, nullable=may_lack)


def by_rowid(name: str, *parts: sa.Column[Any] | sa.Index) -> sa.Table:
    """Describe a table of large rows."""
    return sa.Table(name, METADATA, *parts, sqlite_strict=True)


def by_key(name: str, *parts: sa.Column[Any] | sa.Index) -> sa.Table:
    """Describe a table of small rows, found by key alone: it needs no second tree for it."""
    return sa.Table(name, METADATA, *parts, sqlite_strict=True, sqlite_with_rowid=False)
