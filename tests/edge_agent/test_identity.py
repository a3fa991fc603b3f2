"""The signing key on disk: made once, for the owner alone, and refused when others can read it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import (
    create_signing_key,
    load_receipt_keys,
    load_signing_key,
    public_pem,
)
from edge_agent.wire.signing import BATCH_CONTEXT, SigningKey

if TYPE_CHECKING:
    from pathlib import Path

PEM, PKCS8 = Encoding.PEM, PrivateFormat.PKCS8


def test_a_new_key_is_for_its_owner_and_comes_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "gateway.key"
    old = os.umask(0)
    try:
        made = create_signing_key(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = load_signing_key(path)
    assert loaded.key_id == made.key_id
    loaded.verifying_key.verify(BATCH_CONTEXT, b"x", made.sign(BATCH_CONTEXT, b"x"))


def test_two_keys_are_never_the_same(tmp_path: Path) -> None:
    made = [create_signing_key(tmp_path / name) for name in "ab"]
    assert made[0].key_id != made[1].key_id


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "gateway.key"
    made = create_signing_key(path)
    with pytest.raises(OperatorError, match="a file is there already"):
        create_signing_key(path)
    assert load_signing_key(path).key_id == made.key_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o777, 0o620])
def test_a_key_that_others_can_touch_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "gateway.key"
    create_signing_key(path)
    path.chmod(mode)
    with pytest.raises(OperatorError, match=f"mode {mode:04o}.*chmod 600 {path}") as caught:
        load_signing_key(path)
    assert caught.value.exit_code is ExitCode.PERMISSION


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_a_key_for_the_owner_alone_is_taken(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "gateway.key"
    create_signing_key(path)
    path.chmod(mode)
    load_signing_key(path)


def test_a_credential_of_the_service_manager_may_show_its_access_list(tmp_path: Path) -> None:
    path = tmp_path / "gateway.key"
    create_signing_key(path)
    path.chmod(0o440)
    load_signing_key(path, credentials=tmp_path)
    with pytest.raises(OperatorError):
        load_signing_key(path, credentials=tmp_path / "elsewhere")
    path.chmod(0o444)
    with pytest.raises(OperatorError):
        load_signing_key(path, credentials=tmp_path)


ED25519 = Ed25519PrivateKey.generate()
NOT_KEYS = {
    "empty": b"",
    "no PEM": b"hello",
    "cut off": ED25519.private_bytes(PEM, PKCS8, NoEncryption())[:60],
    "with a passphrase": ED25519.private_bytes(PEM, PKCS8, BestAvailableEncryption(b"x")),
    "another kind": ec.generate_private_key(ec.SECP256R1()).private_bytes(
        PEM, PKCS8, NoEncryption()
    ),
    "the public half": ED25519.public_key().public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo),
}


@pytest.mark.parametrize("content", NOT_KEYS.values(), ids=NOT_KEYS.keys())
def test_what_is_no_signing_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gateway.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(OperatorError, match=str(path)) as caught:
        load_signing_key(path)
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_a_missing_key_and_a_folder_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="No such file"):
        load_signing_key(tmp_path / "none")
    with pytest.raises(OperatorError, match="directory"):
        load_signing_key(tmp_path)
    with pytest.raises(OperatorError, match="No such file"):
        create_signing_key(tmp_path / "none" / "gateway.key")


def test_the_public_half_is_what_openssl_expects(tmp_path: Path) -> None:
    key = create_signing_key(tmp_path / "gateway.key")
    pem = public_pem(key.verifying_key)
    loaded = load_pem_public_key(pem.encode())
    assert loaded.public_bytes(Encoding.Raw, PublicFormat.Raw) == key.public_bytes


def test_receipt_keys_come_from_one_file_with_any_number_of_them(tmp_path: Path) -> None:
    keys = [SigningKey.from_seed(bytes([number]) * 32) for number in range(3)]
    path = tmp_path / "receipt.pem"
    path.write_text("# keys of the centre\n" + "\n".join(public_pem(k.verifying_key) for k in keys))
    path.chmod(0o644)
    loaded = load_receipt_keys(path)
    assert {key_id: key.public_bytes for key_id, key in loaded.items()} == {
        key.key_id: key.public_bytes for key in keys
    }


NO_RECEIPT_KEYS = {
    "empty": b"",
    "a private key": ED25519.private_bytes(PEM, PKCS8, NoEncryption()),
    "another kind": ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(PEM, PublicFormat.SubjectPublicKeyInfo),
    "damaged": NOT_KEYS["the public half"].replace(b"M", b"!", 1),
}


@pytest.mark.parametrize("content", NO_RECEIPT_KEYS.values(), ids=NO_RECEIPT_KEYS.keys())
def test_what_is_no_receipt_key_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "receipt.pem"
    path.write_bytes(content)
    with pytest.raises(OperatorError, match=str(path)):
        load_receipt_keys(path)
