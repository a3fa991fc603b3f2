"""An edge node that says what a test wants to be said, and what is heard of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.mqtt import Login
from edge_agent.config.protocols.sparkplug import Metric as Place
from edge_agent.config.protocols.sparkplug import SparkplugSpeech
from edge_agent.drivers.base import Connection, Delivery, LinkClosedError, LinkLostError
from edge_agent.drivers.sparkplug_payload import DataType, Metric, Slot, float_bits
from edge_agent.simulator.publishing import Publisher, publishing
from edge_agent.simulator.sparkplug import Session
from edge_agent.wire.readings import Scan
from tests.conformance.driver.broker import LIMIT_S

CLOCK = SystemClock()


def device(port: int, *, node: str = "node", may_request_rebirth: bool = False) -> Device:
    """Return a device of two metrics: nox, and one that is never sent."""
    return Device(
        name=f"stack {node}",
        protocol="sparkplug",
        endpoint=Endpoint(scheme="mqtt", host="127.0.0.1", port=port),
        speech=SparkplugSpeech(
            login=Login(client_id="gateway"),
            group="plant",
            node=node,
            may_request_rebirth=may_request_rebirth,
        ),
        period_s=0.5,
        timeout_s=5.0,
        points=tuple(
            Point(
                channel=number,
                place=Place(device="stack", name=name),
                raw_type="float32",
                status=Place(device="stack", name=name, property="Quality"),
            )
            for number, name in enumerate(("nox", "never"), 1)
        ),
        channels=(),
        limits=(),
        status_rules=(),
    )


@dataclass
class EdgeNode:
    """An edge node that says what a test wants to be said."""

    session: Session
    publisher: Publisher

    def say(self, value: float | None) -> None:
        """Say what is due where nox has a value; None: its device is dead."""
        at_ms = CLOCK.now().utc_ns // 1_000_000
        for topic, payload in self.session.messages(self._metrics(value, at_ms), at_ms):
            self.publisher.say(topic, payload, qos=1)

    async def heard_by_broker(self) -> None:
        """Wait until the broker had all that was said: who subscribes from now on misses it."""
        last = self.publisher.client.publish("last", qos=1)
        await asyncio.to_thread(last.wait_for_publish, LIMIT_S)

    def skip(self, value: float) -> None:
        """Make a message with this value, and do not send it."""
        at_ms = CLOCK.now().utc_ns // 1_000_000
        assert self.session.messages(self._metrics(value, at_ms), at_ms)

    def _metrics(self, value: float | None, at_ms: int) -> Mapping[str, Metric] | None:
        if value is None:
            return None
        metric = Metric(
            name="nox",
            timestamp_ms=at_ms,
            datatype=DataType.FLOAT,
            slot=Slot.FLOAT,
            value=float_bits(value),
            properties={"Quality": 192},
        )
        return {"nox": metric}


@asynccontextmanager
async def edge_node(port: int, name: str = "node", bd_seq: int = 0) -> AsyncIterator[EdgeNode]:
    session = Session(group="plant", node=name, bd_seq=bd_seq)
    async with publishing(
        "127.0.0.1",
        port,
        name,
        will=session.will(),
        hears=(session.topic("NCMD"), session.heard),
    ) as publisher:
        yield EdgeNode(session, publisher)


async def until_raw(connection: Connection, value: float) -> Scan:
    """Return the first scan with this value of nox; what is to be stored at once is passed over."""
    scan, _ = await until_value(connection, value)
    return scan


async def until_value(connection: Connection, value: float) -> tuple[Scan, list[Delivery]]:
    """Return the first scan with this value of nox, and the deliveries before it."""
    (driver,) = connection.drivers
    assert connection.listen is not None
    deliveries: list[Delivery] = []
    async with asyncio.timeout(LIMIT_S):
        while True:
            try:
                scan = await driver.read()
            except LinkClosedError:
                raise
            except LinkLostError:
                scan = None
            if scan is not None and scan.raw.tolist()[0] == float_bits(value):
                deliveries += await connection.listen(CLOCK.now().mono_ns)
                return scan, deliveries
            deliveries += await connection.listen(CLOCK.now().mono_ns + NS_PER_S // 20)


async def next_deliveries(connection: Connection) -> list[Delivery]:
    assert connection.listen is not None
    async with asyncio.timeout(LIMIT_S):
        while not (found := list(await connection.listen(CLOCK.now().mono_ns + NS_PER_S))):
            continue
    return found
