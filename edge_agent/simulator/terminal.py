"""Pseudo terminals before TCP ports: a simulated device as on a serial port.

Octets are carried both ways as they come; bits per second and parity are whatever the other side
sets, and mean nothing here. What nobody reads is lost, as on a line.
"""

import asyncio
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

# More than the longest answer of a device on a serial line.
CHUNK_BYTES: Final = 4096


@asynccontextmanager
async def terminal_before(host: str, port: int) -> AsyncIterator[str]:
    """Carry octets between a new pseudo terminal and a port until the end of the block.

    The connection is made anew when it has been closed.

    Yields:
        The path of the terminal, to be opened as a serial port.

    """
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    loop.add_reader(ours, lambda: heard.put_nowait(os.read(ours, CHUNK_BYTES)))
    try:
        async with asyncio.TaskGroup() as group:
            carrying = group.create_task(_carried(heard, ours, host, port))
            try:
                yield os.ttyname(theirs)
            finally:
                carrying.cancel()
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        # Ours until now: a terminal that nobody has open cannot be read from the other side.
        os.close(theirs)


async def _carried(heard: asyncio.Queue[bytes], terminal: int, host: str, port: int) -> None:
    while True:
        octets = await heard.get()
        with suppress(ConnectionError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(octets)
                await _both_ways(heard, terminal, reader, writer)
            finally:
                writer.close()


async def _both_ways(
    heard: asyncio.Queue[bytes],
    terminal: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Carry octets until the device closes the connection."""

    async def asked() -> None:
        while True:
            writer.write(await heard.get())

    async with asyncio.TaskGroup() as group:
        asking = group.create_task(asked())
        while octets := await reader.read(CHUNK_BYTES):
            with suppress(BlockingIOError):
                os.write(terminal, octets)
        asking.cancel()
