"""DNP3 over TLS: only the outstation whose certificate is trusted is talked to."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from edge_agent.config.protocols.dnp3 import Tls
from edge_agent.drivers.base import LinkClosedError
from edge_agent.simulator.dnp3_server import listening
from tests.conformance.driver.outstation import (
    ADDRESS,
    CLOCK,
    bits,
    connected,
    device,
    filled,
)
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio
ROOT = Path(__file__).parents[3]
HELD = [bits(0.5), bits(1.5), 1, 1]


def certificate(folder: Path, name: str, host: str = "127.0.0.1") -> tuple[Path, Path]:
    """Make a certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(CLOCK.now().utc_ns / 1e9, UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    own, own_key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    own.write_bytes(made.public_bytes(Encoding.PEM))
    own_key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return own, own_key


@asynccontextmanager
async def encrypted(folder: Path) -> AsyncIterator[tuple[int, Tls]]:
    """Serve an outstation over TLS that wants our certificate; yields port, and what we need."""
    theirs, their_key = certificate(folder, "theirs")
    ours, our_key = certificate(folder, "ours")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs, their_key)
    context.load_verify_locations(ours)
    context.verify_mode = ssl.CERT_REQUIRED
    served = listening({ADDRESS: filled()}, host="127.0.0.1", port=0, clock=CLOCK, context=context)
    async with served as (port, _):
        yield port, Tls(ca_file=theirs, certificate_file=ours, key_file=our_key)


async def test_an_encrypted_connection_is_read(tmp_path: Path) -> None:
    async with (
        encrypted(tmp_path) as (port, tls),
        connected(replace(device(port, tls=tls), timeout_s=5)) as connection,
    ):
        assert (await scan_of(connection.drivers[0])).raw.tolist() == HELD


async def test_a_peer_that_is_not_the_trusted_one_is_refused(tmp_path: Path) -> None:
    another, _ = certificate(tmp_path, "another")
    async with encrypted(tmp_path) as (port, tls):
        for wrong in (replace(tls, ca_file=another), replace(tls, ca_file=tmp_path / "none")):
            with pytest.raises(LinkClosedError):
                async with connected(replace(device(port, tls=wrong), timeout_s=5)):
                    pytest.fail("talked to a stranger")


async def test_a_certificate_for_another_host_is_refused(tmp_path: Path) -> None:
    theirs, their_key = certificate(tmp_path, "theirs", "127.0.0.2")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(theirs, their_key)
    served = listening({ADDRESS: filled()}, host="127.0.0.1", port=0, clock=CLOCK, context=context)
    async with served as (port, _):
        own = replace(device(port, tls=Tls(ca_file=theirs)), timeout_s=5)
        with pytest.raises(LinkClosedError, match="not valid for"):
            async with connected(own):
                pytest.fail("talked to a stranger")
