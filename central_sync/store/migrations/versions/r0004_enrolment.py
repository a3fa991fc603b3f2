"""Tokens, certificates and revoked keys: how gateways come to be known, and stop being."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Written out here and not imported: a released revision never changes with the code around it.
INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
TEXT = sa.Text()


def upgrade() -> None:
    """Make the tables; keys that are there already stay good."""
    _by_key(
        "revoked_key",
        _key("key_id", BYTES),
        _col("revoked_ns", INT64),
        _col("reason", TEXT),
    )
    _by_key(
        "revoked_from",
        _key("key_id", BYTES),
        _key("chain_id", BYTES),
        _col("batch_no", INT64),
    )
    _by_key(
        "enrolment_token",
        _key("token_hash", BYTES),
        _col("gateway_id", BYTES),
        _col("made_ns", INT64),
        _col("expires_ns", INT64),
        _col("tries", sa.Integer()),
        _col("used_ns", INT64, may_lack=True),
        _col("signing_key", BYTES, may_lack=True),
        _col("tls_hash", BYTES, may_lack=True),
    )
    op.create_index("enrolment_token_by_gateway", "enrolment_token", ["gateway_id"])
    _by_key(
        "certificate",
        _key("serial", BYTES),
        _col("gateway_id", BYTES),
        _col("tls_hash", BYTES),
        _col("issued_ns", INT64),
        _col("expires_ns", INT64),
        _col("revoked_ns", INT64, may_lack=True),
    )
    op.create_index("certificate_by_gateway", "certificate", ["gateway_id"])


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _col(name: str, kind: sa.types.TypeEngine[Any], *, may_lack: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=may_lack)


def _by_key(name: str, *columns: sa.Column[Any]) -> None:
    op.create_table(name, *columns, sqlite_strict=True, sqlite_with_rowid=False)
