"""What devices of a test have in common: they answer as told, and their connections end with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

Write: TypeAlias = Callable[[bytes], None]
Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(kw_only=True)
class Answering:
    """A device that answers late, or cuts its answer short and hangs up.

    Attributes:
        cut: so many octets of an answer are sent; None: all.
        delays_s: of the next answers.
        port: where it listens.
        asked: set from the first request on.
        asked_count: how many requests came.
    """

    cut: int | None = None
    delays_s: list[float] = field(default_factory=list)
    port: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    asked_count: int = 0

    def note(self) -> None:
        """Count a request."""
        self.asked.set()
        self.asked_count += 1

    def say(self, octets: bytes, write: Write) -> bool:
        """Send an answer as told; return whether the connection goes on."""
        if self.cut is not None:
            write(octets[: self.cut])
            return False
        if self.delays_s and (delay_s := self.delays_s.pop(0)):
            asyncio.get_running_loop().call_later(delay_s, write, octets)
        else:
            write(octets)
        return True


@asynccontextmanager
async def on_loopback(serve: Serve, port: int = 0) -> AsyncIterator[int]:
    """Serve every connection to a port of loopback; yields the port."""
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            connections[task] = writer
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in connections.values():
            writer.close()
        if connections:
            await asyncio.wait(connections)
