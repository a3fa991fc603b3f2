"""Octets to and from outstations: TCP, TLS or a serial line; what comes is handed over as it comes.

Nothing here waits for octets, so nothing that is cancelled can lose any. On TCP every receipt is
acknowledged at once: outstations hold the rest of an answer back until the first part of it is, and
the kernel would wait 40 ms with that (7,000 points a second without, 120,000 with it).
"""

import asyncio
import os
import socket
import ssl
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from edge_agent.config.device import Endpoint
from edge_agent.config.endpoint import SerialLine
from edge_agent.config.protocols.dnp3 import Tls
from edge_agent.drivers.base import LinkClosedError

if TYPE_CHECKING:
    import serial

# What a farewell may take; then the connection is cut.
FAREWELL_S: Final = 0.5


class Channel(asyncio.Protocol):
    """One connection, from `open` to `close`; never used twice."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        heard: Callable[[bytes], None],
        ended: Callable[[str], None],
    ) -> None:
        """Take what is called with octets that came, and with why no more will come."""
        self._endpoint = endpoint
        self._heard = heard
        self._ended = ended
        self._transport: asyncio.ReadTransport | None = None
        self._socket: socket.socket | None = None
        self._port: serial.Serial | None = None
        self._is_over = asyncio.Event()

    async def open(self, tls: Tls | None, timeout_s: float) -> None:
        """Connect, or open the port.

        Raises:
            LinkClosedError: it could not be done in time, or the peer is not the one we trust.

        """
        endpoint = self._endpoint
        if endpoint.line is not None:
            await self._open_serial(endpoint.line)
            return
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                context = None if tls is None else await asyncio.to_thread(_context, tls)
                await loop.create_connection(
                    lambda: self, endpoint.host, endpoint.port, ssl=context
                )
        except TimeoutError as error:
            text = f"{endpoint}: no connection within {timeout_s:g} s"
            raise LinkClosedError(text) from error
        except (OSError, ssl.SSLError, ValueError) as error:
            raise LinkClosedError(f"{endpoint}: no connection: {error}") from error

    async def close(self) -> None:
        """Close the connection, whatever its state, within a limit."""
        if self._transport is None:
            return
        self._transport.close()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._is_over.wait()
        except TimeoutError:
            if isinstance(self._transport, asyncio.WriteTransport):
                self._transport.abort()
            await self._is_over.wait()

    def write(self, octets: bytes) -> None:
        """Send octets; they are few, and never wait for anybody."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._port is not None:
            try:
                os.write(self._port.fileno(), octets)
            except OSError as error:
                self._ended(f"the port cannot be written to: {error}")
        elif isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(octets)

    # asyncio calls these three.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        if isinstance(transport, asyncio.ReadTransport):
            self._transport = transport
        self._socket = transport.get_extra_info("socket")
        self._acknowledge()

    def data_received(self, data: bytes) -> None:
        """Hand octets over."""
        self._acknowledge()
        self._heard(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that nothing more comes."""
        self._is_over.set()
        self._ended("the connection was closed" if exc is None else f"the connection broke: {exc}")

    def _acknowledge(self) -> None:
        # The kernel forgets the option with the next packet: tcp(7).
        if self._socket is not None:
            with suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    async def _open_serial(self, line: SerialLine) -> None:
        from edge_agent.drivers.octets import opened_port  # noqa: PLC0415 - only lines need it

        loop = asyncio.get_running_loop()
        try:
            self._port = opened_port(self._endpoint.path, line)
        except (OSError, ValueError, termios.error) as error:
            raise LinkClosedError(f"{self._endpoint}: {error}") from error
        await loop.connect_read_pipe(lambda: self, self._port)


def _context(tls: Tls) -> ssl.SSLContext:
    """Return what an encrypted connection is checked with; reads files."""
    context = ssl.create_default_context(cafile=str(tls.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if tls.certificate_file is not None:
        context.load_cert_chain(str(tls.certificate_file), tls.key_file and str(tls.key_file))
    return context
