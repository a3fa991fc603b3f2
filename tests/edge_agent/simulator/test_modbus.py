"""The plant is served over real Modbus TCP, and its record says exactly what was answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ExceptionResponse, ModbusPDU

from edge_agent.clock import Instant, SystemClock
from edge_agent.errors import OperatorError
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.record import record_in
from edge_agent.simulator.service import SimulatorSettings, plant_analyzers, simulate
from tests.edge_agent.simulator.served_plant import COUNT, SETTINGS, lines, plant, registers


@pytest.mark.asyncio
async def test_what_is_answered_stands_in_the_record_already(tmp_path: Path) -> None:
    log = tmp_path / "served.jsonl"
    async with plant(replace(SETTINGS, log=log)) as (client, _):
        for poll in range(1, 4):
            bits = (await client.read_discrete_inputs(0, count=1, device_id=1)).bits
            words = await registers(client)
            first, second = lines(log)[-2:]
            assert (first["poll"], first["table"], first["registers"]) == (
                poll,
                "discrete",
                [1] + 15 * [0],
            )
            assert bits[0]
            assert (second["poll"], second["table"], second["registers"]) == (
                poll,
                "holding",
                words,
            )
            assert words[-2:] == [0, poll]


@pytest.mark.asyncio
async def test_asking_again_for_an_address_begins_the_next_poll() -> None:
    async with plant() as (client, _):
        seen = []
        for address, count in [(42, 2), (0, 10), (20, 5), (42, 2), (0, 10), (0, 44), (42, 2)]:
            answer = await client.read_holding_registers(address, count=count, device_id=1)
            seen.append(answer.registers[-1] if address + count == COUNT else None)
        assert seen == [1, None, None, 2, None, 3, 4]


@pytest.mark.asyncio
async def test_devices_have_ports_stacks_and_counters_of_their_own(tmp_path: Path) -> None:
    log, ready = tmp_path / "served.jsonl", asyncio.get_running_loop().create_future()
    settings = replace(SETTINGS, device_count=2, log=log)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(simulate(settings, ready=ready.set_result))
        ports: Sequence[int] = await ready
        answers = []
        for port in ports:
            client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2)
            assert await client.connect()
            answers.append(await registers(client))
            client.close()
        task.cancel()
    assert answers[0][:10] != answers[1][:10]
    assert [answer[-1] for answer in answers] == [1, 1]
    assert [line["device"] for line in lines(log)] == ["stack-1", "stack-2"]


Ask: TypeAlias = Callable[[AsyncModbusTcpClient], Awaitable[ModbusPDU]]


def write_register(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
    return client.write_register(0, 1, device_id=1)


def write_registers(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
    return client.write_registers(0, [1, 2], device_id=1)


def write_coils(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
    return client.write_coils(0, [True], device_id=1)


def read_past_the_end(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
    return client.read_holding_registers(0, count=45, device_id=1)


def read_behind_the_end(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
    return client.read_holding_registers(44, count=1, device_id=1)


# Modbus Application Protocol V1.1b3, section 7: 1 illegal function, 2 illegal data address.
REFUSED = [
    (write_register, 1),
    (write_registers, 1),
    (write_coils, 1),
    (read_past_the_end, 2),
    (read_behind_the_end, 2),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("ask", "code"), REFUSED)
async def test_writes_and_unknown_addresses_are_refused(
    tmp_path: Path, ask: Ask, code: int
) -> None:
    log = tmp_path / "served.jsonl"
    async with plant(replace(SETTINGS, log=log)) as (client, _):
        answer = await ask(client)
        assert isinstance(answer, ExceptionResponse)
        assert answer.exception_code == code
    assert lines(log) == []


@pytest.mark.asyncio
async def test_nobody_answers_for_a_unit_that_is_not_there() -> None:
    async with plant() as (client, _):
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(0, count=1, device_id=2)


class StoppedClock(SystemClock):
    """A clock that stands still."""

    def now(self) -> Instant:
        """Return the same moment, always."""
        return Instant(utc_ns=1_795_000_000_000_000_000, mono_ns=1)


@pytest.mark.asyncio
async def test_the_same_seed_at_the_same_time_serves_the_same_words() -> None:
    clock, served = StoppedClock(), []
    for _ in range(2):
        with record_in(None) as record:
            started_ns = clock.now().utc_ns
            devices = plant_analyzers(SETTINGS, record=record, started_ns=started_ns)
            async with serving(devices, host="127.0.0.1", port=0, clock=clock) as ports:
                client = AsyncModbusTcpClient("127.0.0.1", port=ports[0], timeout=2)
                assert await client.connect()
                served.append(await registers(client))
                client.close()
    assert served[0] == served[1]


@pytest.mark.asyncio
async def test_a_port_in_use_is_told_with_a_remedy() -> None:
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OperatorError, match=f"{port}: cannot listen there"):
            await simulate(replace(SETTINGS, port=port), ready=lambda _: None)


@pytest.mark.asyncio
async def test_a_record_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    settings = replace(SETTINGS, log=tmp_path / "no" / "file")
    with pytest.raises(OperatorError, match="No such file"):
        await simulate(settings, ready=lambda _: None)


@pytest.mark.parametrize(("device_count", "port"), [(0, 0), (201, 0), (1, 65_536)])
def test_settings_beyond_their_bounds_are_refused(device_count: int, port: int) -> None:
    with pytest.raises(ValueError, match=r"device|port"):
        SimulatorSettings(device_count=device_count, port=port)
