"""The gateway's signing key, and the public keys of the centre's receipts.

Keys are made here and never leave: what is exported is the public half.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity.key_file import create_key_file, read_key_file, read_public_file
from edge_agent.wire.signing import SigningKey, VerifyingKey

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_END: Final = b"-----END PUBLIC KEY-----"


def create_signing_key(path: Path) -> SigningKey:
    """Make a key, write it durably as PEM (PKCS#8) that only the owner can read, and return it.

    Raises:
        OperatorError: there is a file already, or it cannot be written.

    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    create_key_file(path, pem)
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
    return SigningKey(key)


def public_pem(key: VerifyingKey) -> str:
    """Return a public key as PEM (SubjectPublicKeyInfo), to be registered at the centre."""
    public = Ed25519PublicKey.from_public_bytes(key.public_bytes)
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


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
