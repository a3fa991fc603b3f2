"""The simulator's broker in a process of its own, and what is done beside a test."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


# amqtt leaves sockets to the garbage collector, which is an error here: it gets its own process.
BROKER = """
import asyncio, sys
from edge_agent.simulator.broker import broker
async def main():
    async with broker(int(sys.argv[1])):
        print("ready", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


@asynccontextmanager
async def broker_at(port: int) -> AsyncIterator[None]:
    """Run the simulator's broker."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BROKER, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def beside(work: Awaitable[None]) -> AsyncIterator[None]:
    """Do something for as long as the block lasts."""

    async def waited() -> None:
        await work

    async with asyncio.TaskGroup() as group:
        task = group.create_task(waited())
        yield
        task.cancel()
