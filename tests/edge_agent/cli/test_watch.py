"""`watch` as a command: in a real terminal, and where there is none."""

import asyncio
import json
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from fcntl import ioctl
from pathlib import Path

import pytest

from edge_agent.cli import init, watch
from edge_agent.clock import SystemClock
from edge_agent.config.model import HealthSettings
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.health.pages import Sources
from edge_agent.health.server import serve_health
from edge_agent.health.status import ChannelStatus
from tests.edge_agent.health.snapshots import NOW_NS, WELL

LIMIT_S = 60
NOX = ChannelStatus(
    channel=1,
    name="NOx",
    facility="north",
    device="nox-1",
    parameter="nox",
    unit_of_measure="ppm",
    at_ns=NOW_NS,
    raw=1234,
    value="123.4",
    quality=0,
    status=4,
    is_stale=False,
    raw_type="int16",
    word_order="ABCD",
)
SOURCES = Sources(snapshot=lambda: WELL, channels=lambda: [NOX], events=list, stalled=lambda: ())


@pytest.fixture
def config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Return the agent.toml of a gateway."""
    path = tmp_path / "agent.toml"
    where = ["--config", str(path), "--state", str(tmp_path), "--socket", str(tmp_path / "s")]
    init.main(["--facility", "PLANT", "--centre", "http://127.0.0.1:9", *where])
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    capsys.readouterr()
    return path


@asynccontextmanager
async def agent(config: Path) -> AsyncIterator[None]:
    """Answer at the gateway's socket."""
    async with asyncio.TaskGroup() as group:
        settings = HealthSettings(socket=config.parent / "s")
        serving = group.create_task(serve_health(settings, SOURCES, SystemClock()))
        for _ in range(100):  # until it listens
            await asyncio.sleep(0)
        yield
        serving.cancel()


def test_without_an_agent_it_says_so(config: Path) -> None:
    with pytest.raises(OperatorError, match="the agent is not running") as caught:
        watch.main(["--config", str(config), "--once"])
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_without_a_terminal_it_says_what_else_there_is(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        watch.main(["--config", str(config)])
    assert caught.value.code == ExitCode.USAGE
    assert "use --once, or --json" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_one_look_is_text_or_json(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with agent(config):
        for words in (["--once"], ["--once", "--registers"], ["--json"]):
            arguments = ["--config", str(config), *words]
            assert await asyncio.to_thread(watch.main, arguments) == ExitCode.OK
    *text, shown = capsys.readouterr().out.splitlines()
    assert text[-4].split() == ["1", "NOx", "123.4", "ppm", "good", "0s", "04D2"]
    assert text[-1].split() == ["1", "NOx", "04D2", "int16", "ABCD", "00000004"]
    assert json.loads(shown)["channels"][0]["name"] == "NOx"


@pytest.mark.asyncio
async def test_the_command_draws_on_a_terminal_of_80_by_24_and_ends_with_q(config: Path) -> None:
    master, slave = pty.openpty()
    ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    async with agent(config), asyncio.timeout(LIMIT_S):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge_agent", "watch", "--config", str(config)),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm-256color"},
        )
        os.close(slave)
        drawn = b""
        while b"123.4" not in drawn or b"registers" not in drawn:
            drawn += await asyncio.to_thread(os.read, master, 65_536)
        os.write(master, b"q")
        await asyncio.to_thread(_drained, master)
        assert await process.wait() == ExitCode.OK
    os.close(master)


def _drained(master: int) -> None:
    """Read until the other side is gone."""
    try:
        while os.read(master, 65_536):
            pass
    except OSError:
        return
