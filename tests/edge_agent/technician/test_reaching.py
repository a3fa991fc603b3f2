"""How far the way to the centre goes, tried with real sockets and real certificates."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.technician.reaching import uplink_verdicts
from edge_agent.technician.verdicts import Level, Verdict

NOW_S = SystemClock().now().utc_ns / NS_PER_S


def certificate(folder: Path, *, days: int = 365) -> tuple[Path, Path]:
    """Return the files of a certificate for 127.0.0.1, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")])
    begin = datetime.fromtimestamp(NOW_S, UTC) - timedelta(days=1)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "ca.pem", folder / "key.pem"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@contextmanager
def centre(files: tuple[Path, Path] | None) -> Iterator[int]:
    """Yield the port of a centre that takes one connection, with TLS where there are files."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files is not None:
        context.load_cert_chain(*files)

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            if files is None:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except (ssl.SSLError, OSError):
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def found(url: str, ca_file: Path | None = None) -> list[Verdict]:
    return list(uplink_verdicts(url, ca_file, now_s=NOW_S))


def test_a_centre_with_a_good_certificate_is_reached(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    with centre(files) as port:
        verdicts = found(f"https://127.0.0.1:{port}", files[0])
    assert [one.level for one in verdicts] == [Level.OK] * 3
    assert "certificate is good until" in verdicts[-1].says


def test_a_certificate_that_ends_soon_is_odd(tmp_path: Path) -> None:
    files = certificate(tmp_path, days=10)
    with centre(files) as port:
        verdicts = found(f"https://127.0.0.1:{port}", files[0])
    assert verdicts[-1].level is Level.ODD


def test_a_certificate_of_somebody_else_is_bad(tmp_path: Path) -> None:
    files = certificate(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = certificate(tmp_path / "other")
    with centre(files) as port:
        verdicts = found(f"https://127.0.0.1:{port}", other)
    assert "not believed" in verdicts[-1].says
    assert "ca_file" in verdicts[-1].fix


def test_a_port_that_speaks_no_tls_is_bad(tmp_path: Path) -> None:
    ca_file, _ = certificate(tmp_path)
    with centre(None) as port:
        verdicts = found(f"https://127.0.0.1:{port}", ca_file)
    assert "no TLS with the centre" in verdicts[-1].says


def test_a_port_where_nobody_listens_is_bad_and_readings_are_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (name, uplink) = found(f"http://127.0.0.1:{port}")
    assert (name.level, uplink.level) == (Level.OK, Level.BAD)
    assert "readings are kept" in uplink.fix


@pytest.mark.parametrize("url", ["https://centre.invalid:8443"])
def test_a_name_without_an_address_is_bad(url: str) -> None:
    (name,) = found(url)
    assert (name.subject, name.level) == ("dns", Level.BAD)
