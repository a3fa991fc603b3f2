"""What gateway and centre agree on when keys are introduced, renewed, changed or given up.

Tokens as people type them, and the bytes under each signature; every purpose has a context of its
own, so that no signature counts for another. Pure.
"""

from base64 import b32decode, b32encode
from hashlib import sha256
from typing import Final
from uuid import UUID

from edge_agent.wire.signing import PUBLIC_KEY_SIZE, ROTATION_CONTEXT, SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import Hash

ENROLMENT_CONTEXT: Final = b"EmissionWatch enrolment v1\x00"
"""Before what a gateway signs to be taken in."""

RENEWAL_CONTEXT: Final = b"EmissionWatch renewal v1\x00"
"""Before what a gateway signs to get another certificate."""

DECOMMISSION_CONTEXT: Final = b"EmissionWatch decommission v1\x00"
"""Before what a gateway signs to be given up."""

TOKEN_SIZE: Final = 20
"""Bytes of a token: 160 random bits, 32 digits in base32."""

NONCE_SIZE: Final = 32

_GROUP: Final = 4
_DIGITS: Final = TOKEN_SIZE * 8 // 5
# Not digits of RFC 4648 base32, but read as such by people.
_MISREAD: Final = str.maketrans({"0": "O", "1": "I", "8": "B"})


def token_text(token: bytes) -> str:
    """Return a token as it is printed: base32 in groups of four."""
    digits = b32encode(token).decode("ascii")
    return "-".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))


def token_of(text: str) -> bytes:
    """Return a token as somebody typed it; case, spaces and dashes do not count.

    Raises:
        ValueError: it is none.

    """
    digits = "".join(text.split()).replace("-", "").upper().translate(_MISREAD)
    if len(digits) != _DIGITS:
        raise ValueError(f"not a whole token: {len(digits)} digits, must be {_DIGITS}")
    try:
        return b32decode(digits)
    except ValueError as fault:  # binascii.Error is one
        raise ValueError("not a token: must be letters and digits 2 to 7") from fault


def token_hash(token: bytes) -> Hash:
    """Return what the centre keeps of a token: 160 random bits need no slow hash."""
    return Hash(sha256(token).digest())


def pin_of(text: str) -> bytes:
    """Return a pin as somebody typed it: 64 hexadecimal digits; colons and spaces do not count.

    Raises:
        ValueError: it is none.

    """
    try:
        pin = bytes.fromhex("".join(text.split()).replace(":", "").removeprefix("sha256"))
    except ValueError as fault:
        raise ValueError("not a pin: must be 64 hexadecimal digits") from fault
    if len(pin) != sha256().digest_size:
        raise ValueError(f"not a whole pin: {2 * len(pin)} digits, must be 64")
    return pin


def enrolment_message(
    *, token_hash: bytes, nonce: bytes, signing_key: VerifyingKey, tls_spki: bytes
) -> bytes:
    """Return what the signing key signs, after ENROLMENT_CONTEXT, to be taken in.

    Only the last part varies in length, so that no two requests have the same bytes.
    """
    return token_hash + nonce + signing_key.spki + tls_spki


def renewal_message(*, gateway_id: UUID, nonce: bytes, tls_spki: bytes) -> bytes:
    """Return what the signing key signs, after RENEWAL_CONTEXT, for another certificate."""
    return gateway_id.bytes + nonce + tls_spki


def decommission_message(*, gateway_id: UUID, nonce: bytes) -> bytes:
    """Return what the signing key signs, after DECOMMISSION_CONTEXT, as its last word."""
    return gateway_id.bytes + nonce


def rotation_message(
    *, gateway_id: UUID, chain_id: UUID, old_key_id: bytes, new_key: VerifyingKey
) -> bytes:
    """Return what a new signing key signs, after ROTATION_CONTEXT, to follow another.

    Source: docs/wire-format.md section 10, `key_rotated`.
    """
    return gateway_id.bytes + chain_id.bytes + old_key_id + new_key.spki


def rotation_fields(
    *, gateway_id: UUID, chain_id: UUID, old_key_id: bytes, new_key: SigningKey
) -> dict[str, str]:
    """Return the fields of a `key_rotated` event.

    `public_key` is more than the wire format asks for: a centre needs it to know the new key.
    """
    public = new_key.verifying_key
    message = rotation_message(
        gateway_id=gateway_id, chain_id=chain_id, old_key_id=old_key_id, new_key=public
    )
    return {
        "key": new_key.key_id.hex(),
        "proof": new_key.sign(ROTATION_CONTEXT, message).hex(),
        "public_key": public.public_bytes.hex(),
    }


def public_key_of(text: object) -> VerifyingKey | None:
    """Return the key in 64 hexadecimal digits; None where there is none."""
    if not isinstance(text, str):
        return None
    try:
        public_bytes = bytes.fromhex(text)
    except ValueError:
        return None
    return VerifyingKey(public_bytes) if len(public_bytes) == PUBLIC_KEY_SIZE else None
