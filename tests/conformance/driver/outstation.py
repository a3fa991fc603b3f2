"""An outstation of ours that holds, reports and keeps events, and what the driver makes of it."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.protocols.dnp3 import Dnp3Place, Dnp3Speech, Events, ObjectKind
from edge_agent.drivers.base import Connection, Delivery
from edge_agent.drivers.dnp3 import connect
from edge_agent.simulator.dnp3_outstation import Outstation, State
from edge_agent.simulator.dnp3_server import Master, Server, listening
from edge_agent.wire.readings import Scan
from tests.conformance.driver.rtu import terminal

CLOCK = SystemClock()
ADDRESS = 10
LIMIT_S = 10
LINE = SerialLine(baud=19200, parity=Parity.NONE)
AI, BI, CT = ObjectKind.ANALOG_INPUT, ObjectKind.BINARY_INPUT, ObjectKind.COUNTER
POINTS = ((AI, 0, "float32"), (AI, 1, "float32"), (BI, 0, "bool"), (CT, 0, "int64"))


def bits(value: float) -> int:
    """Return the bits of a binary32."""
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def now_ms() -> int:
    return CLOCK.now().utc_ns // 1_000_000


def state(
    value: float, *, index: int = 0, flags: int = 1, at_ms: int | None = None, kind: ObjectKind = AI
) -> State:
    """Return a value of a point."""
    raw_type = {AI: "float32", BI: "bool", CT: "int64"}[kind]
    return State(kind=kind, index=index, raw_type=raw_type, value=value, flags=flags, at_ms=at_ms)


def filled() -> Outstation:
    """Return an outstation that holds the points of a device, and no events."""
    one = Outstation()
    for kind, index, _ in POINTS:
        one.hold(state(index + 0.5 if kind is AI else 1, index=index, kind=kind))
    return one


def device(port: int, events: Events = Events.POLLED, **speech: object) -> Device:
    """Return a device of that outstation."""
    own = Dnp3Speech(address=ADDRESS, events=events)
    return Device(
        name="outstation",
        protocol="dnp3",
        endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
        speech=replace(own, **speech),  # type: ignore[arg-type]  # what a test wants
        period_s=0.5,
        timeout_s=0.4,
        points=tuple(
            Point(
                channel=channel,
                place=Dnp3Place(kind=kind, index=index),
                raw_type=raw_type,
                status=None,
            )
            for channel, (kind, index, raw_type) in enumerate(POINTS, 1)
        ),
        channels=(),
        limits=(),
        status_rules=(),
    )


@asynccontextmanager
async def serving(own: Outstation, port: int = 0) -> AsyncIterator[tuple[int, Server]]:
    """Serve an outstation; yields port and server."""
    async with listening({ADDRESS: own}, host="127.0.0.1", port=port, clock=CLOCK) as served:
        yield served


@asynccontextmanager
async def connected(own: Device) -> AsyncIterator[Connection]:
    async with connect([own], CLOCK) as connection:
        yield connection


async def portion(connection: Connection, within_s: float = LIMIT_S) -> list[Delivery]:
    """Return what one call of listen gives; it is acknowledged by the next."""
    assert connection.listen is not None
    return list(await connection.listen(CLOCK.now().mono_ns + round(within_s * NS_PER_S)))


async def heard(connection: Connection, count: int) -> list[Delivery]:
    """Return so many deliveries; all but the last portion are acknowledged."""
    found: list[Delivery] = []
    async with asyncio.timeout(LIMIT_S):
        while len(found) < count:
            found += await portion(connection)
    return found


def only_scan(delivery: Delivery) -> Scan:
    (scan,) = delivery.scans
    return scan


async def readied(connection: Connection) -> None:
    """Let a connection ask what it asks first, and find nothing."""
    assert await portion(connection, within_s=0.15) == []


@asynccontextmanager
async def on_a_terminal(own: Outstation) -> AsyncIterator[tuple[str, Server]]:
    """Serve an outstation on a pseudo terminal; yields the path of the other end."""
    loop = asyncio.get_running_loop()
    async with terminal() as (ours, path):
        server = Server({ADDRESS: own}, CLOCK)
        master = Master(server)

        def write(octets: bytes) -> None:
            os.write(ours, octets)

        master.write = write
        server.replaced(master)
        loop.add_reader(ours, lambda: master.data_received(os.read(ours, 512)))
        try:
            yield path, server
        finally:
            loop.remove_reader(ours)
