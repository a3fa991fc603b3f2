"""What is particular to Modbus TCP: refused addresses, unit numbers, and every byte of a header."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.clock import Instant, SystemClock
from edge_agent.config.device import Device, Table
from edge_agent.config.protocols.modbus import Register, speech_of
from edge_agent.drivers.base import DeviceRefusedError, Driver, LinkLostError
from edge_agent.drivers.modbus import REFUSAL_NS, connect
from edge_agent.drivers.registers import REFUSED_STATUS, REFUSED_VALUE
from tests.conformance.driver.subject import scan_of

MakeDevice = Callable[..., Device]

pytestmark = pytest.mark.asyncio
HOLDING = Table.HOLDING


@dataclass
class Simulated:
    """pymodbus's server, and what it was asked."""

    port: int = 0
    asked: list[tuple[int, int, int]] = field(default_factory=list)

    def note(self, is_sending: bool, pdu: ModbusPDU) -> ModbusPDU:  # noqa: FBT001 - pymodbus's form
        """Note what was asked."""
        if not is_sending:
            self.asked.append((pdu.function_code, pdu.address, pdu.count))
        return pdu


@asynccontextmanager
async def running(device: SimDevice) -> AsyncIterator[Simulated]:
    """Run a device on a free port of loopback."""
    simulated = Simulated()
    server = ModbusTcpServer(device, address=("127.0.0.1", 0), trace_pdu=simulated.note)
    await server.serve_forever(background=True)
    # pymodbus keeps the asyncio server under the name of a transport.
    assert isinstance(server.transport, asyncio.Server)
    simulated.port = server.transport.sockets[0].getsockname()[1]
    try:
        yield simulated
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus left it so


@asynccontextmanager
async def simulated(*held: SimData, unit_id: int = 1) -> AsyncIterator[Simulated]:
    """Run a device whose registers are those held; it refuses all others with exception 2."""
    async with running(SimDevice(unit_id, simdata=list(held))) as server:
        yield server


@dataclass
class LateClock(SystemClock):
    """A clock whose hour can be over at once."""

    ahead_ns: int = 0

    def now(self) -> Instant:
        """Return a moment ahead of the present."""
        now = super().now()
        return replace(now, mono_ns=now.mono_ns + self.ahead_ns)


def registers(address: int, *values: int) -> SimData:
    return SimData(address, values=list(values), datatype=DataType.REGISTERS)


@asynccontextmanager
async def driver_of(device: Device, clock: SystemClock | None = None) -> AsyncIterator[Driver]:
    async with connect([device], clock or SystemClock()) as connection:
        (driver,) = connection.drivers
        yield driver


async def test_a_hole_in_the_register_map_is_found_once_and_read_around(
    make_device: MakeDevice,
) -> None:
    async with simulated(registers(0, 1, 2, 3), registers(10, 4, 5)) as server:
        device = make_device(
            *[(HOLDING, at, "uint16") for at in (0, 1, 2, 10, 11)], port=server.port
        )
        async with driver_of(device) as driver:
            first = await scan_of(driver)
            asked = list(server.asked)
            second = await scan_of(driver)
    assert first.raw.tolist() == second.raw.tolist() == [1, 2, 3, 4, 5]
    assert not first.transport.any()
    assert asked[0] == (3, 0, 12)
    # Two blocks refused on the way, and no refusal in the second scan.
    assert len(server.asked) - len(asked) == len(asked) - 2


async def test_a_refused_point_is_a_row_that_says_so_and_the_others_are_read(
    make_device: MakeDevice,
) -> None:
    async with simulated(registers(0, 1, 2), registers(3, 4)) as server:
        device = make_device(
            *[(HOLDING, at, "uint16", Register(table=HOLDING, address=1)) for at in (0, 2)],
            (HOLDING, 3, "uint16", Register(table=HOLDING, address=9)),
            port=server.port,
        )
        async with driver_of(device) as driver:
            for _ in range(2):
                scan = await scan_of(driver)
                assert scan.raw.tolist() == [1, 0, 4]
                assert scan.status.tolist() == [2, 2, 0]
                assert scan.transport.tolist() == [0, REFUSED_VALUE, REFUSED_STATUS]


