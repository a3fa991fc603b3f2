"""Modbus TCP under the conformance suite: pymodbus's server, and peers of ours that misbehave."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.config.device import Device, Endpoint, Point, Table
from edge_agent.config.protocols.modbus import ModbusSpeech, Register, register_of
from edge_agent.drivers import connector
from edge_agent.drivers.base import (
    Connect,
    DeviceBusyError,
    DeviceFailureError,
    DeviceRefusedError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.wire.readings import Scan
from tests.conformance.driver.answering import Answering, on_loopback
from tests.conformance.driver.subject import Peer

COUNT: Final = 50
HEADER: Final = struct.Struct(">HHHB")


def word(address: int) -> int:
    """Return what a register holds."""
    return (address * 40_503 + 12_345) & 0xFFFF


def bit(address: int) -> int:
    """Return what a coil or discrete input holds."""
    return (address * 7 + address // 3) % 2


def adu(request: bytes, pdu: bytes, **change: int) -> bytes:
    """Return an answer to a request; `change` overrides fields of its header."""
    transaction, protocol, _, unit = HEADER.unpack_from(request)
    fields = {
        "transaction": transaction,
        "protocol": protocol,
        "length": len(pdu) + 1,
        "unit": unit,
    } | change
    return HEADER.pack(*fields.values()) + pdu


def good_pdu(request: bytes) -> bytes:
    """Return the right answer (Modbus Application Protocol V1.1b3, 6.1 to 6.4)."""
    function, address, count = struct.unpack_from(">BHH", request, 7)
    if function in {1, 2}:
        packed = bytearray(-(-count // 8))
        for index in range(count):
            packed[index // 8] |= bit(address + index) << index % 8
        return bytes((function, len(packed))) + bytes(packed)
    words = [word(address + index) for index in range(count)]
    return bytes((function, 2 * count)) + struct.pack(f">{count}H", *words)


Answer = Callable[[bytes], bytes]

NONSENSE: Final[Mapping[str, tuple[Answer, type[Exception]]]] = MappingProxyType(
    {
        "wrong unit": (lambda q: adu(q, good_pdu(q), unit=q[6] + 1), ImpossibleAnswerError),
        "wrong function": (lambda q: adu(q, b"\x10" + good_pdu(q)[1:]), ImpossibleAnswerError),
        "function nobody knows": (
            lambda q: adu(q, b"\x55" + good_pdu(q)[1:]),
            ImpossibleAnswerError,
        ),
        "function 128": (lambda q: adu(q, b"\x80" + good_pdu(q)[1:]), ImpossibleAnswerError),
        "short answer": (lambda q: adu(q, bytes((q[7], 2)) + b"\0\1"), ImpossibleAnswerError),
        "long answer": (
            lambda q: adu(q, bytes((q[7], good_pdu(q)[1] + 2)) + good_pdu(q)[2:] + b"\0\1"),
            ImpossibleAnswerError,
        ),
        "odd byte count": (
            lambda q: adu(q, bytes((q[7], good_pdu(q)[1] + 1)) + good_pdu(q)[2:] + b"\7"),
            ImpossibleAnswerError,
        ),
        "byte count too small": (
            lambda q: adu(q, bytes((q[7], good_pdu(q)[1] - 1)) + good_pdu(q)[2:]),
            ImpossibleAnswerError,
        ),
        "byte count without bytes": (lambda q: adu(q, good_pdu(q)[:2]), ImpossibleAnswerError),
        "nothing but a header": (lambda q: adu(q, b""), ImpossibleAnswerError),
        "half an answer": (lambda q: adu(q, good_pdu(q))[:11], ImpossibleAnswerError),
        "protocol that is not Modbus": (
            lambda q: adu(q, good_pdu(q), protocol=1),
            ImpossibleAnswerError,
        ),
        "answer without a number": (
            lambda q: adu(q, good_pdu(q), transaction=0),
            ImpossibleAnswerError,
        ),
        "answer to another request": (
            lambda q: adu(q, good_pdu(q), transaction=0xFFF0),
            LinkLostError,
        ),
        "more than fits any answer": (lambda q: adu(q, good_pdu(q)) * 30, LinkLostError),
        "silence": (lambda _: b"", LinkLostError),
        "exception without a code": (
            lambda q: adu(q, bytes((q[7] | 0x80,))),
            ImpossibleAnswerError,
        ),
        "exception of another function": (
            lambda q: adu(q, bytes((q[7] ^ 7 | 0x80, 2))),
            ImpossibleAnswerError,
        ),
    }
)
# Modbus Application Protocol V1.1b3, section 7.
EXCEPTIONS: Final[Mapping[int, type[Exception]]] = MappingProxyType(
    {
        1: DeviceRefusedError,
        2: DeviceRefusedError,
        3: DeviceRefusedError,
        4: DeviceFailureError,
        5: DeviceBusyError,
        6: DeviceBusyError,
        8: DeviceFailureError,
        10: LinkLostError,
        11: LinkLostError,
        99: DeviceFailureError,
    }
)
CLOSED: Final[Mapping[str, int]] = MappingProxyType(
    {"closed before the answer": 0, "closed inside the answer": 12}
)


@dataclass
class ModbusPeer(Answering):
    """A TCP peer that answers each Modbus request as told; closes after answers cut short."""

    answer: Answer

    def heal(self) -> None:
        """Answer rightly from now on."""
        self.answer, self.cut = (lambda request: adu(request, good_pdu(request))), None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        is_going_on = True
        while is_going_on:
            request = await reader.readexactly(12)
            self.note()
            is_going_on = self.say(self.answer(request), writer.write)


@asynccontextmanager
async def running(peer: ModbusPeer) -> AsyncIterator[ModbusPeer]:
    """Run a peer on a free port of loopback."""
    async with on_loopback(peer.serve) as peer.port:
        yield peer


class Modbus:
    """Modbus TCP, against pymodbus's server and against peers of our own that misbehave."""

    connect: Connect = staticmethod(connector("modbus"))
    faults: Mapping[str, type[Exception]] = MappingProxyType(
        {name: error for name, (_, error) in NONSENSE.items()}
        | {f"exception {code}": error for code, error in EXCEPTIONS.items()}
        | dict.fromkeys(CLOSED, LinkClosedError)
    )

    def device(self, port: int, *, unit_id: int = 1, timeout_s: float = 5) -> Device:
        """Return a device with points of every table and width, and status words."""
        status = Register(table=Table.HOLDING, address=40)
        places: list[tuple[Table, int, str, Register | None]] = [
            (Table.HOLDING, 0, "uint16", None),
            (Table.HOLDING, 10, "float32", status),
            (Table.HOLDING, 20, "int64", status),
            (Table.HOLDING, 30, "bit5", None),
            (Table.INPUT, 5, "uint32", Register(table=Table.DISCRETE, address=9)),
            (Table.COIL, 3, "bool", None),
            (Table.DISCRETE, 8, "bool", None),
        ]
        points = tuple(
            Point(
                channel=index + 1,
                place=Register(table=table, address=address),
                raw_type=kind,
                status=at,
            )
            for index, (table, address, kind, at) in enumerate(places)
        )
        return Device(
            name=f"modbus-{port}-{unit_id}",
            endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
            speech=ModbusSpeech(unit_id=unit_id, max_registers_per_read=125, unreadable=()),
            period_s=0.2,
            timeout_s=timeout_s,
            points=points,
            channels=(),
            limits=(),
            status_rules=(),
        )

    def held(self, device: Device) -> tuple[list[int], list[int]]:
        """Return raw and status as docs/wire-format.md section 6 says them."""
        raw, states = [], []
        for point in device.points:
            value, place = 0, register_of(point.place)
            for index in range({"float32": 2, "uint32": 2, "int64": 4}.get(point.raw_type, 1)):
                value = value << 16 | word(place.address + index)
            value = value - 2**64 if value >= 2**63 else value
            is_bit = place.table in {Table.COIL, Table.DISCRETE}
            raw.append(bit(place.address) if is_bit else value)
            if point.status is None:
                states.append(0)
            else:
                at = register_of(point.status)
                states.append(bit(at.address) if at.table == Table.DISCRETE else word(at.address))
        return raw, states

    def number(self, scan: Scan) -> int:
        """Return the number of the request that a counting peer answered."""
        return int(scan.raw[0])

    @asynccontextmanager
    async def serve(self, port: int = 0, unit_ids: Sequence[int] = (1,)) -> AsyncIterator[int]:
        """Run pymodbus's own server."""
        bits = SimData(0, values=[bool(bit(n)) for n in range(COUNT)], datatype=DataType.BITS)
        words = SimData(0, values=[word(n) for n in range(COUNT)], datatype=DataType.REGISTERS)
        units = [SimDevice(n, simdata=([bits], [bits], [words], [words])) for n in unit_ids]
        server = ModbusTcpServer(units, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        try:
            # pymodbus keeps the asyncio server under the name of a transport.
            assert isinstance(server.transport, asyncio.Server)
            yield server.transport.sockets[0].getsockname()[1]
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus left it so

    @asynccontextmanager
    async def misbehave(self, fault: str) -> AsyncIterator[Peer]:
        """Run a peer of ours with a fault."""
        peer = ModbusPeer(answer=lambda request: adu(request, good_pdu(request)))
        if fault in NONSENSE:
            peer.answer = NONSENSE[fault][0]
        elif fault in CLOSED:
            peer.cut = CLOSED[fault]
        else:
            code = int(fault.removeprefix("exception "))
            peer.answer = lambda request: adu(request, bytes((request[7] | 0x80, code)))
        async with running(peer):
            yield peer

    @asynccontextmanager
    async def count(self, delays_s: Sequence[float]) -> AsyncIterator[Peer]:
        """Run a peer whose registers hold the number of the request, counted from 1."""
        number = 0

        def answer(request: bytes) -> bytes:
            nonlocal number
            number += 1
            function, _, count = struct.unpack_from(">BHH", request, 7)
            words = struct.pack(">H", number) * count
            return adu(request, bytes((function, 2 * count)) + words)

        async with running(ModbusPeer(answer=answer, delays_s=list(delays_s))) as peer:
            yield peer
