"""The centre's receipt key: made once, kept in the state folder, readable by its owner alone."""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from central_sync.ca.key_file import keep_new, private_key_in
from central_sync.config import ExitCode, OperatorError
from central_sync.store.admission import Sign
from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.signing import SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import Verdict


def make_receipt_key(path: Path) -> bool:
    """Make the key if there is none; return whether it was made."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return keep_new(path, pem)


def load_receipt_key(path: Path) -> SigningKey:
    """Return the key.

    Raises:
        OperatorError: it is missing, readable by others, or not an Ed25519 key.

    """
    key = private_key_in(path, remedy="`central-sync migrate` makes it")
    if not isinstance(key, Ed25519PrivateKey):
        raise OperatorError(f"{path}: must be an Ed25519 key", exit_code=ExitCode.BAD_DATA)
    return SigningKey(key)


def public_pem(key: VerifyingKey) -> bytes:
    """Return a public key in PEM, as gateways read it."""
    return Ed25519PublicKey.from_public_bytes(key.public_bytes).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_key_of(pem: bytes) -> bytes:
    """Return the 32 bytes of an Ed25519 public key in PEM.

    Raises:
        ValueError: it is something else.

    """
    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as fault:
        raise ValueError(str(fault)) from fault
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("must be an Ed25519 public key")  # noqa: TRY004 - the file is wrong, not us
    return key.public_bytes_raw()


def receipts_by(key: SigningKey) -> Sign:
    """Return the function with which the store signs receipts inside its transaction."""

    def sign(place: BatchPlace, verdict: Verdict, received_ns: int, log_index: int) -> bytes:
        return sign_receipt(
            key, place, verdict=verdict, received_ns=received_ns, log_index=log_index
        ).pack()

    return sign
