"""The plant's devices that publish: a broker, and a publisher for each stack, until stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager

from edge_agent.clock import Clock
from edge_agent.simulator import mqtt as json_messages
from edge_agent.simulator import sparkplug as metrics
from edge_agent.simulator.broker import broker
from edge_agent.simulator.plant import Plant
from edge_agent.simulator.shipped import free_port, shipped

MQTT_PROFILE = "emissionwatch/simulated-mqtt"
SPARKPLUG_PROFILE = "emissionwatch/simulated-spb"


@asynccontextmanager
async def mqtt(
    plants: Sequence[Plant], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Publish JSON under `plant/stack-1`, `plant/stack-2`, ... until the end of the block.

    Yields:
        The port of the broker.

    Raises:
        OperatorError: the port is in use.

    """
    profile, port = shipped(MQTT_PROFILE), port or free_port(host)

    def work(index: int, plant: Plant) -> Coroutine[None, None, None]:
        root = f"plant/stack-{index}"
        return json_messages.publish(plant, profile, host=host, port=port, root=root, clock=clock)

    async with broker(port, host), _each(plants, work):
        yield (port,)


@asynccontextmanager
async def sparkplug(
    plants: Sequence[Plant], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Be the edge nodes `stack-1`, `stack-2`, ... of group `plant`; otherwise as `mqtt`."""
    profile, port = shipped(SPARKPLUG_PROFILE), port or free_port(host)

    def work(index: int, plant: Plant) -> Coroutine[None, None, None]:
        node = f"stack-{index}"
        return metrics.publish(plant, profile, host=host, port=port, node=node, clock=clock)

    async with broker(port, host), _each(plants, work):
        yield (port,)


@asynccontextmanager
async def _each(
    plants: Sequence[Plant], work: Callable[[int, Plant], Coroutine[None, None, None]]
) -> AsyncIterator[None]:
    """Do something for each plant, numbered from 1, for as long as the block lasts."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(index, plant)) for index, plant in enumerate(plants, 1)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
