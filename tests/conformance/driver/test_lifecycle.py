"""A server that hangs, comes back, dies and is started again: the same for every protocol.

Each is a process of its own: the simulator, which serves with the library of the protocol (a broker
and its publishers where the protocol has one). What it measures is known, so every value is
compared. `CEMS_STOPPED_S=60` makes it hang for longer than `make test` has time for.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from edge_agent.clock import NS_PER_S
from edge_agent.config.device import Device
from edge_agent.config.loading import load_plan
from edge_agent.demo.analyzers import SIMULATED, Simulated
from edge_agent.drivers import PROTOCOLS, connector
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE
from tests.conformance.driver.intake import Intake, polling
from tests.edge_agent.config.test_mistakes import GOOD
from tests.system.installation import AGENT, ROOT, free_port

STOPPED_S: Final = float(os.environ.get("CEMS_STOPPED_S", "3"))
START_LIMIT_S: Final = 60
# A load of 350 MW at least a third of which is always there: no scan of a plant at work holds less.
LEAST_LOAD_MW: Final = 100


@dataclass
class Simulator:
    """`edge-agent simulate` as a process of its own."""

    options: Sequence[str]
    process: asyncio.subprocess.Process | None = None
    said: list[str] = field(default_factory=list)

    async def start(self) -> None:
        """Start it, and wait until it serves."""
        self.process = await asyncio.create_subprocess_exec(
            *(*AGENT, "simulate", *self.options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(START_LIMIT_S):
            assert b"ports" in await self.process.stdout.readline()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it at once, whatever its state."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def simulating(kind: Simulated, port: int) -> AsyncIterator[Simulator]:
    simulator = Simulator(("--protocol", kind.protocol, "--port", str(port), "--seed", "7"))
    try:
        await simulator.start()
        yield simulator
    finally:
        await simulator.kill()


def device_of(kind: Simulated, folder: Path, port: int) -> Device:
    """Return the device as the configuration of the demonstration has it."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    file = kind.file(1, port=port, first_channel=1)
    (folder / "devices.d" / "stack-1.toml").write_text(file, encoding="utf-8")
    (device,) = load_plan(folder / "agent.toml", environ={}, overrides={}).devices
    return device


def assert_true(device: Device, scans: Sequence[Scan]) -> None:
    """Hold that times rise, and that every value is one that the plant's analyzers indicate."""
    for channels in {scan.channel.tobytes() for scan in scans}:
        times = [scan.at_ns for scan in scans if scan.channel.tobytes() == channels]
        assert times == sorted(set(times))
    names = {row.channel: row.parameter for row in device.channels}
    scaling = Scaling(device.channels)
    for scan in scans:
        if len(scan.channel) < len(names):
            continue  # a topic of several
        integers, is_number = scaling.integers(scan.raw)
        for row, integer, is_one, bits in zip(
            device.channels, integers.tolist(), is_number, scan.transport.tolist(), strict=True
        ):
            if bits & NO_VALUE:
                continue
            assert is_one
            value = integer * float(row.resolution)
            if names[row.channel] == "load":
                assert value > LEAST_LOAD_MW
            if names[row.channel] == "O2":
                assert 2 < value < 12


async def at_work(intake: Intake) -> None:
    """Wait until no gap is open and the next scans have come."""
    await intake.until(lambda: intake.count("open") == intake.count("closed"))
    seen = len(intake.scans)
    await intake.until(lambda: len(intake.scans) >= seen + 3)


def test_every_protocol_is_lived_through() -> None:
    assert {kind.protocol for kind in SIMULATED} == set(PROTOCOLS)


@pytest.mark.asyncio
@pytest.mark.filterwarnings("default::DeprecationWarning")  # asyncua uses what it should not
@pytest.mark.parametrize("kind", SIMULATED, ids=lambda kind: kind.protocol)
async def test_a_server_that_hangs_dies_and_comes_back_leaves_gaps_and_no_wrong_value(
    kind: Simulated, tmp_path: Path
) -> None:
    port = free_port()
    device = device_of(kind, tmp_path, port)
    polled = polling(connector(kind.protocol), device)
    async with simulating(kind, port) as server, polled as intake:
        intake.patience_s = STOPPED_S + 60
        await at_work(intake)

        opened = intake.count("open")
        server.signal(signal.SIGSTOP)
        await intake.until(lambda: intake.count("open") > opened)
        await asyncio.sleep(STOPPED_S)
        server.signal(signal.SIGCONT)
        await at_work(intake)

        opened = intake.count("open")
        await server.kill()
        await intake.until(lambda: intake.count("open") > opened)
        await server.start()
        await at_work(intake)
    assert_true(device, intake.scans)
    hung = [
        (after.mono_ns - before.mono_ns) / NS_PER_S
        for before, after in zip(intake.scans, intake.scans[1:], strict=False)
    ]
    assert max(hung) >= STOPPED_S or kind.is_brokered, "it hung, and nobody noticed"
