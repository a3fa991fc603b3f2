"""The receipt that a centre keeps beside a batch: 121 bytes and a signature (section 13)."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ewcheck.faults import InvalidError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from ewcheck.header import Header

LAYOUT = struct.Struct("<32s16s16sQ32sQqB64s")
CONTEXT = b"EmissionWatch receipt v1\x00"
SIGNED_LENGTH = 121


def key_id(key: Ed25519PublicKey) -> bytes:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo."""
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).digest()


def check(raw: bytes, header: Header, verdict: int, server: Ed25519PublicKey | None) -> None:
    """Raise InvalidError unless the receipt vouches for exactly this batch and verdict."""
    if len(raw) != LAYOUT.size:
        raise InvalidError(f"receipt: {len(raw)} bytes, not {LAYOUT.size}")
    server_key_id, gateway, chain, number, named, _, _, given, signature = LAYOUT.unpack(raw)
    if (gateway, chain, number, named) != (
        *(header.gateway_id, header.chain_id),
        *(header.batch_no, header.batch_hash),
    ):
        raise InvalidError("receipt: of another batch")
    if given != verdict:
        raise InvalidError(f"receipt: verdict {given}, stored with {verdict}")
    if server is None:
        return
    if server_key_id != key_id(server):
        raise InvalidError("receipt: of another server key")
    try:
        server.verify(signature, CONTEXT + raw[:SIGNED_LENGTH])
    except InvalidSignature:
        raise InvalidError("receipt: not signed by the server's key") from None
