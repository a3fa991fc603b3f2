"""Encryption, certificates and passwords of a broker: mosquitto with files made for the test."""

import asyncio
import gc
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge_agent.config.device import Device
from edge_agent.config.protocols.mqtt import Login, MqttSpeech
from edge_agent.drivers.base import LinkClosedError
from edge_agent.drivers.mqtt import connect
from tests.conformance.driver.broker import MOSQUITTO, Broker
from tests.conformance.driver.mqtt import CLOCK, device

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages"),
]
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


def name_of(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificates(folder: Path, host: str) -> Path:
    """Write ca.pem, server.pem and server.key; return the first."""
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    made = {}
    for name, public, is_ca in (("ca", ca_key, True), (host, key, False)):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(name))
            .issuer_name(name_of("ca"))
            .public_key(public.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(NOT_BEFORE + timedelta(days=36_500))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        )
        made[name] = builder.sign(ca_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "ca.pem").write_bytes(made["ca"])
    (folder / "server.pem").write_bytes(made[host])
    (folder / "server.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return folder / "ca.pem"


def encrypted(folder: Path, host: str = "localhost") -> tuple[Broker, Path]:
    """Return a broker with a certificate for a host, and the file of who signed it."""
    ca_file = certificates(folder, host)
    extra = (f"certfile {folder / 'server.pem'}", f"keyfile {folder / 'server.key'}")
    return Broker(folder, extra=extra), ca_file


def logging_in(port: int, login: Login, *, is_encrypted: bool) -> Device:
    own = device(port)
    assert isinstance(own.speech, MqttSpeech)
    scheme, host = ("mqtts", "localhost") if is_encrypted else ("mqtt", "127.0.0.1")
    return replace(
        own,
        endpoint=replace(own.endpoint, scheme=scheme, host=host),
        speech=replace(own.speech, login=login),
        timeout_s=5.0,
    )


async def test_a_broker_with_a_certificate_of_the_right_authority_is_believed(
    tmp_path: Path,
) -> None:
    broker, ca_file = encrypted(tmp_path)
    async with broker:
        login = Login(client_id="gateway", ca_file=ca_file)
        async with connect([logging_in(broker.port, login, is_encrypted=True)], CLOCK) as found:
            assert len(found.drivers) == 1


# paho leaves the socket of a handshake that failed to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("host", ["localhost", "broker.example"])
async def test_no_other_certificate_is_believed(tmp_path: Path, host: str) -> None:
    broker, ca_file = encrypted(tmp_path, host)
    if host == "localhost":
        (tmp_path / "other").mkdir()
        ca_file = certificates(tmp_path / "other", host)
    async with broker:
        login = Login(client_id="gateway", ca_file=ca_file)
        with pytest.raises(LinkClosedError, match="certificate verify failed"):
            async with connect([logging_in(broker.port, login, is_encrypted=True)], CLOCK):
                pytest.fail("believed")
    gc.collect()


async def test_a_ca_file_that_is_gone_is_a_closed_link(tmp_path: Path) -> None:
    broker, _ = encrypted(tmp_path)
    async with broker:
        login = Login(client_id="gateway", ca_file=tmp_path / "nowhere.pem")
        with pytest.raises(LinkClosedError, match="no connection"):
            async with connect([logging_in(broker.port, login, is_encrypted=True)], CLOCK):
                pytest.fail("believed")


async def test_the_password_of_the_file_opens_the_broker_and_no_other_does(tmp_path: Path) -> None:
    passwords, password_file = tmp_path / "passwords", tmp_path / "password"
    passwords.touch(mode=0o600)
    command = ["mosquitto_passwd", "-b", str(passwords), "gateway", "right"]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=10)
    async with Broker(tmp_path, extra=(f"password_file {passwords}",)) as broker:
        login = Login(client_id="gateway", user="gateway", password_file=password_file)
        own = logging_in(broker.port, login, is_encrypted=False)
        password_file.write_text("right\n")
        async with connect([own], CLOCK) as found:
            assert len(found.drivers) == 1
        password_file.write_text("wrong\n")
        with pytest.raises(LinkClosedError, match="refuses: Not authorized"):
            async with connect([own], CLOCK):
                pytest.fail("let in")
