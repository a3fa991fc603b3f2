"""The gateway's TLS key and certificate: one PEM file, so that both change in one step.

Before an enrolment is answered the file holds the key alone: a second try then asks for the same
key again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity.key_file import put_file, read_key_file

if TYPE_CHECKING:
    from pathlib import Path

NS_PER_S: Final = 1_000_000_000
_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsIdentity:
    """A TLS key and, once it has one, its certificate with those that stand above it."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def new(cls) -> Self:
        """Return a new key without a certificate; nothing is written."""
        return cls(key=ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, path: Path, *, credentials: Path | None = None) -> Self:
        """Return what a file holds; arguments as of `load_signing_key`.

        Raises:
            OperatorError: missing, readable by others, or no EC key in PEM.

        """
        pem = read_key_file(path, credentials=credentials)
        try:
            key = load_pem_private_key(pem, password=None)
            chain = x509.load_pem_x509_certificates(pem) if _BEGIN in pem else []
        except (ValueError, TypeError) as fault:
            raise OperatorError(
                f"{path}: must hold a private key without a passphrase, and behind it its"
                f" certificate, in PEM: {fault}",
                exit_code=ExitCode.CONFIGURATION,
            ) from fault
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise OperatorError(
                f"{path}: not an EC key. Make one with: edge-agent enroll",
                exit_code=ExitCode.CONFIGURATION,
            )
        if chain and chain[0].public_key() != key.public_key():
            raise OperatorError(
                f"{path}: the certificate is not of the key in the same file",
                exit_code=ExitCode.CONFIGURATION,
            )
        return cls(key=key, chain=tuple(chain))

    def save(self, path: Path) -> None:
        """Write it in the place of what is there.

        Raises:
            OperatorError: it cannot be written.

        """
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem += b"".join(one.public_bytes(Encoding.PEM) for one in self.chain)
        put_file(path, pem)

    def certified(self, pem: str) -> TlsIdentity:
        """Return the same key with the certificate that was given for it.

        Raises:
            ValueError: it is no certificate, or of another key.

        """
        chain = tuple(x509.load_pem_x509_certificates(pem.encode()))
        if chain[0].public_key() != self.key.public_key():
            raise ValueError("the certificate is of another key")
        return TlsIdentity(key=self.key, chain=chain)

    @property
    def spki(self) -> bytes:
        """The public key, DER."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def csr(self) -> str:
        """A signing request, PEM; who it is for, the centre says."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EmissionWatch gateway")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(name)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode("ascii")

    @property
    def begins_ns(self) -> int:
        """When its certificate begins to be good, UTC ns; it must have one."""
        return round(self.chain[0].not_valid_before_utc.timestamp()) * NS_PER_S

    @property
    def ends_ns(self) -> int:
        """When its certificate ends, UTC ns; it must have one."""
        return round(self.chain[0].not_valid_after_utc.timestamp()) * NS_PER_S
