"""Who is at the other end of a TLS connection: what its certificate says, once it was verified.

The TLS library verifies a certificate that is sent against the authority of the gateways; none is
sent by who has none. asyncio shows it at the transport, though no ASGI server passes it on.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cryptography import x509

from central_sync.ca.profile import NS_PER_S, gateway_named_in

KEY: Final = "emissionwatch.peer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """The owner of a verified certificate; `gateway_id` is None where it names no gateway."""

    gateway_id: UUID | None
    serial: int
    expires_ns: int


def peer_at(transport: asyncio.BaseTransport) -> Peer | None:
    """Return who is at the other end; None without TLS, or without a certificate."""
    tls = transport.get_extra_info("ssl_object")
    encoded: bytes | None = None if tls is None else tls.getpeercert(binary_form=True)
    if not encoded:
        return None
    certificate = x509.load_der_x509_certificate(encoded)
    return Peer(
        gateway_id=gateway_named_in(certificate),
        serial=certificate.serial_number,
        expires_ns=round(certificate.not_valid_after_utc.timestamp()) * NS_PER_S,
    )


def peer_of(scope: Mapping[str, Any]) -> Peer | None:
    """Return who sent a request."""
    found = scope.get("state", {}).get(KEY)
    return found if isinstance(found, Peer) else None
