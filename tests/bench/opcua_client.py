"""A server, or a client of it, in a process of its own: what one way of getting values costs.

Usage: opcua_client.py serve PORT NODES MS, or opcua_client.py WAY PORT NODES SECONDS; a way prints
values and CPU seconds as JSON. `bare_...` is asyncua alone, the others are the agent's driver.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Final, TypeAlias

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.subscription import DataChangeEvent
from asyncua.server.server import Server

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.opcua import Node, OpcuaSpeech, Sampling, SourceTime
from edge_agent.drivers.base import Connection
from edge_agent.drivers.opcua import connect

URI: Final = "urn:bench"
QUEUE: Final = 60
SAMPLING_MS: Final = 100
PUBLISHING_MS: Final = 250
CLOCK: Final = SystemClock()

Way: TypeAlias = Callable[[int, int, float], Awaitable[tuple[int, float]]]


async def serve(port: int, nodes: int, period_ms: int) -> None:
    """Serve so many variables for ever, all of which change so often."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await server.register_namespace(URI)
    variables = [
        await server.nodes.objects.add_variable(
            ua.NodeId(ua.String(f"v{number}"), ua.Int16(index)), f"v{number}", 0.0
        )
        for number in range(nodes)
    ]
    async with server:
        print("ready", flush=True)
        count, due_s = 0, time.monotonic()
        while True:
            count += 1
            due_s += period_ms / 1000
            now = ua.DateTime.now(UTC)
            for number, variable in enumerate(variables):
                said = ua.DataValue(ua.Variant(count + number / 1000.0), SourceTimestamp=now)
                await server.write_attribute_value(variable.nodeid, said)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))


async def bare_read(port: int, nodes: int, seconds: float) -> tuple[int, float]:
    """Read all variables in one request, again and again."""
    async with Client(f"opc.tcp://127.0.0.1:{port}", watchdog_intervall=10.0) as client:
        index = await client.get_namespace_index(URI)
        asked = [client.get_node(f"ns={index};s=v{number}") for number in range(nodes)]
        began_s, until_s, values = time.process_time(), time.monotonic() + seconds, 0
        while time.monotonic() < until_s:
            found = await client.read_attributes(asked)
            values += len([one.Value.Value for one in found if one.Value is not None])
        return values, time.process_time() - began_s


async def read(port: int, nodes: int, seconds: float) -> tuple[int, float]:
    """Read all variables as the agent does: as scans."""
    async with _connected(port, nodes, sampling=None) as connection:
        began_s, until_s, values = time.process_time(), time.monotonic() + seconds, 0
        while time.monotonic() < until_s:
            scan = await connection.drivers[0].read()
            values += 0 if scan is None else len(scan.raw)
        return values, time.process_time() - began_s


async def bare_subscribe(port: int, nodes: int, seconds: float) -> tuple[int, float]:
    """Subscribe to all variables in iterator mode, with a queue that holds them."""
    async with Client(f"opc.tcp://127.0.0.1:{port}", watchdog_intervall=10.0) as client:
        index = await client.get_namespace_index(URI)
        asked = [client.get_node(f"ns={index};s=v{number}") for number in range(nodes)]
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=PUBLISHING_MS,
            RequestedLifetimeCount=240,
            RequestedMaxKeepAliveCount=4,
            MaxNotificationsPerPublish=10_000,
        )
        subscription = await client.create_subscription(parameters, queue_maxsize=200_000)
        await subscription.subscribe_data_change(
            asked, queuesize=QUEUE, sampling_interval=ua.Double(SAMPLING_MS)
        )
        values, began_s, until_s = 0, 0.0, 0.0
        async for event in subscription:
            if not until_s:
                began_s, until_s = time.process_time(), time.monotonic() + seconds
            if isinstance(event, DataChangeEvent):
                item = event.data.monitored_item.Value
                values += item.SourceTimestamp is not None and item.StatusCode is not None
            if time.monotonic() >= until_s:
                break
        return values, time.process_time() - began_s


async def subscribe(port: int, nodes: int, seconds: float) -> tuple[int, float]:
    """Subscribe as the agent does: deliveries of scans, at their source times."""
    sampling = Sampling(interval_ms=SAMPLING_MS, queue_size=QUEUE)
    async with _connected(port, nodes, sampling=sampling) as connection:
        assert connection.listen is not None
        await connection.listen(CLOCK.now().mono_ns + 5 * NS_PER_S)
        began_s, until_s, values = time.process_time(), time.monotonic() + seconds, 0
        while time.monotonic() < until_s:
            for delivery in await connection.listen(CLOCK.now().mono_ns + NS_PER_S):
                values += sum(len(scan.raw) for scan in delivery.scans)
        return values, time.process_time() - began_s


WAYS: Final[Mapping[str, Way]] = {
    "bare_read": bare_read,
    "read": read,
    "bare_subscribe": bare_subscribe,
    "subscribe": subscribe,
}


@asynccontextmanager
async def _connected(
    port: int, nodes: int, *, sampling: Sampling | None
) -> AsyncIterator[Connection]:
    time_of = None if sampling is None else SourceTime(ahead_s=2.0, behind_s=3600.0)
    speech = OpcuaSpeech(
        certificates=None, user=None, password_file=None, sampling=sampling, time=time_of
    )
    device = Device(
        name="bench",
        protocol="opcua",
        endpoint=Endpoint(scheme="opc.tcp", host="127.0.0.1", port=port),
        speech=speech,
        period_s=1.0,
        timeout_s=5.0,
        points=tuple(
            Point(
                channel=number + 1,
                place=Node(namespace=URI, identifier=f"s=v{number}"),
                raw_type="float64",
                status=None,
            )
            for number in range(nodes)
        ),
        channels=(),
        limits=(),
        status_rules=(),
    )
    async with connect([device], CLOCK) as connection:
        yield connection


def main() -> None:
    """Do what the command line says."""
    way, port, nodes, last = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    logging.disable(logging.CRITICAL)
    if way == "serve":
        asyncio.run(serve(port, nodes, int(last)))
        return
    began_s = time.monotonic()

    async def measured() -> tuple[int, float]:
        return await WAYS[way](port, nodes, float(last))

    values, cpu_s = asyncio.run(measured())
    print(json.dumps({"values": values, "cpu_s": cpu_s, "wall_s": time.monotonic() - began_s}))


if __name__ == "__main__":
    main()
