"""A TCP proxy that cuts the uplink: seeded mishaps per exchange, and an on/off switch for all.

Mishaps come at random (`rates`), or one at a time (`strike`).

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
    from collections.abc import Callable, Mapping

CHUNK_BYTES = 65_536
# How much of a request or an answer may pass before a mishap strikes it.
FIRST_BYTES = 4_000
# A slow line: an answer of a kilobyte takes a second.
TRICKLE_BYTES = 256
TRICKLE_S = 0.25
HEADERS_END = b"\r\n\r\n"


class Mishap(StrEnum):
    """What can happen to an exchange.

    refuse: reset before anything passes.
    reset_request: reset within the request.
    lose_response: the request arrives whole, then a reset before the first byte of the answer.
    cut_response: a reset within the answer.
    stall: the request arrives whole, and nothing of the answer, on a connection that stays open.
    slow: the answer comes in drops.
    flip: one bit of the answer's body is another one.
    """

    REFUSE = "refuse"
    RESET_REQUEST = "reset_request"
    LOSE_RESPONSE = "lose_response"
    CUT_RESPONSE = "cut_response"
    STALL = "stall"
    SLOW = "slow"
    FLIP = "flip"


@dataclass
class Proxy:
    """A proxy in a thread of its own, from `with` to its end.

    Attributes:
        target_port: on 127.0.0.1; whoever listens there may come and go.
        seed: of the mishaps.
        rates: mishap -> fraction of exchanges that meet it.
        is_up: False: new connections are reset, and `cut` resets those that are open.
        counts: exchanges, and refused connections, by what happened to them.
        host: where it listens.
        enter: called first in the proxy's thread, which may go to another network there.

    """

    target_port: int
    seed: int
    rates: Mapping[Mishap, float] = field(default_factory=dict)
    is_up: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    port: int = 0
    host: str = "127.0.0.1"
    enter: Callable[[], None] | None = None
    _armed: Mishap | None = None
    _ready: Event = field(default_factory=Event)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def __enter__(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        self._random = random.Random(self.seed)  # noqa: S311 - chance, not a secret
        self._thread = Thread(target=self._run, daemon=True)
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

    def strike(self, mishap: Mishap) -> None:
        """Let a mishap befall the next exchange, and only that one."""
        self._armed = mishap

    def _run(self) -> None:
        if self.enter is not None:
            self.enter()
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, self.host, 0)
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
                group.create_task(self._responses(onward, writer, limit, pair))
        finally:
            self._open -= pair
            for each in pair:
                each.close()

    def _drawn(self) -> Mishap | None:
        """Return what happens to the next exchange; None: nothing."""
        if self._armed is not None:
            armed, self._armed = self._armed, None
            return armed
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
                if limit.is_new_exchange:
                    limit.begin(self._drawn(), self._random)
                    self.counts[limit.mishap or "clean"] += 1
                    if limit.mishap in (Mishap.REFUSE, Mishap.RESET_REQUEST):
                        if limit.mishap is Mishap.RESET_REQUEST:
                            writer.write(some[: self._random.randrange(len(some))])
                        _reset_each(pair)
                        return
                writer.write(some)
                await writer.drain()
            writer.write_eof()

    async def _responses(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit: Limit, pair: Pair
    ) -> None:
        """Carry answers as far and as they may pass."""
        with suppress(OSError):
            while some := await reader.read(CHUNK_BYTES):
                limit.is_new_exchange = True
                match limit.mishap:
                    case Mishap.LOSE_RESPONSE | Mishap.CUT_RESPONSE:
                        writer.write(limit.passing(some))
                        if not limit.response_bytes:
                            _reset_each(pair)
                            return
                    case Mishap.STALL:
                        continue
                    case Mishap.SLOW:
                        for start in range(0, len(some), TRICKLE_BYTES):
                            writer.write(some[start : start + TRICKLE_BYTES])
                            await asyncio.sleep(TRICKLE_S)
                    case Mishap.FLIP:
                        writer.write(limit.flipped(some, self._random))
                    case _:
                        writer.write(some)
                await writer.drain()
            writer.write_eof()


Pair = set[asyncio.StreamWriter]


@dataclass
class Limit:
    """What befalls the present exchange of a connection, and how much of its answer may pass."""

    mishap: Mishap | None = None
    response_bytes: int = 0
    is_new_exchange: bool = True

    def begin(self, mishap: Mishap | None, chance: random.Random) -> None:
        """Begin an exchange."""
        self.mishap, self.is_new_exchange = mishap, False
        is_cut = mishap is Mishap.CUT_RESPONSE
        self.response_bytes = chance.randrange(1, FIRST_BYTES) if is_cut else 0

    def passing(self, some: bytes) -> bytes:
        """Return what may still pass of a piece of the answer."""
        passing = some[: self.response_bytes]
        self.response_bytes -= len(passing)
        return passing

    def flipped(self, some: bytes, chance: random.Random) -> bytes:
        """Return a piece of the answer with one bit of its body changed, once an answer.

        The headers stay: the line between two proxies may break bytes, HTTP it must still be.
        """
        start = some.find(HEADERS_END) + len(HEADERS_END) if some.startswith(b"HTTP/") else 0
        if start >= len(some):
            return some
        self.mishap = None
        changed = bytearray(some)
        changed[chance.randrange(start, len(some))] ^= 1 << chance.randrange(8)
        return bytes(changed)


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
