"""The log, its checkpoints, and sealed segments.

Batches that are there already keep their receipts, which name no place in the log.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Written out here and not imported: a released revision never changes with the code around it.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()


def upgrade() -> None:
    """Make the tables and the indices."""
    _log()
    _segments()


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _col(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _by_key(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, *columns, sqlite_strict=True, sqlite_with_rowid=False)


def _log() -> None:
    op.create_table(
        "log_entry",
        _key("id", INT64),
        _col("is_fact", sa.Integer()),
        _col("entry", BYTES),
        sqlite_strict=True,
    )
    op.create_index(
        "log_fact",
        "log_entry",
        ["id"],
        sqlite_where=sa.text("is_fact = 1"),
        postgresql_where=sa.text("is_fact = 1"),
    )
    _by_key("log_node", _key("level", sa.Integer()), _key("place", INT64), _col("root", BYTES))
    _by_key("log_state", _key("id", sa.Integer()), _col("size", INT64), _col("peaks", BYTES))
    _by_key("logged", _key("subject", BYTES))
    _by_key("checkpoint", _key("size", INT64), _col("note", BYTES), _col("made_ns", INT64))


def _segments() -> None:
    _by_key(
        "segment",
        _key("sha256", BYTES),
        _col("size_bytes", INT64),
        _col("batch_count", INT64),
        _col("sealed_ns", INT64),
    )
    _by_key("sealed", _key("batch_hash", BYTES), _col("segment", BYTES), _col("start", INT64))
    op.create_index(
        "batch_unsealed",
        "batch",
        ["received_ns"],
        sqlite_where=sa.text("length(body) > 0"),
        postgresql_where=sa.text("length(body) > 0"),
    )
