"""DNP3: the present values of 1,000 points, against bare dnp3py with the same channel.

One outstation in a process of its own; the driver and dnp3py's master read it in turns.
"""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from dnp3.master.config import MasterConfig
from dnp3.master.handler import DefaultSOEHandler
from dnp3.master.master import Master
from dnp3.master.tcp_runner import MasterTcpRunner
from dnp3.transport_io.channel import TcpConfig
from dnp3.transport_io.tcp_client import TcpClientChannel

from edge_agent.clock import SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.dnp3 import Dnp3Place, Dnp3Speech, Events, ObjectKind
from edge_agent.drivers.dnp3 import connect
from edge_agent.simulator.dnp3_outstation import Outstation, State
from edge_agent.simulator.dnp3_server import listening
from tests.bench.figure import Figure

CLOCK: Final = SystemClock()
ADDRESS: Final = 10
POINTS: Final = 1_000
ROUNDS: Final = 7
ROUND_S: Final = 1.0
ROOT: Final = Path(__file__).parents[2]


async def serve() -> None:
    """Serve the outstation until killed; say the port."""
    outstation = Outstation()
    for index in range(POINTS):
        state = State(
            kind=ObjectKind.ANALOG_INPUT, index=index, raw_type="float32", value=index + 0.5
        )
        outstation.hold(state)
    async with listening({ADDRESS: outstation}, host="127.0.0.1", port=0, clock=CLOCK) as served:
        print(served[0], flush=True)
        await asyncio.Event().wait()


@contextmanager
def outstation() -> Iterator[int]:
    """Run the outstation in a process of its own; yields its port."""
    command = (sys.executable, "-c", f"import asyncio, {__name__} as own; asyncio.run(own.serve())")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=environment)
    try:
        if started.stdout is None:
            raise RuntimeError("the outstation says nothing")
        yield int(started.stdout.readline())
    finally:
        started.kill()
        started.communicate()


class QuickChannel(TcpClientChannel):
    """dnp3py's channel, which acknowledges every receipt at once, as ours does."""

    async def read(self, max_bytes: int) -> bytes:
        """Read, and acknowledge."""
        octets = await super().read(max_bytes)
        if self._writer is not None:
            with suppress(OSError):
                own = self._writer.get_extra_info("socket")
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return octets


@dataclass
class Turns:
    """What one of the two did in its turns."""

    polls_per_s: list[float] = field(default_factory=list)
    cpu_us_per_point: list[float] = field(default_factory=list)

    async def take(self, poll: Callable[[], Awaitable[object]]) -> None:
        """Poll for one round."""
        count = 0
        began_s, cpu_s = time.perf_counter(), time.process_time()
        while (taken_s := time.perf_counter() - began_s) < ROUND_S:
            await poll()
            count += 1
        self.polls_per_s.append(count / taken_s)
        used_s = time.process_time() - cpu_s
        self.cpu_us_per_point.append(used_s * 1e6 / (count * POINTS))


def device(port: int) -> Device:
    """Return the outstation as the agent reads it."""
    return Device(
        name="outstation",
        protocol="dnp3",
        endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
        speech=Dnp3Speech(address=ADDRESS, events=Events.NONE),
        period_s=1.0,
        timeout_s=0.8,
        points=tuple(
            Point(
                channel=index + 1,
                place=Dnp3Place(kind=ObjectKind.ANALOG_INPUT, index=index),
                raw_type="float32",
                status=None,
            )
            for index in range(POINTS)
        ),
        channels=(),
        limits=(),
        status_rules=(),
    )


async def measured(port: int) -> tuple[Turns, Turns]:
    """Return what our driver and the bare library did, in turns; one connection at a time."""
    ours, bare = Turns(), Turns()
    for _ in range(ROUNDS):
        async with connect([device(port)], CLOCK) as connection:
            await ours.take(connection.drivers[0].read)
        config = MasterConfig(address=1, outstation_address=ADDRESS)
        channel = QuickChannel(config=TcpConfig(host="127.0.0.1", port=port))
        master = Master(handler=DefaultSOEHandler(), config=config)
        runner = MasterTcpRunner(master=master, channel=channel)
        await runner.open()
        await bare.take(runner.integrity_poll)
        await runner.close()
        await channel.close()
    return ours, bare


def measure() -> list[Figure]:
    """Return the ratio, and the figures it is made of."""
    with outstation() as port:
        ours, bare = asyncio.run(measured(port))
    ratios = [a / b for a, b in zip(ours.polls_per_s, bare.polls_per_s, strict=True)]
    own, theirs = median(ours.polls_per_s), median(bare.polls_per_s)
    return [
        Figure(
            name="DNP3, 1,000 points, driver / bare dnp3py with quick ACK",
            measured=median(ratios),
            unit="x",
            sense="at least",
            bound=0.8,
            note=f"{own * POINTS:,.0f} against {theirs * POINTS:,.0f} points/s, median of {ROUNDS}",
        ),
        Figure(
            name="DNP3, CPU per point",
            measured=median(ours.cpu_us_per_point),
            unit="us",
            note=f"bare: {median(bare.cpu_us_per_point):.2f} us",
        ),
    ]
