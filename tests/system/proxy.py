"""A TCP proxy that cuts the uplink: seeded mishaps per exchange, and an on/off switch for all.

It sees bytes only and shares nothing with the product. A lost response is the case to fear: the
centre has committed, and the gateway cannot know.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNK_BYTES = 65_536
# How much of a request or an answer may pass before a mishap strikes it.
FIRST_BYTES = 4_000


class Mishap(StrEnum):
    """What can happen to an exchange.

    refuse: reset before anything passes.
    reset_request: reset within the request.
    lose_response: the request arrives whole, then a reset before the first byte of the answer.
    cut_response: a reset within the answer.
    """

    REFUSE = "refuse"
    RESET_REQUEST = "reset_request"
    LOSE_RESPONSE = "lose_response"
    CUT_RESPONSE = "cut_response"


@dataclass
class Proxy:
    """A proxy in a thread of its own, from `with` to its end.

    Attributes:
        target_port: on 127.0.0.1; whoever listens there may come and go.
        seed: of the mishaps.
        rates: mishap -> fraction of exchanges that meet it.
        is_up: False: new connections are reset, and `cut` resets those that are open.
        counts: exchanges, and refused connections, by what happened to them.

    """

    target_port: int
    seed: int
    rates: Mapping[Mishap, float] = field(default_factory=dict)
    is_up: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _ready: Event = field(default_factory=Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def __enter__(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._random = random.Random(self.seed)  # noqa: S311 - chance, not a secret
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        if not self._ready.wait(10.0):
            raise TimeoutError("the proxy does not listen")
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)

    def cut(self) -> None:
        """Reset every open connection and all that come, until `mend`."""
        self.is_up = False
        self._loop.call_soon_threadsafe(self._reset_all)

    def mend(self) -> None:
        """Let connections through again."""
        self.is_up = True

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await self._stop.wait()
            server.close()
            self._reset_all()

    def _reset_all(self) -> None:
        for writer in tuple(self._open):
            _reset(writer)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.is_up:
            self.counts["down"] += 1
            _reset(writer)
            return
        try:
            onward, answering = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            self.counts["no target"] += 1
            _reset(writer)
            return
        pair = {writer, answering}
        self._open |= pair
        limit = Limit()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, answering, limit, pair))
                group.create_task(_responses(onward, writer, limit, pair))
        finally:
            self._open -= pair
            for each in pair:
                each.close()

    def _drawn(self) -> Mishap | None:
        """Return what happens to the next exchange; None: nothing."""
        drawn = self._random.random()
        for mishap, rate in self.rates.items():
            if drawn < rate:
                return mishap
            drawn -= rate
        return None

    async def _requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: Limit, pair: Pair
    ) -> None:
        """Carry requests; whatever comes in one piece after an answer begins a new exchange."""
        with suppress(OSError):
            while some := await reader.read(CHUNK_BYTES):
                mishap = self._drawn() if limit.is_new_exchange else None
                if limit.is_new_exchange:
                    self.counts[mishap or "clean"] += 1
                    limit.is_new_exchange = False
                match mishap:
                    case Mishap.REFUSE | Mishap.RESET_REQUEST:
                        if mishap is Mishap.RESET_REQUEST:
                            writer.write(some[: self._random.randrange(len(some))])
                        _reset_each(pair)
                        return
                    case Mishap.LOSE_RESPONSE:
                        limit.response_bytes = 0
                    case Mishap.CUT_RESPONSE:
                        limit.response_bytes = self._random.randrange(1, FIRST_BYTES)
                    case None:
                        pass
                writer.write(some)
                await writer.drain()
            writer.write_eof()


Pair = set[asyncio.StreamWriter]


@dataclass
class Limit:
    """How much of the answer may still pass before both ends are reset; None: all of it."""

    response_bytes: int | None = None
    is_new_exchange: bool = True


async def _responses(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: Limit, pair: Pair
) -> None:
    """Carry answers as far as they may pass."""
    with suppress(OSError):
        while some := await reader.read(CHUNK_BYTES):
            limit.is_new_exchange = True
            if limit.response_bytes is not None:
                passing = some[: limit.response_bytes]
                limit.response_bytes -= len(passing)
                writer.write(passing)
                if len(passing) < len(some):
                    _reset_each(pair)
                    return
            else:
                writer.write(some)
            await writer.drain()
        writer.write_eof()


def _reset_each(pair: Pair) -> None:
    for each in pair:
        _reset(each)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, so that the peer cannot take it for an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
