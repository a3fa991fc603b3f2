"""The TLS key and its certificate in one file: what is taken, and what is refused."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from central_sync.ca.authority import Authority
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity.key_file import put_file, wipe
from edge_agent.identity.tls import TlsIdentity
from edge_agent.technician.certificate import certificate_verdict
from edge_agent.technician.verdicts import Level
from tests.central_sync.ingest.signed_chain import uuid_of

NOW = 1_795_168_800 * 1_000_000_000


def pem_for(folder: Path, tls: TlsIdentity) -> str:
    authority = Authority(folder, now_ns=NOW)
    made = authority.issue(tls.key.public_key(), uuid_of(1), now_ns=NOW)
    return made.public_bytes(Encoding.PEM).decode()


def refused(path: Path) -> OperatorError:
    with pytest.raises(OperatorError) as told:
        TlsIdentity.load(path)
    return told.value


def test_key_and_certificate_come_back_as_they_were_written(tmp_path: Path) -> None:
    tls, path = TlsIdentity.new(), tmp_path / "tls.pem"
    old = os.umask(0)
    try:
        tls.save(path)
    finally:
        os.umask(old)
    assert (path.stat().st_mode & 0o777, TlsIdentity.load(path).chain) == (0o600, ())
    certified = tls.certified(pem_for(tmp_path, tls))
    certified.save(path)
    loaded = TlsIdentity.load(path)
    assert (loaded.spki, loaded.chain) == (tls.spki, certified.chain)
    assert loaded.begins_ns < NOW < loaded.ends_ns


def test_a_certificate_of_another_key_is_not_taken(tmp_path: Path) -> None:
    tls, other = TlsIdentity.new(), TlsIdentity.new()
    pem = pem_for(tmp_path, other)
    with pytest.raises(ValueError, match="another key"):
        tls.certified(pem)
    with pytest.raises(ValueError, match="PEM"):
        tls.certified("nothing")
    tls.save(tmp_path / "tls.pem")
    mixed = (tmp_path / "tls.pem").read_bytes() + pem.encode()
    put_file(tmp_path / "tls.pem", mixed)
    assert "not of the key in the same file" in str(refused(tmp_path / "tls.pem"))


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tls.pem"
    TlsIdentity.new().save(path)
    path.chmod(0o640)
    assert refused(path).exit_code is ExitCode.PERMISSION
    assert TlsIdentity.load(path, credentials=tmp_path).chain == ()


def test_what_is_no_ec_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tls.pem"
    put_file(path, b"nothing")
    assert "must hold a private key" in str(refused(path))
    key = Ed25519PrivateKey.generate()
    put_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert "not an EC key" in str(refused(path))
    assert "No such file" in str(refused(tmp_path / "none"))


def test_a_wiped_key_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "tls.pem"
    TlsIdentity.new().save(path)
    assert wipe(path)
    assert not wipe(path)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError):
        put_file(tmp_path / "none" / "tls.pem", b"x")


def test_doctor_tells_what_there_is_to_say_about_a_certificate(tmp_path: Path) -> None:
    path, tls = tmp_path / "tls.pem", TlsIdentity.new()
    day_s = 86_400

    def told(days: int) -> tuple[str, str]:
        found = certificate_verdict(path, now_s=NOW / 1e9 + days * day_s)
        assert found.fix or found.level is Level.OK
        return str(found.level), found.says

    assert certificate_verdict(None, now_s=0).level is Level.ODD
    assert "is not there" in told(0)[1]
    tls.save(path)
    assert "no certificate for it yet" in told(0)[1]
    tls.certified(pem_for(tmp_path, tls)).save(path)
    assert [told(days)[0] for days in (0, 49, 51, 60)] == ["ok", "ok", "odd", "bad"]
    path.chmod(0o644)
    assert told(0)[0] == "bad"
