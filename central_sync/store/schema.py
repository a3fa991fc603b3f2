"""The tables of the store as they are after the last migration.

Only a description: tables are made by `central_sync.store.migrations` alone, and a test compares.
Times are UTC nanoseconds, UUIDs their 16 bytes, hashes 32 bytes. There is no row per reading.
"""

import sqlalchemy as sa

from central_sync.store import schema_registry as registry
from central_sync.store.tables import BYTES, INT64, METADATA, TEXT, by_key, by_rowid, col, key

__all__ = ["METADATA", "registry"]

# The record: signed bytes, verbatim.
by_rowid(
    "batch",
    sa.Column("id", sa.Integer(), primary_key=True),
    col("gateway_id", BYTES),
    col("chain_id", BYTES),
    col("batch_no", INT64),
    col("batch_hash", BYTES),
    col("verdict", sa.Integer()),
    col("header", BYTES),
    col("signature", BYTES),
    col("receipt", BYTES),
    col("received_ns", INT64),
    col("at_min", INT64, may_lack=True),
    col("at_max", INT64, may_lack=True),
    col("record_count", sa.Integer()),
    col("body", BYTES),
    sa.Index("batch_by_number", "gateway_id", "chain_id", "batch_no", "batch_hash", unique=True),
    sa.Index(
        "batch_unsealed",
        "received_ns",
        sqlite_where=sa.text("length(body) > 0"),
        postgresql_where=sa.text("length(body) > 0"),
    ),
)
# Which of them stand beside the main line of their chain: found anew when holes are filled.
by_key("branch", key("batch_id", INT64))
by_key(
    "batch_quarter",
    key("gateway_id", BYTES),
    key("quarter", INT64),
    key("batch_id", INT64),
)
# What is known of the clocks of gateways (docs/calculations.md section 9).
by_key(
    "clock_anchor",
    key("gateway_id", BYTES),
    key("boot_count", INT64),
    key("boot_id", BYTES),
    key("mono_ns", INT64),
    key("batch_id", INT64),
    col("wall_ns", INT64),
    col("error_ns", INT64),
)
by_key(
    "clock_doubt",
    key("gateway_id", BYTES),
    key("boot_count", INT64),
    key("boot_id", BYTES),
    key("mono_ns", INT64),
    key("batch_id", INT64),
    col("mono_min", INT64),
    col("mono_max", INT64),
    col("quarters", TEXT),
    col("is_due", sa.Integer()),
    sa.Index(
        "clock_doubt_due",
        "gateway_id",
        sqlite_where=sa.text("is_due"),
        postgresql_where=sa.text("is_due <> 0"),
    ),
)
by_key(
    "chain",
    key("gateway_id", BYTES),
    key("chain_id", BYTES),
    col("head_no", INT64),
    col("head_hash", BYTES),
    col("head_wall_ns", INT64),
    col("written_ns", INT64),
)
by_key(
    "hole",
    key("gateway_id", BYTES),
    key("chain_id", BYTES),
    key("batch_no", INT64),
    key("batch_hash", BYTES),
    col("is_headstone", sa.Integer()),
    col("opened_ns", INT64),
    col("shrunk_ns", INT64),
)
# What signed events say is lost: by number (only the readings, where headstones are left) ...
by_key(
    "loss",
    key("gateway_id", BYTES),
    key("chain_id", BYTES),
    key("leaves_headstones", sa.Integer()),
    key("first_batch", INT64),
    key("last_batch", INT64),
)
# ... and by name.
by_key(
    "lost_batch",
    key("gateway_id", BYTES),
    key("chain_id", BYTES),
    key("batch_no", INT64),
    key("batch_hash", BYTES),
    col("prev_batch_hash", BYTES),
)
by_rowid(
    "rejected",
    sa.Column("id", sa.Integer(), primary_key=True),
    col("gateway_id", BYTES),
    col("received_ns", INT64),
    col("reason", TEXT),
    col("frame", BYTES),
    sa.Index("rejected_by_gateway", "gateway_id"),
)

# Sealed segments: where the bodies of older batches stand.
by_key(
    "segment",
    key("sha256", BYTES),
    col("size_bytes", INT64),
    col("batch_count", INT64),
    col("sealed_ns", INT64),
)
by_key(
    "sealed",
    key("batch_hash", BYTES),
    col("segment", BYTES),
    col("start", INT64),
)

