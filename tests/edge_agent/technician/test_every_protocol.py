"""A device of every protocol that can be simulated is added and looked at in one way."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.cli import device, probe
from edge_agent.config.loading import load_plan
from edge_agent.demo.analyzers import SIMULATED, Simulated
from tests.edge_agent.technician.gateway import KNOWN, gateway

LIMIT_S = 30


@asynccontextmanager
async def simulating(protocol: str) -> AsyncIterator[int]:
    """Run the simulator of one device; yields its port."""
    command = (sys.executable, "-m", "edge_agent", "simulate", "--protocol", protocol)
    process = await asyncio.create_subprocess_exec(
        *command,
        "--port",
        "0",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            line = await process.stdout.readline()
        yield int(line.decode().rpartition(" ports ")[2])
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.asyncio
@pytest.mark.parametrize("one", SIMULATED, ids=lambda one: one.protocol)
async def test_a_device_is_added_and_probed(
    one: Simulated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = gateway(tmp_path, KNOWN)
    text = config.read_text().replace("simulated = false", "simulated = true")
    config.write_text(text)
    keys = [word for line in one.keys.format(number=1).splitlines() for word in ("--set", line)]
    async with simulating(one.protocol) as port:
        where = ("--profile", one.profile, "--endpoint", one.endpoint.format(port=port))
        words = ["add", "stack-1", *where, *keys, "--config", str(config), "--yes", "--json"]
        assert await asyncio.to_thread(device.main, words) == 0
        added = json.loads(capsys.readouterr().out.splitlines()[-1])
        words = ["stack-1", "--config", str(config), "--json"]
        assert await asyncio.to_thread(probe.main, words) == 0
    readings = json.loads(capsys.readouterr().out)["readings"]
    assert len(readings) == len(added["channels"]) >= 5
    assert {tuple(row["quality"]) for row in readings} == {("good",)}
    assert all(row["value"] is not None and row["raw"] for row in readings)
    (planned,) = load_plan(config, environ={}, overrides={}).devices
    assert planned.protocol == one.protocol
