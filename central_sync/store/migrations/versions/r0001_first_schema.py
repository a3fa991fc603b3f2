"""The first schema: registry, record, configuration, ledger, fleet."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Written out here and not imported: a released revision never changes with the code around it.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
TEXT = sa.Text()


def upgrade() -> None:
    """Make all tables."""
    _registry()
    _record()
    _configuration()
    _ledger()
    _fleet()


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _col(name: str, kind: sa.types.TypeEngine[Any], *, may_lack: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=may_lack)


def _by_rowid(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, *columns, sqlite_strict=True)


def _by_key(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, *columns, sqlite_strict=True, sqlite_with_rowid=False)


def _registry() -> None:
    _by_key(
        "gateway",
        _key("id", BYTES),
        _col("facility", TEXT),
        _col("name", TEXT),
        _col("added_ns", INT64),
        _col("revoked_ns", INT64, may_lack=True),
        _col("revoked_reason", TEXT, may_lack=True),
    )
    _by_key(
        "gateway_key",
        _key("gateway_id", BYTES),
        _key("key_id", BYTES),
        _col("public_key", BYTES),
        _col("added_ns", INT64),
    )
    op.create_index("gateway_key_by_id", "gateway_key", ["key_id"], unique=True)


def _record() -> None:
    _by_rowid(
        "batch",
        sa.Column("id", sa.Integer(), primary_key=True),
        _col("gateway_id", BYTES),
        _col("chain_id", BYTES),
        _col("batch_no", INT64),
        _col("batch_hash", BYTES),
        _col("verdict", sa.Integer()),
        _col("header", BYTES),
        _col("signature", BYTES),
        _col("receipt", BYTES),
        _col("received_ns", INT64),
        _col("at_min", INT64, may_lack=True),
        _col("at_max", INT64, may_lack=True),
        _col("record_count", sa.Integer()),
        _col("body", BYTES),
    )
    op.create_index("batch_by_number", "batch", ["gateway_id", "chain_id", "batch_no"], unique=True)
    _by_key(
        "batch_quarter",
        _key("gateway_id", BYTES),
        _key("quarter", INT64),
        _key("batch_id", INT64),
    )
    _by_key(
        "chain",
        _key("gateway_id", BYTES),
        _key("chain_id", BYTES),
        _col("head_no", INT64),
        _col("head_hash", BYTES),
        _col("head_wall_ns", INT64),
        _col("written_ns", INT64),
    )
    _by_key(
        "hole",
        _key("gateway_id", BYTES),
        _key("chain_id", BYTES),
        _key("batch_no", INT64),
        _col("batch_hash", BYTES),
        _col("is_headstone", sa.Integer()),
        _col("opened_ns", INT64),
        _col("shrunk_ns", INT64),
    )
    _by_key(
        "loss",
        _key("gateway_id", BYTES),
        _key("chain_id", BYTES),
        _key("first_batch", INT64),
        _key("last_batch", INT64),
    )
    _by_rowid(
        "rejected",
        sa.Column("id", sa.Integer(), primary_key=True),
        _col("gateway_id", BYTES),
        _col("received_ns", INT64),
        _col("reason", TEXT),
        _col("frame", BYTES),
    )
    op.create_index("rejected_by_gateway", "rejected", ["gateway_id"], unique=False)


def _configuration() -> None:
    _by_rowid(
        "bundle",
        _key("config_hash", BYTES),
        _col("body", BYTES),
        _col("received_ns", INT64),
    )
    _by_key(
        "refused_bundle",
        _key("config_hash", BYTES),
        _col("reason", TEXT),
        _col("refused_ns", INT64),
    )
    _by_rowid(
        "profile",
        _key("profile_hash", BYTES),
        _col("body", BYTES, may_lack=True),
        _col("received_ns", INT64, may_lack=True),
    )
    _by_key(
        "gateway_config",
        _key("gateway_id", BYTES),
        _key("config_hash", BYTES),
        _col("first_ns", INT64),
    )
    op.create_index("gateway_config_by_hash", "gateway_config", ["config_hash"])


def _ledger() -> None:
    _by_key(
        "counter",
        _key("name", TEXT),
        _col("value", INT64),
    )
    _by_key(
        "dirty_quarter",
        _key("gateway_id", BYTES),
        _key("quarter", INT64),
        _col("generation", INT64),
    )
    _by_rowid(
        "part",
        sa.Column("id", sa.Integer(), primary_key=True),
        _col("gateway_id", BYTES),
        _col("hour_ns", INT64),
        _col("path", TEXT),
        _col("sha256", BYTES),
        _col("row_count", INT64),
        _col("input_hash", BYTES),
        _col("made_ns", INT64),
    )
    op.create_index("part_by_hour", "part", ["gateway_id", "hour_ns"], unique=False)
    _by_key(
        "hourly",
        _key("gateway_id", BYTES),
        _key("channel", INT64),
        _key("hour_ns", INT64),
        _key("revision", INT64),
        _col("facility", TEXT),
        _col("name", TEXT),
        _col("parameter", TEXT),
        _col("unit_of_measure", TEXT),
        _col("value", TEXT, may_lack=True),
        _col("total", TEXT),
        _col("reading_count", INT64),
        _col("used_count", INT64),
        _col("quadrants", sa.Integer()),
        _col("is_valid", sa.Integer()),
        _col("is_provisional", sa.Integer()),
        _col("is_simulated", sa.Integer()),
        _col("detail", TEXT),
        _col("input_hash", BYTES),
        _col("parameter_hash", BYTES),
        _col("kernel", TEXT),
        _col("output_hash", BYTES),
        _col("computed_ns", INT64),
    )
    _by_key(
        "hourly_current",
        _key("hour_ns", INT64),
        _key("gateway_id", BYTES),
        _key("channel", INT64),
        _col("revision", INT64),
    )


def _fleet() -> None:
    _by_key(
        "gateway_state",
        _key("gateway_id", BYTES),
        _col("last_seen_ns", INT64),
        _col("last_data_ns", INT64, may_lack=True),
        _col("batch_count", INT64),
        _col("record_count", INT64),
        _col("quarantined_count", INT64),
        _col("last_header", BYTES, may_lack=True),
    )
    _by_rowid(
        "alarm",
        sa.Column("id", sa.Integer(), primary_key=True),
        _col("code", TEXT),
        _col("gateway_id", BYTES),
        _col("subject", TEXT),
        _col("detail", TEXT),
        _col("opened_ns", INT64),
        _col("closed_ns", INT64, may_lack=True),
        _col("seen_count", INT64),
    )
    op.create_index(
        "alarm_open",
        "alarm",
        ["code", "gateway_id", "subject"],
        unique=True,
        sqlite_where=sa.text("closed_ns is null"),
        postgresql_where=sa.text("closed_ns is null"),
    )