async def test_a_device_that_refuses_everything_is_asked_one_thing_at_a_time_from_then_on(
    make_device: MakeDevice,
) -> None:
    async with simulated(registers(100, 1)) as server:
        device = make_device(*[(HOLDING, at, "uint16") for at in range(8)], port=server.port)
        async with driver_of(device) as driver:
            with pytest.raises(DeviceRefusedError, match="exception 2"):
                await scan_of(driver)
            asked = len(server.asked)
            for _ in range(3):
                with pytest.raises(DeviceRefusedError):
                    await scan_of(driver)
    assert asked == 15
    assert len(server.asked) - asked == 3


async def test_an_hour_later_a_refused_address_is_asked_again(make_device: MakeDevice) -> None:
    async with simulated(registers(0, 1)) as server:
        device = make_device((HOLDING, 0, "uint16"), (HOLDING, 1, "uint16"), port=server.port)
        clock = LateClock()
        async with driver_of(device, clock) as driver:
            await scan_of(driver)
            asked_s = []
            for hours in (0, 0.99, 1.0, 1.01):
                clock.ahead_ns = int(hours * REFUSAL_NS)
                before = len(server.asked)
                scan = await scan_of(driver)
                assert scan.transport.tolist() == [0, REFUSED_VALUE]
                asked_s.append(len(server.asked) - before)
    assert asked_s == [1, 1, 3, 1]


@pytest.mark.parametrize("unit_id", [0, 1, 247, 255])
async def test_every_unit_identifier_is_asked_as_it_is(
    unit_id: int, make_device: MakeDevice
) -> None:
    async with simulated(registers(0, 7), unit_id=unit_id) as server:
        device = make_device((HOLDING, 0, "uint16"), port=server.port)
        device = replace(device, speech=replace(speech_of(device.speech), unit_id=unit_id))
        async with driver_of(device) as driver:
            assert (await scan_of(driver)).raw.tolist() == [7]


async def test_the_widest_answers_of_the_protocol_are_taken(make_device: MakeDevice) -> None:
    bits = [n % 3 == 0 for n in range(2000)]
    held = (
        [SimData(0, values=bits, datatype=DataType.BITS)],
        [SimData(0, values=bits, datatype=DataType.BITS)],
        [registers(0, *range(1000, 1125))],
        [registers(0, *range(2000, 2125))],
    )
    async with running(SimDevice(1, simdata=held)) as server:
        device = make_device(
            *[(HOLDING, at, "uint16") for at in range(125)],
            *[(Table.INPUT, at, "uint16") for at in range(125)],
            *[(Table.COIL, at, "bool") for at in range(2000)],
            port=server.port,
        )
        async with driver_of(device) as driver:
            scan = await scan_of(driver)
    assert scan.raw.tolist() == [*range(1000, 1125), *range(2000, 2125), *map(int, bits)]


@dataclass
class Mutant:
    """A peer that changes one byte of a right answer; the registers hold the address."""

    position: int = 0
    change: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while request := await reader.readexactly(12):
                address, count = struct.unpack_from(">HH", request, 8)
                words = struct.pack(f">{count}H", *range(address, address + count))
                length = (3 + len(words)).to_bytes(2, "big")
                answer = bytearray(request[:4] + length + request[6:8])
                answer += bytes((len(words),)) + words
                answer[self.position] ^= self.change
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def mutations() -> Iterator[tuple[int, int]]:
    """Return every byte before the registers, changed in a few ways each."""
    for position in range(9):
        for change in (0x01, 0x02, 0x06, 0x80, 0xFF):
            yield position, change


async def test_no_byte_before_the_registers_can_be_wrong_without_being_noticed(
    make_device: MakeDevice,
) -> None:
    mutant = Mutant()
    server = await asyncio.start_server(mutant.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    device = make_device((HOLDING, 40, "uint16"), (HOLDING, 47, "uint16"), port=port)
    passed: list[tuple[int, int, list[int]]] = []
    for position, change in mutations():
        impatient = replace(device, timeout_s=0.02)
        async with connect([device, impatient], SystemClock()) as connection:
            patient_driver, driver = connection.drivers
            mutant.position, mutant.change = position, 0
            assert (await scan_of(patient_driver)).raw.tolist() == [40, 47]
            mutant.change = change
            with suppress(LinkLostError, DeviceRefusedError):
                passed.append((position, change, (await scan_of(driver)).raw.tolist()))
    server.close()
    assert passed == []