# The log (docs/witness.md): entries, every fourth level of their tree, and how it goes on.
by_rowid(
    "log_entry",
    key("id", INT64),
    col("is_fact", sa.Integer()),
    col("entry", BYTES),
    sa.Index(
        "log_fact",
        "id",
        sqlite_where=sa.text("is_fact = 1"),
        postgresql_where=sa.text("is_fact = 1"),
    ),
)
by_key(
    "log_node",
    key("level", sa.Integer()),
    key("place", INT64),
    col("root", BYTES),
)
by_key(
    "log_state",
    key("id", sa.Integer()),
    col("size", INT64),
    col("peaks", BYTES),
)
by_key("logged", key("subject", BYTES))
by_key(
    "checkpoint",
    key("size", INT64),
    col("note", BYTES),
    col("made_ns", INT64),
)

# What batches need to be read.
by_rowid(
    "bundle",
    key("config_hash", BYTES),
    col("body", BYTES),
    col("received_ns", INT64),
)
by_key(
    "refused_bundle",
    key("config_hash", BYTES),
    col("reason", TEXT),
    col("refused_ns", INT64),
)
by_rowid(
    "profile",
    key("profile_hash", BYTES),
    col("body", BYTES, may_lack=True),
    col("received_ns", INT64, may_lack=True),
)
by_key(
    "gateway_config",
    key("gateway_id", BYTES),
    key("config_hash", BYTES),
    col("first_ns", INT64),
    sa.Index("gateway_config_by_hash", "config_hash"),
)

# The ledger: what must be computed, and what was.
by_key("counter", key("name", TEXT), col("value", INT64))
by_key(
    "dirty_quarter",
    key("gateway_id", BYTES),
    key("quarter", INT64),
    col("generation", INT64),
)
by_rowid(
    "part",
    sa.Column("id", sa.Integer(), primary_key=True),
    col("gateway_id", BYTES),
    col("hour_ns", INT64),
    col("path", TEXT),
    col("sha256", BYTES),
    col("row_count", INT64),
    col("input_hash", BYTES),
    col("made_ns", INT64),
    sa.Index("part_by_hour", "gateway_id", "hour_ns"),
)
by_key(
    "hourly",
    key("gateway_id", BYTES),
    key("channel", INT64),
    key("hour_ns", INT64),
    key("revision", INT64),
    col("facility", TEXT),
    col("name", TEXT),
    col("parameter", TEXT),
    col("unit_of_measure", TEXT),
    col("value", TEXT, may_lack=True),
    col("total", TEXT),
    col("reading_count", INT64),
    col("used_count", INT64),
    col("quadrants", sa.Integer()),
    col("is_valid", sa.Integer()),
    col("is_provisional", sa.Integer()),
    col("is_simulated", sa.Integer()),
    col("detail", TEXT),
    col("input_hash", BYTES),
    col("parameter_hash", BYTES),
    col("kernel", TEXT),
    col("output_hash", BYTES),
    col("computed_ns", INT64),
)
by_key(
    "hourly_current",
    key("hour_ns", INT64),
    key("gateway_id", BYTES),
    key("channel", INT64),
    col("revision", INT64),
)

# The state of the fleet.
by_key(
    "gateway_state",
    key("gateway_id", BYTES),
    col("last_seen_ns", INT64),
    col("last_data_ns", INT64, may_lack=True),
    col("batch_count", INT64),
    col("record_count", INT64),
    col("quarantined_count", INT64),
    col("last_header", BYTES, may_lack=True),
)
by_rowid(
    "alarm",
    sa.Column("id", sa.Integer(), primary_key=True),
    col("code", TEXT),
    col("gateway_id", BYTES),
    col("subject", TEXT),
    col("detail", TEXT),
    col("opened_ns", INT64),
    col("closed_ns", INT64, may_lack=True),
    col("seen_count", INT64),
    sa.Index(
        "alarm_open",
        "code",
        "gateway_id",
        "subject",
        unique=True,
        sqlite_where=sa.text("closed_ns is null"),
        postgresql_where=sa.text("closed_ns is null"),
    ),
)
