"""The authority and the centre's own certificate as files in the state folder.

Made when they are first needed. The key of the centre's certificate outlives the certificate, so
that a pin that somebody wrote down stays right when the certificate is made anew.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from central_sync.ca import profile
from central_sync.ca.key_file import keep_new, private_key_in, put
from central_sync.config import ExitCode, OperatorError


class Authority:
    """Issues certificates; `folder` is the state folder."""

    def __init__(self, folder: Path, *, now_ns: int) -> None:
        """Open the authority of a state folder; make it where there is none.

        Raises:
            OperatorError: its files cannot be used.

        """
        self._folder = folder
        key = _kept_key(folder / "ca.key")
        path = folder / "ca.pem"
        if not path.exists():
            put(path, _pem(profile.authority_certificate(key, now_ns=now_ns)))
        certificate = certificate_in(path)
        if certificate.public_key() != key.public_key():
            raise OperatorError(
                f"{path}: is not of the key in {folder / 'ca.key'}. Bring back the one that is",
                exit_code=ExitCode.BAD_DATA,
            )
        self._issuer = profile.Issuer(key=key, certificate=certificate)

    @property
    def certificate_file(self) -> Path:
        """The authority's certificate: what gateways, and the centre, trust."""
        return self._folder / "ca.pem"

    @property
    def pem(self) -> str:
        """The same, as text."""
        return _pem(self._issuer.certificate).decode("ascii")

    @property
    def server_key_file(self) -> Path:
        """The private key of the centre's own certificate."""
        return self._folder / "server.key"

    @property
    def server_certificate_file(self) -> Path:
        """The centre's own certificate."""
        return self._folder / "server.pem"

    def issue(
        self, public_key: CertificatePublicKeyTypes, gateway_id: UUID, *, now_ns: int
    ) -> x509.Certificate:
        """Return a client certificate for a gateway."""
        return profile.gateway_certificate(self._issuer, public_key, gateway_id, now_ns=now_ns)

    def serve_as(self, names: Sequence[str], *, now_ns: int) -> bool:
        """See that the centre's own certificate is for these names, and not too old.

        Returns:
            Whether it was made anew.

        """
        key = _kept_key(self.server_key_file)
        path = self.server_certificate_file
        if path.exists():
            present = certificate_in(path)
            is_ours = present.issuer == self._issuer.certificate.subject
            if (
                is_ours
                and present.public_key() == key.public_key()
                and _hosts_of(present) == set(names)
                and now_ns < profile.renewal_due_ns(present)
            ):
                return False
        public_key = key.public_key()
        put(path, _pem(profile.server_certificate(self._issuer, public_key, names, now_ns=now_ns)))
        return True

    def pin(self) -> bytes:
        """Return the SHA-256 by which a gateway knows the centre before it trusts anybody."""
        return pin_of(_kept_key(self.server_key_file).public_key())


def pin_of(public_key: CertificatePublicKeyTypes) -> bytes:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo."""
    spki = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(spki).digest()


def certificate_in(path: Path) -> x509.Certificate:
    """Return the first certificate of a PEM file.

    Raises:
        OperatorError: it cannot be read, or there is none.

    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0]
    except OSError as fault:
        raise OperatorError(
            f"{path}: cannot be read: {fault.strerror}", exit_code=ExitCode.CONFIGURATION
        ) from fault
    except ValueError as fault:
        raise OperatorError(
            f"{path}: holds no certificate in PEM: {fault}", exit_code=ExitCode.BAD_DATA
        ) from fault


def _kept_key(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        keep_new(path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key = private_key_in(path, remedy="Bring it back from a backup")
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise OperatorError(f"{path}: must be an EC key", exit_code=ExitCode.BAD_DATA)
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def _hosts_of(certificate: x509.Certificate) -> set[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = names.get_values_for_type(x509.IPAddress)
    return {*names.get_values_for_type(x509.DNSName), *map(str, addresses)}
