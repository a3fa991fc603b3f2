"""What the certificates of this centre say, whoever they are for. Pure: values in, certificate out.

Gateways are named by a URI, `urn:uuid:...`: what has no host cannot pass for the address of a
centre. A gateway's certificate is good for a client only, the centre's for a server only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE: Final = timedelta(days=3652)
"""Ten years: gateways trust the authority's key, and would have to be told another."""

SERVER_LIFE: Final = timedelta(days=397)
"""What browsers take at most from an authority they are told to trust."""

GATEWAY_LIFE: Final = timedelta(days=60)
"""Renewed after two thirds: a certificate whose key was copied is of use for two months at most."""

TOLERANCE: Final = timedelta(days=1)
"""A certificate is good from so long before it was made: gateways' clocks may be slow."""

NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs certificates."""

    key: EllipticCurvePrivateKey
    certificate: x509.Certificate


def moment(utc_ns: int) -> datetime:
    """Return a time as certificates write it: whole seconds."""
    return datetime.fromtimestamp(utc_ns // NS_PER_S, UTC)


def authority_certificate(key: EllipticCurvePrivateKey, *, now_ns: int) -> x509.Certificate:
    """Return the certificate with which an authority vouches for itself."""
    name = _name("EmissionWatch centre authority")
    builder = _builder(key.public_key(), name, now_ns=now_ns, life=AUTHORITY_LIFE).issuer_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return builder.sign(key, hashes.SHA256())


def gateway_certificate(
    issuer: Issuer, public_key: CertificatePublicKeyTypes, gateway_id: UUID, *, now_ns: int
) -> x509.Certificate:
    """Return a client certificate for a gateway."""
    subject = _name(f"EmissionWatch gateway {gateway_id}")
    builder = _builder(public_key, subject, now_ns=now_ns, life=GATEWAY_LIFE)
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(gateway_id.urn)]
    return _issued(issuer, builder, names, ExtendedKeyUsageOID.CLIENT_AUTH)


def server_certificate(
    issuer: Issuer, public_key: CertificatePublicKeyTypes, names: Sequence[str], *, now_ns: int
) -> x509.Certificate:
    """Return a server certificate for host names and addresses."""
    builder = _builder(public_key, _name("EmissionWatch centre"), now_ns=now_ns, life=SERVER_LIFE)
    return _issued(
        issuer, builder, [_host(name) for name in names], ExtendedKeyUsageOID.SERVER_AUTH
    )


def gateway_named_in(certificate: x509.Certificate) -> UUID | None:
    """Return the gateway that a certificate names, of our authority or of another; or None."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    found = {uri.lower() for uri in uris if uri.lower().startswith("urn:uuid:")}
    if len(found) != 1:
        return None
    try:
        gateway_id = UUID(found.pop())
    except ValueError:
        return None
    return gateway_id


def renewal_due_ns(certificate: x509.Certificate) -> int:
    """Return when two thirds of a certificate's life are over, UTC ns."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return round((begin + (end - begin) * 2 / 3).timestamp()) * NS_PER_S


def _issued(
    issuer: Issuer,
    builder: x509.CertificateBuilder,
    names: Sequence[x509.GeneralName],
    use: x509.ObjectIdentifier,
) -> x509.Certificate:
    authority = issuer.key.public_key()
    for extension, is_critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([use]), False),
        (x509.SubjectAlternativeName(names), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), False),
    ):
        builder = builder.add_extension(extension, critical=is_critical)
    return builder.issuer_name(issuer.certificate.subject).sign(issuer.key, hashes.SHA256())


def _builder(
    public_key: CertificatePublicKeyTypes, subject: x509.Name, *, now_ns: int, life: timedelta
) -> x509.CertificateBuilder:
    now = moment(now_ns)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - TOLERANCE)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
