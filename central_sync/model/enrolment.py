"""How gateways come to be known: tokens, and the certificates that were given to them."""

from dataclasses import dataclass
from uuid import UUID

from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, as the centre keeps it; times are UTC ns.

    `signing_key` is the 32-byte public key that used it, `tls_hash` the SHA-256 of the other key's
    SubjectPublicKeyInfo; both None until then. `tries` counts requests that failed with it.
    """

    token_hash: Hash
    gateway_id: UUID
    expires_ns: int
    tries: int
    signing_key: bytes | None
    tls_hash: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedCertificate:
    """A certificate that our authority gave to a gateway; `revoked_ns` is None while it counts."""

    serial: int
    gateway_id: UUID
    tls_hash: bytes
    expires_ns: int
    revoked_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyState:
    """One signing key of a gateway as an operator sees it; times are UTC ns."""

    key_id: bytes
    added_ns: int
    revoked_ns: int | None
    revoked_reason: str | None
