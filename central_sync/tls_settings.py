"""The part of the settings that is about TLS: values, and what does not go together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

READERS: Final = ("certificate", "anyone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How the service proves who it is, and whom it believes. Gateways need a certificate.

    Attributes:
        names: host names and addresses of the centre: its own authority makes the certificate.
        certificate: PEM, where the certificate comes from elsewhere; with `key`, without `names`.
        key: its private key, PEM; only its owner may read it.
        client_ca: PEM; the gateways' certificates come from this authority and not from ours.
        readers: who may see pages and figures: `certificate` (who has one of the gateways'
            authority that names no gateway) or `anyone`.

    """

    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    readers: str = "certificate"


def tls_problems(tls: Tls) -> list[str]:
    """Return what does not go together."""
    problems = []
    if tls.names and (tls.certificate or tls.key):
        problems.append("tls.names: is for our own authority; leave out certificate and key")
    if not tls.names and (tls.certificate is None or tls.key is None):
        problems.append(
            "tls: give names, for a certificate of our own authority, or certificate and key"
        )
    if any(not name or set(name) & set("/ *") for name in tls.names):
        problems.append("tls.names: must be host names or addresses, such as centre.example")
    if tls.readers not in READERS:
        problems.append(f"tls.readers: {tls.readers!r} must be one of {', '.join(READERS)}")
    return problems
