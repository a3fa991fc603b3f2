"""HTTP with the centre: compression, TLS, bundles; what leaves the machine and where it goes."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from edge_agent.errors import OperatorError
from edge_agent.wire.bundle import bundle_bytes
from edge_agent.wire.document import Document
from edge_agent.wire.vocabulary import Hash
from tests.edge_agent.uplink.gateway import GATEWAY, gateway
from tests.edge_agent.uplink.http_centre import answering, http_centre
from tests.edge_agent.uplink.model_centre import Reaction

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio


async def test_a_request_is_compressed_where_that_helps(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(30)
        assert await agent.uplink.flush(10)
        [request] = centre.seen
        assert request.headers["content-encoding"] == "zstd"
        assert request.wire_bytes == int(request.headers["content-length"])
        assert request.wire_bytes < len(request.body) * 0.8


async def test_a_centre_that_takes_no_compression_gets_none(tmp_path: Path) -> None:
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.commit(30)
        centre.faults = [answering(Reaction(status=415))]
        assert await agent.uplink.flush(10)
        assert "content-encoding" not in centre.seen[1].headers
        assert len(centre.model.stored) == 31


async def test_proxies_of_the_environment_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        assert await agent.uplink.flush(10)


async def test_a_wanted_bundle_is_sent_and_then_the_profiles_it_names(tmp_path: Path) -> None:
    profile = b'id = "x"\n'
    digest = sha256(profile).hexdigest()
    bundle = bundle_bytes(simulated=True, channels=(), judging={}, agent={}, profiles={"x": digest})
    config_hash = Hash(sha256(bundle).digest())
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.buffer.keep(Document.of(bundle))
        await agent.buffer.keep(Document.of(profile))
        centre.model.wanted_bundles = (Hash(b"?" * 32), config_hash)
        assert await agent.uplink.flush(10)
        puts = [(one.path, one.body) for one in centre.seen if one.method == "PUT"]
        assert puts == [
            (f"/v1/bundles/{config_hash.hex()}", bundle),
            (f"/v1/profiles/{digest}", profile),
        ]


async def test_documents_in_vain_are_told_once_and_hold_nothing_up(tmp_path: Path) -> None:
    lost = sha256(b"a profile that is gone").hexdigest()
    bundle = bundle_bytes(simulated=True, channels=(), judging={}, agent={}, profiles={"x": lost})
    config_hash = Hash(sha256(bundle).digest())
    async with http_centre(GATEWAY) as centre, gateway(tmp_path, centre.url) as agent:
        await agent.buffer.keep(Document.of(bundle))
        centre.model.wanted_bundles = (config_hash,)
        centre.put_statuses = [403, 403, 201]
        with capture_logs() as events:
            for _ in range(4):
                await agent.commit()
                assert await agent.uplink.flush(10)
        refused = [event["sha256"] for event in events if event["event"] == "document.refused"]
        assert refused == [config_hash.hex(), lost]
        assert agent.buffer.backlog().unreceipted_count == 0


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, Path, Path]:
    """A server's TLS, the CA file that it descends from, and one of somebody else."""
    certificate, key = certified()
    stranger, _ = certified()
    (tmp_path / "ca.pem").write_bytes(certificate)
    (tmp_path / "stranger.pem").write_bytes(stranger)
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return context, tmp_path / "ca.pem", tmp_path / "stranger.pem"


def certified() -> tuple[bytes, bytes]:
    """Return a certificate for the loopback address and its key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")])
    address = x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2200, 1, 1, tzinfo=dt.UTC))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), pem


async def test_https_goes_to_the_centre_of_the_ca_file_only(
    tmp_path: Path, tls: tuple[ssl.SSLContext, Path, Path]
) -> None:
    context, ca_file, stranger = tls
    async with http_centre(GATEWAY, tls=context) as centre:
        async with gateway(tmp_path, centre.url, ca_file=stranger) as agent:
            assert not await agent.uplink.flush(10)
            assert "certificate verify failed" in str(agent.uplink.status().last_error).lower()
        assert not centre.seen
        async with gateway(tmp_path, centre.url, ca_file=ca_file) as agent:
            assert await agent.uplink.flush(10)


@pytest.mark.parametrize("content", [None, b"", b"hello"], ids=["missing", "empty", "no PEM"])
async def test_a_ca_file_that_is_none_is_refused_by_name(
    tmp_path: Path, content: bytes | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with pytest.raises(OperatorError, match=f"{ca_file}: .*centre.ca_file"):
        async with gateway(tmp_path, "https://127.0.0.1:9", ca_file=ca_file):
            pass
