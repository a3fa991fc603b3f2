"""One signing key after another: what the event `key_rotated` proves.

Rules of docs/wire-format.md section 10: the batch is signed by the old key, the proof in its last
event by the new one; with it the chain ends, and the new key begins another.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ewcheck.faults import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ewcheck.batch import Batch
    from ewcheck.events import Event

CONTEXT = b"EmissionWatch key rotation v1\x00"


def event_of(batch: Batch) -> Event | None:
    """Return the rotation that a batch tells; None where it tells none."""
    last = batch.events[-1] if batch.events else None
    return last if last is not None and last["type"] == "key_rotated" else None


def named_key(event: Event) -> bytes:
    """Return the id of the key that is to follow."""
    return _octets(event, "key", 32)


def follower(
    batch: Batch, event: Event, known: Mapping[bytes, Ed25519PublicKey]
) -> Ed25519PublicKey | None:
    """Return the key that follows, which has signed that it does; None where nobody brings it.

    Raises:
        InvalidError: it has not, or it is another than the event names.

    """
    named = named_key(event)
    if "public_key" in event:
        key = Ed25519PublicKey.from_public_bytes(_octets(event, "public_key", 32))
    elif named in known:
        key = known[named]
    else:
        return None
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if hashlib.sha256(spki).digest() != named:
        raise InvalidError("rotation: it brings another key than it names")
    header = batch.header
    message = header.gateway_id + header.chain_id + header.key_id + spki
    try:
        key.verify(_octets(event, "proof", 64), CONTEXT + message)
    except InvalidSignature:
        raise InvalidError("rotation: the new key has not signed that it follows") from None
    return key


def _octets(event: Event, name: str, length: int) -> bytes:
    text = event[name]
    try:
        octets = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        octets = b""
    if len(octets) != length or octets.hex() != text:
        raise InvalidError(f"rotation: {name} is not {length} bytes in hex")
    return octets
