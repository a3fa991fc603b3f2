"""The service as a process: killed at any moment, stopped in order, and over TLS."""

import base64
import json
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from central_sync.app import opened
from central_sync.config import CentreSettings
from edge_agent.wire.frame import MEDIA_TYPE
from tests.central_sync.ingest.signed_chain import SignedChain, framed

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]


@contextmanager
def served(state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `central-sync serve` on a free port of the loopback; yield it and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "central_sync", "serve", "--state", state, "--listen=127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def register(state: Path, chain: SignedChain) -> None:
    with opened(CentreSettings(state=state)) as centre:
        centre.store.add_gateway(
            chain.gateway_id, facility="PLANT", name="x", public_key=chain.key.public_bytes
        )


def send_without_listening(address: str, chain: SignedChain, body: bytes) -> socket.socket:
    """Send an upload and do not read its answer."""
    port = urlsplit(address).port
    assert port is not None
    line = socket.create_connection(("127.0.0.1", port))
    head = (
        f"POST /v1/gateways/{chain.gateway_id}/batches HTTP/1.1\r\nHost: x\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    line.sendall(head.encode() + body)
    return line


def test_killed_between_commit_and_answer_the_receipt_is_the_same(tmp_path: Path) -> None:
    chain = SignedChain()
    register(tmp_path, chain)
    frames = []
    for count in (1, 2):
        frames.append(framed(chain.batch()))
        with served(tmp_path) as (process, address):
            line = send_without_listening(address, chain, frames[-1])
            record = sqlite3.connect(tmp_path / "centre.db")
            while record.execute("select count(*) from batch").fetchone() != (count,):
                assert process.poll() is None
            process.kill()
            process.wait()
            line.close()
            stored = record.execute("select receipt from batch order by batch_no").fetchall()
            record.close()
        with served(tmp_path) as (_, address):
            answer = httpx.post(
                f"{address}/v1/gateways/{chain.gateway_id}/batches",
                content=b"".join(frames),
                headers={"Content-Type": MEDIA_TYPE},
                trust_env=False,
            )
        receipts = [base64.b64decode(text) for text in answer.json()["receipts"]]
        assert receipts == [receipt for (receipt,) in stored]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_the_service_in_order(tmp_path: Path, number: signal.Signals) -> None:
    with served(tmp_path) as (process, address):
        assert httpx.get(f"{address}/healthz", trust_env=False).status_code == 200
        process.send_signal(number)
        assert process.wait(20) == 0


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")])
    now = datetime.now(UTC)  # noqa: TID251 - TLS libraries look at the real clock
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


def test_with_a_certificate_it_speaks_https_and_asks_gateways_for_theirs(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    state = tmp_path / "state"
    state.mkdir()
    (state / "centre.toml").write_text(
        "[tls]\n"
        f"certificate = {json.dumps(str(cert))}\nkey = {json.dumps(str(key))}\n"
        f"client_ca = {json.dumps(str(cert))}\n"
    )
    key.chmod(0o600)
    trusting = ssl.create_default_context(cafile=cert)
    with served(state) as (_, address):
        assert address.startswith("https://127.0.0.1:")

        def status(path: str) -> int:
            return httpx.get(f"{address}{path}", verify=trusting, trust_env=False).status_code

        assert (status("/healthz"), status("/readyz")) == (200, 401)
        trusting.load_cert_chain(cert, key)
        assert (status("/healthz"), status("/readyz")) == (200, 200)


def test_a_key_that_others_can_read_is_not_served_with(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)
    key.chmod(0o640)
    (tmp_path / "centre.toml").write_text(f'[tls]\ncertificate = "{cert}"\nkey = "{key}"\n')
    command = (sys.executable, "-m", "central_sync", "serve", "--state", str(tmp_path))
    done = subprocess.run(
        [*command, "--listen=127.0.0.1:0"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "others can read it" in done.stderr) == (77, True)
