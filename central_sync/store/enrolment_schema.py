"""The tables of tokens, certificates and revoked keys (`schema` describes the rest)."""

import sqlalchemy as sa

from central_sync.store.tables import BYTES, INT64, TEXT, by_key, col, key

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
