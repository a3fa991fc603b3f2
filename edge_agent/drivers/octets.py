"""Octets over TCP or a serial line, for protocols whose library brings neither.

asyncio carries both: a serial port is a character device that its pipe transport can read.
"""

import asyncio
import os
from contextlib import suppress
from typing import Final

import serial

from edge_agent.config.endpoint import Endpoint, SerialLine
from edge_agent.drivers.base import LinkClosedError, LinkLostError

CHUNK: Final = 4_096


class Octets:
    """An open line; whoever uses it speaks one exchange at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._reader = asyncio.StreamReader()
        self._transport: asyncio.BaseTransport | None = None
        self._port: serial.Serial | None = None

    async def open(self, timeout_s: float) -> None:
        """Open the port or the connection.

        Raises:
            LinkClosedError: it could not be opened in time.

        """
        endpoint, loop = self._endpoint, asyncio.get_running_loop()
        self._reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(self._reader)
        try:
            async with asyncio.timeout(timeout_s):
                if endpoint.line is None:
                    made = loop.create_connection(lambda: protocol, endpoint.host, endpoint.port)
                    self._transport, _ = await made
                else:
                    self._port = opened_port(endpoint.path, endpoint.line)
                    self._transport, _ = await loop.connect_read_pipe(lambda: protocol, self._port)
        except (OSError, TimeoutError) as error:
            self.close()
            raise LinkClosedError(f"{endpoint}: no connection: {_said(error)}") from error

    def close(self) -> None:
        """Close the line, whatever its state."""
        if self._transport is not None:
            self._transport.close()
        elif self._port is not None:
            self._port.close()
        self._transport = self._port = None

    def write(self, octets: bytes) -> None:
        """Send a few octets: less than a line takes at once.

        Raises:
            LinkClosedError: the line is closed.

        """
        try:
            if self._port is not None:
                os.write(self._port.fileno(), octets)
                return
        except OSError as error:
            raise self._closed() from error
        if not isinstance(self._transport, asyncio.WriteTransport) or self._reader.at_eof():
            raise self._closed()
        self._transport.write(octets)

    async def read(self) -> bytes:
        """Return what comes next, at least one octet.

        Raises:
            LinkClosedError: the line is closed.

        """
        try:
            octets = await self._reader.read(CHUNK)
        except OSError as error:
            raise self._closed() from error
        if not octets:
            raise self._closed()
        return octets

    async def discard(self) -> None:
        """Throw away what has come and was not read: it was an answer to nothing.

        Raises:
            LinkClosedError: the line is closed.

        """
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                while True:
                    await self.read()

    async def emptied(self, quiet_s: float, most_s: float) -> None:
        """Wait until nothing has come for a while; what comes meanwhile is nobody's answer.

        Raises:
            LinkClosedError: the line is closed.
            LinkLostError: it does not fall silent within the most seconds.

        """
        loop = asyncio.get_running_loop()
        until_s = loop.time() + most_s
        with suppress(TimeoutError):
            while loop.time() < until_s:
                async with asyncio.timeout(quiet_s):
                    await self.read()
            raise LinkLostError(f"{self._endpoint}: the line does not fall silent")

    def _closed(self) -> LinkClosedError:
        self.close()
        return LinkClosedError(f"{self._endpoint}: the connection was closed")


def opened_port(path: str, line: SerialLine) -> serial.Serial:
    """Return an open port that nobody else may open.

    Raises:
        OSError: it cannot be opened, or has no such line.

    """
    return serial.Serial(
        path,
        baudrate=line.baud,
        bytesize=line.data_bits,
        parity=line.parity.value[0].upper(),
        stopbits=line.stop_bits,
        timeout=0,
        exclusive=True,
    )


def _said(error: Exception) -> str:
    return str(error) or "no answer in time"
