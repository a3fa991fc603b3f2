"""The plant's analyzers over Modbus TCP, or RTU over TCP: one port per device, reads only.

The server is pymodbus' own, so that agent and plant do not share our understanding of the protocol.
It answers some 900 requests a second, noted in a file, on one slow core: enough for the most
devices that can be simulated at a poll of two requests a second each.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from pymodbus import FramerType
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.clock import Clock
from edge_agent.config.vocabulary import Table
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.simulator.analyzer import Analyzer
from edge_agent.simulator.fault import LATE_S, Fault

# Modbus Application Protocol V1.1b3, section 6: the reads; everything else is refused.
TABLES: Final = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}
WORD_BITS: Final = 16


class Handler(ServerRequestHandler):
    """One connection; every answer carries the transaction of its own request.

    pymodbus 3.16 gives an answer that had to wait the transaction of the newest request, which no
    client could tell from a true answer to that.
    """

    def __init__(self, server: "DeviceServer") -> None:
        super().__init__(server, server.trace_packet, None, None)  # type: ignore[no-untyped-call] # pymodbus leaves it so

    def handle_later(self) -> None:
        """Answer the request that has just come."""
        request = self.last_pdu
        if request is not None:
            asyncio.run_coroutine_threadsafe(self._answer(request), self.loop)

    async def _answer(self, request: ModbusPDU) -> None:
        try:
            response = await request.datastore_update(self.server.context, request.dev_id)
        except NoSuchIdException:
            return  # as on a line where no device has this number: nobody answers
        response.transaction_id, response.dev_id = request.transaction_id, request.dev_id
        if not self.is_closing:
            self.pdu_send(response)


class DeviceServer(ModbusTcpServer):
    """The pymodbus server of one analyzer; it can hold an answer back and close connections."""

    def __init__(
        self, analyzer: Analyzer, address: tuple[str, int], clock: Clock, *, is_rtu: bool
    ) -> None:
        self._analyzer = analyzer
        self._clock = clock
        self._is_muted = False
        super().__init__(
            SimDevice(analyzer.unit, simdata=_memory(analyzer), action=self._act),
            framer=FramerType.RTU if is_rtu else FramerType.SOCKET,
            address=address,
            identity=_identity(analyzer),
            trace_packet=self._sent,
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        # pymodbus keeps the asyncio server of a listener where a connection has its transport.
        listener: object = self.transport
        if not isinstance(listener, asyncio.Server):
            raise TypeError(f"not listening: {listener}")
        number: int = listener.sockets[0].getsockname()[1]
        return number

    def callback_new_connection(self) -> Handler:
        """Return the protocol of a connection."""
        return Handler(self)

    def drop(self) -> None:
        """Close every connection at once."""
        for connection in tuple(self.active_connections.values()):
            connection.close()

    async def _act(
        self,
        function_code: int,
        _start: int,
        address: int,
        count: int,
        memory: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Write what a request asks for into the memory that pymodbus answers from."""
        table = TABLES.get(function_code)
        if table is None or written is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        if table in (Table.COIL, Table.DISCRETE):
            # pymodbus counts words here: everything in them is given, and noted as given.
            address, count = address // WORD_BITS * WORD_BITS, count * WORD_BITS
        at_ns = self._clock.now().utc_ns
        fault = self._analyzer.fault(at_ns)
        # Made before any waiting: polls are numbered in the order in which they are asked for.
        answer = self._analyzer.answer(at_ns, table, address, count)
        match fault:
            case Fault.SILENT:
                self._is_muted = True
                return None
            case Fault.BUSY:
                return ExcCodes.DEVICE_BUSY
            case Fault.DROP:
                self.drop()  # nothing is sent on a connection that is closed
                return None
            case Fault.LATE:
                await asyncio.sleep(LATE_S)
            case None:
                pass
        # No await from here to the sending: the memory is shared by all connections.
        _write(memory, table, address, answer.registers)
        self._analyzer.note(answer)
        return None

    def _sent(self, is_sending: bool, packet: bytes) -> bytes:  # noqa: FBT001 - pymodbus' signature
        """Send nothing where the device is silent; called right behind `_act`."""
        if is_sending and self._is_muted:
            self._is_muted = False
            return b""
        return packet


def _identity(analyzer: Analyzer) -> ModbusDeviceIdentification:
    """Return what the device tells of itself (Read Device Identification)."""
    profile = analyzer.profile
    names = {
        "VendorName": profile.vendor,
        "ProductCode": profile.model,
        "MajorMinorRevision": profile.revision,
    }
    return ModbusDeviceIdentification(info_name=names)  # type: ignore[no-untyped-call] # pymodbus leaves it so


def _memory(
    analyzer: Analyzer,
) -> tuple[list[SimData], list[SimData], list[SimData], list[SimData]]:
    """Return zeros for as many addresses as the device has, in pymodbus' order of tables."""

    def bits(table: Table) -> list[SimData]:
        return [SimData(0, values=[False] * analyzer.extent(table), datatype=DataType.BITS)]

    def words(table: Table) -> list[SimData]:
        return [SimData(0, count=analyzer.extent(table), datatype=DataType.REGISTERS)]

    return bits(Table.COIL), bits(Table.DISCRETE), words(Table.HOLDING), words(Table.INPUT)


def _write(memory: list[int], table: Table, address: int, given: Sequence[int]) -> None:
    """Write words, or bits packed as pymodbus keeps them: the first in bit 0."""
    if table in (Table.HOLDING, Table.INPUT):
        memory[address : address + len(given)] = given
        return
    for start in range(0, len(given), WORD_BITS):
        packed = sum(bit << place for place, bit in enumerate(given[start : start + WORD_BITS]))
        memory[(address + start) // WORD_BITS] = packed


@asynccontextmanager
async def serving(
    analyzers: Sequence[Analyzer], *, host: str, port: int, clock: Clock, is_rtu: bool = False
) -> AsyncIterator[tuple[int, ...]]:
    """Serve analyzers until the end of the block, in frames of Modbus TCP or of RTU.

    Yields:
        The port of each, in order.

    Raises:
        OperatorError: a port is in use.

    """
    async with AsyncExitStack() as stack:
        servers = []
        for index, analyzer in enumerate(analyzers):
            wanted = port + index if port else 0
            server = DeviceServer(analyzer, (host, wanted), clock, is_rtu=is_rtu)
            if not await server.listen():
                raise OperatorError(
                    f"{host}:{wanted}: cannot listen there. Is it in use? Choose another --port",
                    exit_code=ExitCode.UNAVAILABLE,
                )
            stack.push_async_callback(_closed, server)
            servers.append(server)
        yield tuple(server.port for server in servers)


async def _closed(server: DeviceServer) -> None:
    server.drop()
    await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus leaves it so
