"""The gateway's signing key, and the public keys of the centre's receipts.

Keys are made here and never leave: what is exported is the public half. PEM that this product
writes is read and written here; what another tool has written otherwise goes to `cryptography`,
whose formats load then: 11 modules that a start can do without.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity.key_file import create_key_file, read_key_file, read_public_file
from edge_agent.wire.signing import SigningKey, VerifyingKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_END: Final = b"-----END PUBLIC KEY-----"
_PUBLIC: Final = "PUBLIC KEY"
_PRIVATE: Final = "PRIVATE KEY"
# OneAsymmetricKey, version 1, of an Ed25519 key: these 16 bytes and the seed of 32 (RFC 8410
# section 7); SubjectPublicKeyInfo: these 12 and the key of 32 (section 4).
_PRIVATE_PREFIX: Final = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC_PREFIX: Final = bytes.fromhex("302a300506032b6570032100")
_KEY_SIZE: Final = 32


def create_signing_key(path: Path) -> SigningKey:
    """Make a key, write it durably as PEM (PKCS#8) that only the owner can read, and return it.

    Raises:
        OperatorError: there is a file already, or it cannot be written.

    """
    key = Ed25519PrivateKey.generate()
    create_key_file(path, _pem(_PRIVATE, _PRIVATE_PREFIX + key.private_bytes_raw()))
    return SigningKey(key)


def load_signing_key(path: Path, *, credentials: Path | None = None) -> SigningKey:
    """Return the key in a PEM (PKCS#8) file.

    Args:
        path: the file.
        credentials: $CREDENTIALS_DIRECTORY of systemd, if any: what stands there was given to
            this service alone, by an access list that shows as permission for the group.

    Raises:
        OperatorError: missing, not ours to read, readable by others, or not an Ed25519 key.

    """
    pem = read_key_file(path, credentials=credentials)
    seed = _raw(pem, _PRIVATE, _PRIVATE_PREFIX)
    if seed is not None:
        return SigningKey(Ed25519PrivateKey.from_private_bytes(seed))
    return SigningKey(_private_key(path, pem))


def _private_key(path: Path, pem: bytes) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - see the module

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as fault:
        raise OperatorError(
            f"{path}: not a private key in PEM (PKCS#8) without a passphrase",
            exit_code=ExitCode.CONFIGURATION,
        ) from fault
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError(
            f"{path}: not an Ed25519 key. Make one with: edge-agent init",
            exit_code=ExitCode.CONFIGURATION,
        )
    return key


def public_pem(key: VerifyingKey) -> str:
    """Return a public key as PEM (SubjectPublicKeyInfo), to be registered at the centre."""
    return _pem(_PUBLIC, key.spki).decode("ascii")


def load_receipt_keys(path: Path) -> Mapping[bytes, VerifyingKey]:
    """Return the centre's receipt keys by key id, from one file of one or more PEM blocks.

    Several, because the centre's key may change while gateways still wait for old receipts.

    Raises:
        OperatorError: missing, unreadable, empty, or a block that is no Ed25519 public key.

    """
    blocks = read_public_file(path).split(_END)
    if len(blocks) == 1:
        raise OperatorError(
            f"{path}: no public key in PEM (-----BEGIN PUBLIC KEY-----). Ask the central team",
            exit_code=ExitCode.CONFIGURATION,
        )
    keys = [_public_key(path, block + _END) for block in blocks[:-1]]
    return {key.key_id: key for key in keys}


def _public_key(path: Path, pem: bytes) -> VerifyingKey:
    public_bytes = _raw(pem, _PUBLIC, _PUBLIC_PREFIX)
    if public_bytes is not None:
        return VerifyingKey(public_bytes)
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - see the module

    try:
        key = load_pem_public_key(pem)
    except ValueError as fault:
        raise OperatorError(
            f"{path}: a public key that cannot be read", exit_code=ExitCode.CONFIGURATION
        ) from fault
    if not isinstance(key, Ed25519PublicKey):
        raise OperatorError(
            f"{path}: a public key that is not Ed25519", exit_code=ExitCode.CONFIGURATION
        )
    return VerifyingKey(key.public_bytes_raw())


def _pem(label: str, der: bytes) -> bytes:
    """Return DER of one line as PEM (RFC 7468 section 2)."""
    text = base64.b64encode(der).decode("ascii")
    return f"-----BEGIN {label}-----\n{text}\n-----END {label}-----\n".encode()


def _raw(pem: bytes, label: str, prefix: bytes) -> bytes | None:
    """Return the key in PEM that is exactly as `_pem` writes it; None where it is not."""
    begin, end = f"-----BEGIN {label}-----".encode(), f"-----END {label}-----".encode()
    body = pem.strip()
    if not body.startswith(begin) or not body.endswith(end):
        return None
    try:
        der = base64.b64decode(body[len(begin) : -len(end)].strip(), validate=True)
    except binascii.Error:
        return None
    is_ours = der.startswith(prefix) and len(der) == len(prefix) + _KEY_SIZE
    return der[len(prefix) :] if is_ours else None
