"""Outstations of ours on one TCP port: data link and transport by dnp3py, one master at a time."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from dnp3.core.enums import LinkFunctionCode
from dnp3.datalink.builder import build_unconfirmed_user_data
from dnp3.datalink.parser import FrameParser
from dnp3.transport.reassembler import Reassembler
from dnp3.transport.segment import TransportSegment
from dnp3.transport.segmenter import Segmenter

from edge_agent.clock import NS_PER_S, Clock

# So often is looked for events that are to be reported.
LOOK_NS: Final = NS_PER_S // 50


class Outstation(Protocol):
    """What is served: the application layer of one outstation."""

    def heard(self, request: bytes, now_ns: int) -> list[bytes]:
        """Return the fragments to send upon a request; CLOCK_BOOTTIME, ns."""
        ...

    def report(self, now_ns: int) -> list[bytes]:
        """Return the fragments to send unasked."""
        ...

    def reset(self) -> None:
        """Begin a new connection."""
        ...


class Master(asyncio.Protocol):
    """The connection of one master."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._parser = FrameParser()
        self._address = 1
        self._segmenters = {address: Segmenter() for address in server.outstations}
        self._reassemblers = {address: Reassembler() for address in server.outstations}
        self.write: Callable[[bytes], None] | None = None
        self._transport: asyncio.Transport | None = None

    def abort(self) -> None:
        """Close the connection, if there still is one."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the place of the master before."""
        if isinstance(transport, asyncio.Transport):
            self._transport, self.write = transport, transport.write
        self._server.replaced(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave."""
        del exc
        self._transport = self.write = None

    def data_received(self, data: bytes) -> None:
        """Answer."""
        for frame in self._parser.feed(data):
            address = frame.header.destination
            outstation = self._server.outstations.get(address)
            code = frame.header.control.function_code
            if outstation is None or code != LinkFunctionCode.PRI_UNCONFIRMED_USER_DATA:
                continue
            self._address = frame.header.source
            whole = self._reassemblers[address].add(TransportSegment.from_bytes(frame.user_data))
            if whole is not None and not self._server.is_silent:
                now_ns = self._server.clock.now().mono_ns
                for fragment in outstation.heard(whole.data, now_ns):
                    self.say(address, fragment)

    def say(self, address: int, fragment: bytes) -> None:
        """Send a fragment of an outstation."""
        if self.write is None:
            return
        for segment in self._segmenters[address].segment(fragment):
            frame = build_unconfirmed_user_data(
                destination=self._address,
                source=address,
                dir_from_master=False,
                user_data=segment.to_bytes(),
            )
            self.write(frame.to_bytes())


class Server:
    """The outstations of one port.

    Attributes:
        outstations: by address.
        is_silent: whether none of them says anything.

    """

    def __init__(self, outstations: Mapping[int, Outstation], clock: Clock) -> None:
        self.outstations = outstations
        self.clock = clock
        self.is_silent = False
        self._master: Master | None = None

    def replaced(self, master: Master) -> None:
        """Talk to another master from now on."""
        self.drop()
        self._master = master
        for outstation in self.outstations.values():
            outstation.reset()

    def look(self) -> None:
        """Report what is to be reported."""
        if self._master is None or self._master.write is None or self.is_silent:
            return
        for address, outstation in self.outstations.items():
            for fragment in outstation.report(self.clock.now().mono_ns):
                self._master.say(address, fragment)

    def drop(self) -> None:
        """Close the connection of the master, if there is one."""
        if self._master is not None:
            self._master.abort()


@asynccontextmanager
async def listening(
    outstations: Mapping[int, Outstation],
    *,
    host: str,
    port: int,
    clock: Clock,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[int, Server]]:
    """Serve outstations until the end of the block; yields the port, and the server.

    Raises:
        OSError: the port is in use.

    """
    server = Server(outstations, clock)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Master(server), host, port, ssl=context)
    try:
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_looked(server, clock))
            try:
                yield listener.sockets[0].getsockname()[1], server
            finally:
                looking.cancel()
    finally:
        server.drop()
        listener.close()
        await asyncio.sleep(0)  # what was dropped leaves


async def _looked(server: Server, clock: Clock) -> None:
    while True:
        server.look()
        await clock.sleep_until(clock.now().mono_ns + LOOK_NS)
