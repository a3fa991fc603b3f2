"""A technician trusts a server: sees its fingerprint, and gets files that the driver works with."""

import asyncio
import io
import json
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from edge_agent.cli.opcua import main
from edge_agent.config.protocols.opcua import Certificates
from edge_agent.errors import ExitCode, OperatorError
from tests.conformance.driver.opcua import OPEN, RAW, device, protected, reading, serving
from tests.conformance.driver.subject import scan_of

pytestmark = [pytest.mark.asyncio, pytest.mark.filterwarnings("default::DeprecationWarning")]


def content_and_mode(name: str) -> tuple[bytes, int]:
    path = Path(name)
    return path.read_bytes(), path.stat().st_mode & 0o777


async def command(*words: str) -> int:
    return await asyncio.to_thread(main, words)


async def test_what_is_trusted_is_what_the_driver_then_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with protected(tmp_path) as (port, certificates):
        endpoint = f"opc.tcp://127.0.0.1:{port}"
        config = str(tmp_path / "agent.toml")
        assert await command("trust", endpoint, "--config", config, "--yes", "--json") == 0
        told = json.loads(capsys.readouterr().out)
        theirs = certificates.server_file.read_bytes()
        assert told["fingerprint"].replace(":", "").lower() == sha256(theirs).hexdigest()
        files = told["opcua"]
        assert content_and_mode(files["server_certificate_file"])[0] == theirs
        assert content_and_mode(files["key_file"])[1] == 0o600
        made = Certificates(
            own_file=Path(files["certificate_file"]),
            own_key_file=Path(files["key_file"]),
            server_file=Path(files["server_certificate_file"]),
        )
        one = device(port, speech=type(OPEN)(certificates=made, user=None, password_file=None))
        async with reading(one) as connection:
            assert (await scan_of(connection.drivers[0])).raw.tolist() == RAW


async def test_nobody_at_a_terminal_trusts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    async with protected(tmp_path) as (port, _):
        config = str(tmp_path / "agent.toml")
        words = ("trust", f"opc.tcp://127.0.0.1:{port}", "--config", config)
        assert await command(*words) == ExitCode.FAILURE
    assert not (tmp_path / "trust").exists()


async def test_a_new_certificate_does_not_replace_the_trusted_one(tmp_path: Path) -> None:
    async with protected(tmp_path) as (port, _):
        (tmp_path / "trust").mkdir()
        (tmp_path / "trust" / f"127.0.0.1-{port}.der").write_bytes(b"another")
        words = ("trust", f"opc.tcp://127.0.0.1:{port}", "--config", str(tmp_path / "agent.toml"))
        with pytest.raises(OperatorError, match="another certificate is trusted already"):
            await command(*words, "--yes")


async def test_a_server_without_protection_is_told_what_it_offers(tmp_path: Path) -> None:
    async with serving() as (port, _):
        words = ("trust", f"opc.tcp://127.0.0.1:{port}", "--config", str(tmp_path / "agent.toml"))
        with pytest.raises(OperatorError, match="offers None, and not Basic256Sha256"):
            await command(*words, "--yes")


async def test_a_server_that_is_not_there_is_told_with_what_to_check(tmp_path: Path) -> None:
    words = ("trust", "opc.tcp://127.0.0.1:1", "--config", str(tmp_path / "agent.toml"))
    with pytest.raises(OperatorError, match="Check address, port and network"):
        await command(*words, "--yes")
