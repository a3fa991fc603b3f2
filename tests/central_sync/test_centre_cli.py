"""The commands, called as a shell calls them."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_sync.cli import COMMANDS, main
from central_sync.ingest.receipt_key import load_receipt_key, public_key_of
from central_sync.store.migrations.upgrade import newest
from edge_agent.wire.enrolment import pin_of, token_of, token_text
from tests.central_sync.ingest.signed_chain import uuid_of

GATEWAY = str(uuid_of(1))


@pytest.fixture(autouse=True)
def logging_put_back() -> Iterator[None]:
    """Undo what a command does to the log of its process: here it is that of all tests."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LOG_LEVEL", raising=False)
    return tmp_path / "state"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.pem"
    public = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key()
    file.write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return file


def add(state: Path, key_file: Path, *more: str, number: int = 1) -> int:
    words = ["add", str(uuid_of(number)), "--key", str(key_file), "--facility", "PLANT", *more]
    return main(["gateway", "--state", str(state), *words])


def test_migrate_makes_the_state_folder(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--state", str(state)]) == 0
    assert capsys.readouterr().out == f"{state / 'centre.db'}: schema was new, is now {newest()}\n"
    for name in ("receipt.key", "log.key"):
        assert (state / name).stat().st_mode & 0o777 == 0o600
    key = (state / "receipt.key").read_bytes()
    assert main(["migrate", "--state", str(state)]) == 0
    assert capsys.readouterr().out == f"{state / 'centre.db'}: schema is {newest()}\n"
    assert (state / "receipt.key").read_bytes() == key


def test_a_gateway_is_added_listed_and_revoked(
    state: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out_file = state.parent / "receipt.pem"
    assert add(state, key_file, "--name", "stack 1", "--receipt-key-out", str(out_file)) == 0
    told = capsys.readouterr().out
    assert out_file.read_text() == told
    receipt_key = load_receipt_key(state / "receipt.key").public_bytes
    assert public_key_of(told.encode()) == receipt_key
    assert main(["gateway", "--state", str(state), "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["gateways"]
    assert (row["id"], row["name"], row["facility"]) == (GATEWAY, "stack 1", "PLANT")
    assert row["revoked"] is None
    revoke = ["gateway", "--state", str(state), "revoke", GATEWAY, "--reason", "stolen"]
    assert main(revoke) == 0
    assert capsys.readouterr().out == f"{GATEWAY} is revoked\n"
    assert main(["gateway", "--state", str(state), "list"]) == 0
    assert "stack 1  PLANT  revoked 2" in capsys.readouterr().out


def test_the_fleet_is_shown_to_people_and_to_programs(
    state: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(state, key_file)
    capsys.readouterr()
    assert main(["fleet", "--state", str(state)]) == 0
    assert capsys.readouterr().out == (
        f"PLANT  {GATEWAY}  last seen never\n  0 batches, 0 readings, newest none, 0 missing\n"
    )
    assert main(["fleet", "--state", str(state), "--json"]) == 0
    (gateway,) = json.loads(capsys.readouterr().out)["gateways"]
    assert gateway["id"] == GATEWAY


def test_the_state_folder_may_stand_before_or_after_the_action(
    state: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(state, key_file)
    capsys.readouterr()
    for words in (["--state", str(state), "list"], ["list", "--state", str(state)]):
        assert main(["gateway", *words]) == 0
        assert GATEWAY in capsys.readouterr().out


def test_a_gateway_is_not_added_twice(
    state: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(state, key_file)
    assert add(state, key_file) == 1
    assert capsys.readouterr().err == (
        f"central-sync: gateway {GATEWAY} or its key is registered already\n"
    )


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PUBLIC KEY-----", b"\xff\xfe"])
def test_a_file_that_is_no_public_key_is_told(
    state: Path, tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "no.pem"
    if content is not None:
        file.write_bytes(content)
    assert add(state, file) == 65
    assert capsys.readouterr().err.startswith(f"central-sync: {file}: ")


def token(state: Path, *more: str) -> int:
    words = ("gateway", "--state", str(state), "token", "stack-1", "--facility", "PLANT")
    return main([*words, *more])


def test_a_token_is_printed_once_and_its_hash_is_kept(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert token(state) == 0
    first, told = capsys.readouterr().out.splitlines()
    assert "At the gateway: edge-agent enroll URL" in told
    name, printed = first.split()
    assert name == "token"
    assert token_text(token_of(printed)) == printed
    kept = (state / "centre.db").read_bytes()
    kept += b"".join(path.read_bytes() for path in state.glob("centre.db-wal"))
    assert token_of(printed) not in kept
    assert printed.encode() not in kept
    assert token(state, "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert set(facts) == {"token", "expires"}
    assert main(["gateway", "--state", str(state), "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["gateways"]
    assert (row["name"], row["keys"]) == ("stack-1", [])


def test_with_tls_a_token_comes_with_a_pin_and_goes_into_a_file(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir()
    (state / "centre.toml").write_text('[tls]\nnames = ["centre.example"]\n')
    out = state.parent / "code"
    assert token(state, "--out", str(out)) == 0
    assert str(out) in capsys.readouterr().out
    assert out.stat().st_mode & 0o777 == 0o600
    lines = dict(line.split() for line in out.read_text().splitlines())
    assert len(pin_of(lines["pin"])) == 32
    assert token(state, "--json") == 0
    assert json.loads(capsys.readouterr().out)["pin"] == lines["pin"]
    assert {(state / name).stat().st_mode & 0o777 for name in ("ca.key", "server.key")} == {0o600}


def test_a_token_for_a_gateway_that_has_keys_must_be_meant(
    state: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert token(state, "--again") == 1
    assert "leave out --again" in capsys.readouterr().err
    add(state, key_file, "--name", "stack-1")
    capsys.readouterr()
    assert token(state) == 1
    assert f"is enrolled already, as {GATEWAY}" in capsys.readouterr().err
    assert token(state, "--again") == 0


def test_one_key_is_revoked_and_the_others_are_not(
    state: Path, key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(state, key_file)
    capsys.readouterr()
    listing = ["gateway", "--state", str(state), "list", "--json"]
    main(listing)
    (row,) = json.loads(capsys.readouterr().out)["gateways"]
    (key,) = row["keys"]
    assert key["revoked"] is None
    revoke = ["gateway", "--state", str(state), "revoke", GATEWAY, "--reason", "stolen", "--key"]
    assert main([*revoke, "00" * 32]) == 65
    assert main([*revoke, "zz"]) == 2
    capsys.readouterr()
    assert main([*revoke, key["key_id"]]) == 0
    assert capsys.readouterr().out == f"{key['key_id']} is revoked\n"
    main(listing)
    (row,) = json.loads(capsys.readouterr().out)["gateways"]
    assert (row["revoked"], row["keys"][0]["revoked_reason"]) == (None, "stolen")


def test_revoking_what_was_never_there_is_told(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gateway", "--state", str(state), "revoke", GATEWAY, "--reason", "x"]) == 65
    assert "is not registered. See: central-sync gateway list" in capsys.readouterr().err


def test_a_receipt_key_that_others_can_read_is_refused(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["migrate", "--state", str(state)])
    (state / "receipt.key").chmod(0o640)
    assert main(["fleet", "--state", str(state)]) == 77
    assert "others can read it (mode 640). Run: chmod 600" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_a_receipt_key_that_is_none_is_refused(
    state: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["migrate", "--state", str(state)])
    (state / "receipt.key").write_bytes(content)
    assert main(["fleet", "--state", str(state)]) == 65
    assert "is no private key in PEM" in capsys.readouterr().err


def test_a_port_in_use_is_told_with_its_own_exit_code(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        assert main(["serve", "--state", str(state), "--listen", listen]) == 69
    assert capsys.readouterr().err == (
        f"central-sync: listen: {listen}: Address already in use. Stop what listens there, or"
        " choose another port with --listen\n"
    )
    assert not state.exists()


def test_without_a_certificate_only_loopback_is_served(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--state", str(state), "--listen", "0.0.0.0:0"]) == 78
    assert "tls: missing, and 0.0.0.0 can be reached" in capsys.readouterr().err


def test_settings_are_taken_from_the_state_folder(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir()
    (state / "centre.toml").write_text("lisen = 1")
    assert main(["fleet", "--state", str(state)]) == 78
    assert "lisen: unknown key. Did you mean 'listen'?" in capsys.readouterr().err


def test_a_file_that_is_no_database_is_told(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state.mkdir()
    (state / "centre.db").write_bytes(b"x" * 4096)
    assert main(["fleet", "--state", str(state)]) == 65
    assert "file is not a database" in capsys.readouterr().err


def test_a_state_folder_that_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["migrate", "--state", str(tmp_path / "file")]) == 77
    assert "cannot be used as state folder" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == os.EX_OK
    assert "--state DIR" in capsys.readouterr().out


def test_an_unknown_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nothing"])
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err
