"""Modbus RTU under the conformance suite: over TCP, and over a pseudo terminal as a serial line."""

import asyncio
import os
import struct
import tty
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.config.device import Device, Endpoint
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.drivers.base import LinkClosedError
from tests.conformance.driver.answering import Answering, Write, on_loopback
from tests.conformance.driver.modbus import (
    COUNT,
    EXCEPTIONS,
    HEADER,
    NONSENSE,
    Answer,
    Modbus,
    adu,
    bit,
    good_pdu,
    word,
)
from tests.conformance.driver.subject import Peer

# These are about the header of Modbus TCP, which RTU does not have.
OF_TCP: Final = frozenset(
    {
        "protocol that is not Modbus",
        "answer without a number",
        "answer to another request",
        "nothing but a header",
    }
)
LINE: Final = SerialLine(baud=115_200, parity=Parity.NONE)


def crc(octets: bytes) -> bytes:
    """Return the checksum of a frame (Modbus over Serial Line V1.02, section 2.5.1.2)."""
    register = 0xFFFF
    for octet in octets:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")


@dataclass
class RtuPeer(Answering):
    """A peer that answers each request as told; closes after answers that are cut short."""

    answer: Answer
    _received: bytes = b""

    def heal(self) -> None:
        """Answer rightly from now on."""
        self.answer, self.cut = (lambda request: adu(request, good_pdu(request))), None

    def heard(self, octets: bytes, write: Write) -> bool:
        """Take octets and answer whole requests; return whether to go on."""
        self._received += octets
        while len(self._received) >= 8:
            frame, self._received = self._received[:8], self._received[8:]
            self.note()
            answer = self.answer(HEADER.pack(1, 0, 6, frame[0]) + frame[1:6])[6:]
            if answer:
                answer += crc(answer)
            if not self.say(answer, write):
                return False
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        while octets := await reader.read(256):
            if not self.heard(octets, writer.write):
                return


@asynccontextmanager
async def over_tcp(peer: RtuPeer) -> AsyncIterator[RtuPeer]:
    """Run a peer behind a device server on a free port of loopback."""
    async with on_loopback(peer.serve) as peer.port:
        yield peer


@asynccontextmanager
async def terminal() -> AsyncIterator[tuple[int, str]]:
    """Make a pseudo terminal: the peer's end, and the path of the other."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        for end in (ours, theirs):
            os.close(end)


class RtuOverTcp(Modbus):
    """RTU frames over TCP, against pymodbus's server and against peers of our own."""

    faults: Mapping[str, type[Exception]] = MappingProxyType(
        {name: error for name, (_, error) in NONSENSE.items() if name not in OF_TCP}
        | {f"exception {code}": error for code, error in EXCEPTIONS.items()}
        | dict.fromkeys(("closed before the answer", "closed inside the answer"), LinkClosedError)
    )

    def device(self, port: int, *, unit_id: int = 1, timeout_s: float = 5) -> Device:
        """Return a device with points of every table and width, and status words."""
        made = super().device(port, unit_id=unit_id, timeout_s=timeout_s)
        endpoint = Endpoint(scheme="rtu+tcp", host="127.0.0.1", port=port)
        return replace(made, endpoint=endpoint)

    @asynccontextmanager
    async def serve(self, port: int = 0, unit_ids: Sequence[int] = (1,)) -> AsyncIterator[int]:
        """Run pymodbus's own server."""
        server = ModbusTcpServer(
            units(unit_ids), framer=FramerType.RTU, address=("127.0.0.1", port)
        )
        await server.serve_forever(background=True)
        try:
            assert isinstance(server.transport, asyncio.Server)
            yield server.transport.sockets[0].getsockname()[1]
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus left it so

    @asynccontextmanager
    async def misbehave(self, fault: str) -> AsyncIterator[Peer]:
        """Run a peer of ours with a fault."""
        async with over_tcp(faulty(fault)) as peer:
            yield peer

    @asynccontextmanager
    async def count(self, delays_s: Sequence[float]) -> AsyncIterator[Peer]:
        """Run a peer whose registers hold the number of the request, counted from 1."""
        async with over_tcp(counting(delays_s)) as peer:
            yield peer


def units(unit_ids: Sequence[int]) -> list[SimDevice]:
    """Return the devices of pymodbus's server."""
    bits = SimData(0, values=[bool(bit(n)) for n in range(COUNT)], datatype=DataType.BITS)
    words = SimData(0, values=[word(n) for n in range(COUNT)], datatype=DataType.REGISTERS)
    return [SimDevice(n, simdata=([bits], [bits], [words], [words])) for n in unit_ids]


def faulty(fault: str) -> RtuPeer:
    """Return a peer with a fault."""
    peer = RtuPeer(answer=lambda request: adu(request, good_pdu(request)))
    if fault in NONSENSE:
        peer.answer = NONSENSE[fault][0]
    elif fault.startswith("closed"):
        peer.cut = 0 if "before" in fault else 5
    else:
        code = int(fault.removeprefix("exception "))
        peer.answer = lambda request: adu(request, bytes((request[7] | 0x80, code)))
    return peer


def counting(delays_s: Sequence[float]) -> RtuPeer:
    """Return a peer whose registers hold the number of the request."""
    number = 0

    def answer(request: bytes) -> bytes:
        nonlocal number
        number += 1
        function, _, count = struct.unpack_from(">BHH", request, 7)
        return adu(request, bytes((function, 2 * count)) + struct.pack(">H", number) * count)

    return RtuPeer(answer=answer, delays_s=list(delays_s))


def passed_on(source: int, sink: int) -> None:
    """Carry what waits at one end of a line to the other."""
    os.write(sink, os.read(source, 512))


@asynccontextmanager
async def serial_server(unit_ids: Sequence[int]) -> AsyncIterator[str]:
    """Run pymodbus's own serial server on a pseudo terminal; yields the path of the other end."""
    first, first_end = os.openpty()
    second, second_end = os.openpty()
    for end in (first_end, second_end):
        tty.setraw(end)
    loop = asyncio.get_running_loop()
    for source, sink in ((first, second), (second, first)):
        os.set_blocking(source, False)
        loop.add_reader(source, passed_on, source, sink)
    server = ModbusSerialServer(
        units(unit_ids), port=os.ttyname(second_end), baudrate=LINE.baud, framer=FramerType.RTU
    )
    await server.serve_forever(background=True)
    try:
        yield os.ttyname(first_end)
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus left it so
        for end in (first, second):
            loop.remove_reader(end)
        for end in (first, first_end, second, second_end):
            os.close(end)
