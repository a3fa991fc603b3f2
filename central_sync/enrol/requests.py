"""What a gateway asks for, read once and strictly from JSON; nothing is believed here."""

import json
from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from central_sync.enrol.refusal import NotLetInError, Reason
from edge_agent.wire.enrolment import NONCE_SIZE, TOKEN_SIZE, public_key_of
from edge_agent.wire.signing import SIGNATURE_SIZE, VerifyingKey
from edge_agent.wire.vocabulary import HASH_SIZE

CURVES = (ec.SECP256R1, ec.SECP384R1)
"""Of TLS keys: what every TLS library of today takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsRequest:
    """A certificate signing request that its own key signed."""

    public_key: ec.EllipticCurvePublicKey
    spki: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A gateway that wants to be taken in; CSR and signing key are still as they came."""

    token: bytes
    nonce: bytes
    signing_key: object
    csr: object
    proof: bytes
    gateway: str | None

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return the request in a body.

        Raises:
            NotLetInError: REQUEST.

        """
        fields = _fields(body, "token", "nonce", "signing_key", "csr", "proof", may_have="gateway")
        gateway = fields.get("gateway")
        if gateway is not None and not isinstance(gateway, str):
            raise NotLetInError(Reason.REQUEST, "gateway must be text")
        return cls(
            token=_bytes(fields, "token", TOKEN_SIZE),
            nonce=_bytes(fields, "nonce", NONCE_SIZE),
            signing_key=fields["signing_key"],
            csr=fields["csr"],
            proof=_bytes(fields, "proof", SIGNATURE_SIZE),
            gateway=gateway,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A gateway that wants another certificate."""

    nonce: bytes
    key_id: bytes
    csr: object
    proof: bytes

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return the request in a body.

        Raises:
            NotLetInError: REQUEST.

        """
        fields = _fields(body, "nonce", "key_id", "csr", "proof")
        return cls(
            nonce=_bytes(fields, "nonce", NONCE_SIZE),
            key_id=_bytes(fields, "key_id", HASH_SIZE),
            csr=fields["csr"],
            proof=_bytes(fields, "proof", SIGNATURE_SIZE),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """A gateway that is given up."""

    nonce: bytes
    key_id: bytes
    proof: bytes

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Return the request in a body.

        Raises:
            NotLetInError: REQUEST.

        """
        fields = _fields(body, "nonce", "key_id", "proof")
        return cls(
            nonce=_bytes(fields, "nonce", NONCE_SIZE),
            key_id=_bytes(fields, "key_id", HASH_SIZE),
            proof=_bytes(fields, "proof", SIGNATURE_SIZE),
        )


def tls_request(csr: object) -> TlsRequest:
    """Return what a CSR in PEM asks a certificate for; its names are ours to choose.

    Raises:
        NotLetInError: CSR.

    """
    if not isinstance(csr, str):
        raise NotLetInError(Reason.CSR, "csr must be text")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        is_signed = request.is_signature_valid
        key = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise NotLetInError(Reason.CSR, f"csr cannot be read: {fault}") from fault
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, CURVES):
        raise NotLetInError(Reason.CSR, "the TLS key must be of the curve P-256 or P-384")
    if not is_signed:
        raise NotLetInError(Reason.CSR, "csr is not signed with its own key")
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return TlsRequest(public_key=key, spki=spki)


def signing_key_of(text: object) -> VerifyingKey:
    """Return a signing key.

    Raises:
        NotLetInError: SIGNING_KEY.

    """
    key = public_key_of(text)
    if key is None:
        raise NotLetInError(Reason.SIGNING_KEY, "signing_key must be 64 hexadecimal digits")
    return key


def _fields(body: bytes, *names: str, may_have: str | None = None) -> dict[str, object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise NotLetInError(Reason.REQUEST, "the body is not JSON") from fault
    if not isinstance(fields, dict):
        raise NotLetInError(Reason.REQUEST, "the body must be an object")
    missing = set(names) - fields.keys()
    unknown = fields.keys() - {*names, may_have}
    if missing or unknown:
        wrong = [f"{name} is missing" for name in sorted(missing)]
        wrong += [f"{name[:32]} is unknown" for name in sorted(unknown)]
        raise NotLetInError(Reason.REQUEST, "; ".join(wrong[:8]))
    return fields


def _bytes(fields: dict[str, object], name: str, size: int) -> bytes:
    value = fields[name]
    if isinstance(value, str) and len(value) == 2 * size:
        try:
            return bytes.fromhex(value)
        except ValueError:
            pass
    raise NotLetInError(Reason.REQUEST, f"{name} must be {2 * size} hexadecimal digits")
