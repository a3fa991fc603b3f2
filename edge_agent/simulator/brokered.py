"""The plant's devices that publish: a broker, and a publisher for each device, until stopped."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from edge_agent.clock import Clock
from edge_agent.simulator import mqtt as json_messages
from edge_agent.simulator import sparkplug as metrics
from edge_agent.simulator.broker import broker
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.shipped import free_port


class Publish(Protocol):
    """Says what an instrument shows, until cancelled."""

    async def __call__(self, instrument: Instrument, *, host: str, port: int, clock: Clock) -> None:
        """Publish."""
        ...


@asynccontextmanager
async def mqtt(
    instruments: Sequence[Instrument], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Publish JSON under `plant/stack-1`, `plant/stack-2`, ... until the end of the block.

    Yields:
        The port of the broker.

    Raises:
        OperatorError: the port is in use.

    """
    async with _published(json_messages.publish, instruments, host, port, clock) as found:
        yield (found,)


@asynccontextmanager
async def sparkplug(
    instruments: Sequence[Instrument], *, host: str, port: int, clock: Clock
) -> AsyncIterator[tuple[int, ...]]:
    """Be the edge nodes `stack-1`, `stack-2`, ... of group `plant`; otherwise as `mqtt`."""
    async with _published(metrics.publish, instruments, host, port, clock) as found:
        yield (found,)


@asynccontextmanager
async def _published(
    publish: Publish, instruments: Sequence[Instrument], host: str, port: int, clock: Clock
) -> AsyncIterator[int]:
    """Run a broker and what publishes there; yields its port."""
    port = port or free_port(host)
    async with broker(port, host), asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(publish(one, host=host, port=port, clock=clock))
            for one in instruments
        ]
        try:
            yield port
        finally:
            for task in tasks:
                task.cancel()
