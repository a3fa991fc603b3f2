"""One Modbus connection: a request, its answer checked, or the reason why there is none.

pymodbus carries the bytes and ends each exchange in time. That an answer belongs to its request in
unit, function and length is checked here, because pymodbus 3.16 does not. There is no function code
here that writes. What pymodbus logs, frame dumps and all, goes to the logger `pymodbus.logging`,
which `edge_agent.logs` cuts short.
"""

import asyncio
from typing import ClassVar, Final, assert_never

from pymodbus import FramerType
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException
from pymodbus.pdu import DecodePDU, ModbusPDU

from edge_agent.config.device import Endpoint, Table
from edge_agent.drivers.base import (
    DeviceBusyError,
    DeviceFailureError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.blocks import BIT_TABLES, Block
from edge_agent.drivers.registers import MAX_GAP_TCP

# Modbus Application Protocol V1.1b3, 6.1 to 6.4.
FUNCTION_CODES: Final = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
# Modbus Application Protocol V1.1b3, section 7: added to the function code of a refused request.
EXCEPTION: Final = 0x80
ILLEGAL_FUNCTION: Final = 1
REFUSALS: Final = {1: "illegal function", 2: "illegal data address", 3: "illegal data value"}
BUSY: Final = {5: "acknowledged, working on it", 6: "busy"}
GATEWAY: Final = {10: "gateway path unavailable", 11: "behind the gateway nothing answered"}


class RefusedBlockError(Exception):
    """The device refuses one block."""

    def __init__(self, block: Block, code: int) -> None:
        super().__init__(
            f"exception {code} ({REFUSALS[code]}) for {block.count} from {block.table} "
            f"{block.address}"
        )
        self.is_divisible = code != ILLEGAL_FUNCTION


class Link:
    """One connection on which one exchange at a time takes place, each with its deadline.

    Attributes:
        is_numbered: whether an answer bears the number of its request.

    """

    is_numbered: ClassVar[bool] = True

    def __init__(self, endpoint: Endpoint, *, timeout_s: float) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._received = b""
        self._is_asking = False
        self._client = self._made()

    def max_gap(self, unit_id: int) -> int:  # noqa: ARG002 - the same for every unit behind TCP
        """Return how many unwanted registers are worth reading through."""
        return MAX_GAP_TCP

    def _made(self) -> AsyncModbusTcpClient | AsyncModbusSerialClient:
        """Return a new client of pymodbus; nothing is opened yet.

        Retries and reconnecting are the poller's: pymodbus would do both behind its back.
        """
        endpoint, line = self._endpoint, self._endpoint.line
        if line is None:
            client: AsyncModbusTcpClient | AsyncModbusSerialClient = AsyncModbusTcpClient(
                endpoint.host,
                port=endpoint.port,
                framer=FramerType.SOCKET if self.is_numbered else FramerType.RTU,
                name=str(endpoint),
                timeout=self._timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._note_octets,
                trace_connect=self._note_connection,
            )
        else:
            client = AsyncModbusSerialClient(
                endpoint.path,
                framer=FramerType.RTU,
                baudrate=line.baud,
                bytesize=line.data_bits,
                parity=line.parity.value[0].upper(),
                stopbits=line.stop_bits,
                name=str(endpoint),
                timeout=self._timeout_s,
                retries=0,
                reconnect_delay=0,
                trace_packet=self._note_octets,
                trace_connect=self._note_connection,
            )
        client.ctx.framer.decoder = AnswerDecoder(is_server=False)
        return client

    async def open(self) -> None:
        """Open the connection.

        Raises:
            LinkClosedError: it could not be opened in time.

        """
        if not await self._client.connect():
            raise LinkClosedError(f"{self._endpoint}: no connection")

    def close(self) -> None:
        """Close the connection, whatever its state."""
        self._client.close()

    async def ask(self, block: Block, unit_id: int, timeout_s: float) -> bytes:
        """Return the register bytes or packed bits of a block.

        Raises:
            LinkLostError: one of its kinds; LinkClosedError means that the link is of no more use.
            RefusedBlockError: exception 1, 2 or 3.

        """
        if self._is_asking:
            raise RuntimeError(f"{self._endpoint}: two exchanges at once on one link")
        if not self._client.connected:
            raise LinkClosedError(f"{self._endpoint}: the connection is closed")
        self._client.ctx.comm_params.timeout_connect = timeout_s
        self._received = b""
        self._is_asking = True
        try:
            answer = await self._exchange(block, unit_id)
        except ConnectionException as error:
            raise LinkClosedError(f"{self._endpoint}: the connection was closed") from error
        except ModbusIOException as error:
            raise self._silence(unit_id, timeout_s) from error
        except asyncio.CancelledError:
            # A link whose exchange was cut short is not to be asked again.
            self._client.close()
            raise
        finally:
            self._is_asking = False
        return _payload(answer, block, unit_id, is_numbered=self.is_numbered)

    async def _exchange(self, block: Block, unit_id: int) -> "Answer":
        client, address, count = self._client, block.address, block.count
        match block.table:
            case Table.HOLDING:
                reply = client.read_holding_registers(address, count=count, device_id=unit_id)
            case Table.INPUT:
                reply = client.read_input_registers(address, count=count, device_id=unit_id)
            case Table.COIL:
                reply = client.read_coils(address, count=count, device_id=unit_id)
            case Table.DISCRETE:
                reply = client.read_discrete_inputs(address, count=count, device_id=unit_id)
            case _:
                assert_never(block.table)
        answer = await reply
        if not isinstance(answer, Answer):
            raise TypeError(f"pymodbus made a {type(answer).__name__} without our decoder")
        return answer

    def _silence(self, unit_id: int, timeout_s: float) -> LinkLostError:
        """Return what it means that no usable answer came within the time."""
        if not self._client.connected:
            return LinkClosedError(f"{self._endpoint}: closed after too many silent requests")
        expected = self._client.ctx.request_transaction_id.to_bytes(2, "big")
        if not self.is_numbered and self._received:
            heard = self._received[:8].hex(" ")
            return ImpossibleAnswerError(
                f"unit {unit_id}: what came within {timeout_s:g} s is no answer: {heard} ..."
            )
        if self._received[:2] == expected:
            head = self._received[:8].hex(" ")
            return ImpossibleAnswerError(
                f"unit {unit_id}: what came within {timeout_s:g} s is no answer: {head} ..."
            )
        return LinkLostError(f"unit {unit_id}: no answer within {timeout_s:g} s")

    def _note_octets(self, is_sending: bool, octets: bytes) -> bytes:  # noqa: FBT001 - pymodbus calls it so
        if not is_sending:
            self._received = octets
        return octets

    def _note_connection(self, is_connected: bool) -> None:  # noqa: FBT001 - pymodbus calls it so
        """End the exchange in flight when the connection breaks: pymodbus would wait on."""
        pending = self._client.ctx.response_future
        if self._is_asking and not is_connected and not pending.done():
            pending.set_exception(ConnectionException("closed during the exchange"))


class Answer(ModbusPDU):
    """Any answer, not taken apart: function code and what follows it."""

    def __init__(self, frame: bytes) -> None:
        super().__init__()
        self.frame = frame


class AnswerDecoder(DecodePDU):
    """Keeps answers whole, so that their length can be checked and no register becomes an object.

    pymodbus's own decoder reads a wrong byte count as fewer registers, and a function code that
    it does not know breaks the connection.
    """

    def __init__(self, *, is_server: bool) -> None:
        super().__init__(is_server)

    def decode(self, frame: bytes) -> ModbusPDU:
        """Return the answer in a frame: function code and what follows it."""
        return Answer(frame)


def _payload(answer: Answer, block: Block, unit_id: int, *, is_numbered: bool) -> bytes:
    """Return the register bytes or packed bits of an answer that fits the request.

    Raises:
        ImpossibleAnswerError: unit, function or length do not fit, or it bears no number.
        RefusedBlockError: exception 1, 2 or 3.
        LinkLostError: another exception.

    """
    frame, code = answer.frame, FUNCTION_CODES[block.table]
    # pymodbus lets transaction 0 pass for any other: such an answer may belong to another request.
    if answer.dev_id != unit_id or (is_numbered and not answer.transaction_id):
        raise ImpossibleAnswerError(
            f"unit {unit_id}: answered as unit {answer.dev_id}, transaction {answer.transaction_id}"
        )
    if frame[0] == code | EXCEPTION and len(frame) == 2:
        raise _exception(frame[1], block, unit_id)
    size = -(-block.count // 8) if block.table in BIT_TABLES else 2 * block.count
    if frame[0] != code or len(frame) != size + 2 or frame[1] != size:
        raise ImpossibleAnswerError(
            f"unit {unit_id}: function {frame[0]} with {len(frame) - 1} bytes, must be {code} "
            f"with {size + 1}"
        )
    return frame[2:]


def _exception(code: int, block: Block, unit_id: int) -> Exception:
    """Return what an exception code means for the poll."""
    if code in REFUSALS:
        return RefusedBlockError(block, code)
    if code in BUSY:
        return DeviceBusyError(f"unit {unit_id}: exception {code} ({BUSY[code]})")
    if code in GATEWAY:
        return LinkLostError(f"unit {unit_id}: exception {code} ({GATEWAY[code]})")
    return DeviceFailureError(f"unit {unit_id}: exception {code}")
