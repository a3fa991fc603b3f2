"""Ed25519 keys and the contexts that keep one signature from being used for another purpose.

No files and no randomness: whoever owns a key brings its 32 bytes.
"""

from hashlib import sha256
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash

BATCH_CONTEXT: Final = b"EmissionWatch batch signature v1\x00"
"""Before a header (docs/wire-format.md section 2)."""

RECEIPT_CONTEXT: Final = b"EmissionWatch receipt v1\x00"
"""Before the 121 bytes of a receipt (docs/wire-format.md section 13)."""

ROTATION_CONTEXT: Final = b"EmissionWatch key rotation v1\x00"
"""Before the identities of a key rotation (docs/wire-format.md section 10)."""

SIGNATURE_SIZE: Final = 64
PUBLIC_KEY_SIZE: Final = 32

# SubjectPublicKeyInfo of an Ed25519 key is these 12 bytes and the key (RFC 8410 section 4).
_SPKI_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")


class VerifyingKey:
    """The public half: who may say that a signature is good."""

    __slots__ = ("_key", "key_id", "public_bytes")

    def __init__(self, public_bytes: bytes) -> None:
        if len(public_bytes) != PUBLIC_KEY_SIZE:
            raise RefusedError(
                Code.KEY, f"a public key of {len(public_bytes)} bytes, must be {PUBLIC_KEY_SIZE}"
            )
        self.public_bytes = public_bytes
        self.key_id = Hash(sha256(self.spki).digest())
        self._key = Ed25519PublicKey.from_public_bytes(public_bytes)

    @property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, DER, 44 bytes."""
        return _SPKI_PREFIX + self.public_bytes

    def verify(self, context: bytes, message: bytes, signature: bytes) -> None:
        """Refuse a signature that this key did not make over context || message.

        Raises:
            RefusedError: SIGNATURE.

        """
        try:
            self._key.verify(signature, context + message)
        except InvalidSignature as error:
            raise RefusedError(
                Code.SIGNATURE, f"not made by key {self.key_id.hex()[:16]} over these bytes"
            ) from error


class SigningKey:
    """The private half. Its bytes never leave it."""

    __slots__ = ("_key", "verifying_key")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.verifying_key = VerifyingKey(key.public_key().public_bytes_raw())

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Return the key of a 32-byte seed (RFC 8032 section 5.1.5)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def key_id(self) -> Hash:
        """SHA-256 of the public key's SubjectPublicKeyInfo."""
        return self.verifying_key.key_id

    @property
    def public_bytes(self) -> bytes:
        """The public key, 32 bytes."""
        return self.verifying_key.public_bytes

    def sign(self, context: bytes, message: bytes) -> bytes:
        """Return the 64-byte signature over context || message."""
        return self._key.sign(context + message)
