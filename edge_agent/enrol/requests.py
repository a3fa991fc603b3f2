"""What a gateway sends to be let in, renewed or let go: signed JSON. Pure."""

import json
from typing import TYPE_CHECKING
from uuid import UUID

from edge_agent.wire.enrolment import (
    DECOMMISSION_CONTEXT,
    ENROLMENT_CONTEXT,
    RENEWAL_CONTEXT,
    decommission_message,
    enrolment_message,
    renewal_message,
    token_hash,
)
from edge_agent.wire.signing import SigningKey

if TYPE_CHECKING:
    from edge_agent.identity.tls import TlsIdentity

NONCES = "/v1/nonces"
ENROLMENTS = "/v1/enrolments"


def certificate_path(gateway_id: UUID) -> str:
    """Return where certificates are renewed."""
    return f"/v1/gateways/{gateway_id}/certificate"


def decommission_path(gateway_id: UUID) -> str:
    """Return where a gateway says farewell."""
    return f"/v1/gateways/{gateway_id}/decommission"


def enrolment(
    token: bytes,
    nonce: bytes,
    signing_key: SigningKey,
    tls: "TlsIdentity",
    gateway_id: UUID | None,
) -> bytes:
    """Return the request to be taken in; `gateway_id` where this gateway is one already."""
    message = enrolment_message(
        token_hash=token_hash(token),
        nonce=nonce,
        signing_key=signing_key.verifying_key,
        tls_spki=tls.spki,
    )
    fields = {
        "token": token.hex(),
        "nonce": nonce.hex(),
        "signing_key": signing_key.public_bytes.hex(),
        "csr": tls.csr,
        "proof": signing_key.sign(ENROLMENT_CONTEXT, message).hex(),
    }
    return _json(fields if gateway_id is None else {**fields, "gateway": str(gateway_id)})


def renewal(gateway_id: UUID, nonce: bytes, signing_key: SigningKey, tls: "TlsIdentity") -> bytes:
    """Return the request for another certificate."""
    message = renewal_message(gateway_id=gateway_id, nonce=nonce, tls_spki=tls.spki)
    return _json(
        {
            "nonce": nonce.hex(),
            "key_id": signing_key.key_id.hex(),
            "csr": tls.csr,
            "proof": signing_key.sign(RENEWAL_CONTEXT, message).hex(),
        }
    )


def farewell(gateway_id: UUID, nonce: bytes, signing_key: SigningKey) -> bytes:
    """Return the request to be let go."""
    message = decommission_message(gateway_id=gateway_id, nonce=nonce)
    return _json(
        {
            "nonce": nonce.hex(),
            "key_id": signing_key.key_id.hex(),
            "proof": signing_key.sign(DECOMMISSION_CONTEXT, message).hex(),
        }
    )


def _json(fields: dict[str, str]) -> bytes:
    return json.dumps(fields).encode("ascii")
