"""The tables of who may send: gateways, their keys, tokens and certificates."""

import sqlalchemy as sa

from central_sync.store.tables import BYTES, INT64, TEXT, by_key, col, key

by_key(
    "gateway",
    key("id", BYTES),
    col("facility", TEXT),
    col("name", TEXT),
    col("added_ns", INT64),
    col("revoked_ns", INT64, may_lack=True),
    col("revoked_reason", TEXT, may_lack=True),
)
by_key(
    "gateway_key",
    key("gateway_id", BYTES),
    key("key_id", BYTES),
    col("public_key", BYTES),
    col("added_ns", INT64),
    sa.Index("gateway_key_by_id", "key_id", unique=True),
)
by_key(
    "revoked_key",
    key("key_id", BYTES),
    col("revoked_ns", INT64),
    col("reason", TEXT),
)
by_key(
    "revoked_from",
    key("key_id", BYTES),
    key("chain_id", BYTES),
    col("batch_no", INT64),
)
by_key(
    "enrolment_token",
    key("token_hash", BYTES),
    col("gateway_id", BYTES),
    col("made_ns", INT64),
    col("expires_ns", INT64),
    col("tries", sa.Integer()),
    col("used_ns", INT64, may_lack=True),
    col("signing_key", BYTES, may_lack=True),
    col("tls_hash", BYTES, may_lack=True),
    sa.Index("enrolment_token_by_gateway", "gateway_id"),
)
by_key(
    "certificate",
    key("serial", BYTES),
    col("gateway_id", BYTES),
    col("tls_hash", BYTES),
    col("issued_ns", INT64),
    col("expires_ns", INT64),
    col("revoked_ns", INT64, may_lack=True),
    sa.Index("certificate_by_gateway", "gateway_id"),
)
