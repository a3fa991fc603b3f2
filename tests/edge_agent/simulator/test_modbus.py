"""The plant is served over real Modbus TCP, and its record says exactly what was answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ExceptionResponse

from edge_agent.clock import Instant, SystemClock
from edge_agent.errors import OperatorError
from edge_agent.simulator.fault import Fault, FaultRates
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.record import record_in
from edge_agent.simulator.service import (
    MAX_DEVICES,
    SimulatorSettings,
    plant_analyzers,
    simulate,
)

SETTINGS = SimulatorSettings(port=0)
LATE_FIRST = next(
    seed
    for seed in range(100)
    if [
        FaultRates.parse("late=0.5").of(seed * MAX_DEVICES, "stack-1", request)
        for request in (1, 2, 3)
    ]
    == [Fault.LATE, None, None]
)
COUNT = 44  # holding registers 0 to 43: values, status words, poll counter


@asynccontextmanager
async def plant(
    settings: SimulatorSettings = SETTINGS, *, started_before_s: float = 0.0
) -> AsyncIterator[tuple[AsyncModbusTcpClient, Plant]]:
    """Yield a client of the first device of a plant that has run for a while."""
    clock = SystemClock()
    started_ns = clock.now().utc_ns - round(started_before_s * 1e9)
    with record_in(settings.log) as record:
        devices = plant_analyzers(settings, record=record, started_ns=started_ns)
        async with serving(devices, host="127.0.0.1", port=0, clock=clock) as ports:
            client = AsyncModbusTcpClient(
                "127.0.0.1", port=ports[0], timeout=0.3, retries=0, reconnect_delay=0
            )
            assert await client.connect()
            try:
                yield client, devices[0].plant
            finally:
                client.close()


async def registers(client: AsyncModbusTcpClient) -> Sequence[int]:
    """Return holding registers 0 to 43."""
    answer = await client.read_holding_registers(0, count=COUNT, device_id=1)
    assert not answer.isError(), answer
    return answer.registers


def lines(path: Path) -> list[dict[str, object]]:
    """Return a record."""
    return [json.loads(line) for line in path.read_text().splitlines()]


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


if TYPE_CHECKING:
    from pymodbus.pdu import ModbusPDU

    Ask = Callable[[AsyncModbusTcpClient], Awaitable[ModbusPDU]]


def write_register(client: AsyncModbusTcpClient) -> "Awaitable[ModbusPDU]":
    return client.write_register(0, 1, device_id=1)


def write_registers(client: AsyncModbusTcpClient) -> "Awaitable[ModbusPDU]":
    return client.write_registers(0, [1, 2], device_id=1)


def write_coils(client: AsyncModbusTcpClient) -> "Awaitable[ModbusPDU]":
    return client.write_coils(0, [True], device_id=1)


def read_past_the_end(client: AsyncModbusTcpClient) -> "Awaitable[ModbusPDU]":
    return client.read_holding_registers(0, count=45, device_id=1)


def read_behind_the_end(client: AsyncModbusTcpClient) -> "Awaitable[ModbusPDU]":
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
    tmp_path: Path, ask: "Ask", code: int
) -> None:
    log = tmp_path / "served.jsonl"
    async with plant(replace(SETTINGS, log=log)) as (client, _):
        answer = await ask(client)
        assert isinstance(answer, ExceptionResponse)
        assert answer.exception_code == code
    assert lines(log) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", [Fault.SILENT, Fault.DROP, Fault.LATE])
async def test_a_fault_gives_no_answer_in_time_and_a_dropped_one_is_not_noted(
    tmp_path: Path, fault: Fault
) -> None:
    log = tmp_path / "served.jsonl"
    settings = replace(SETTINGS, log=log, faults=FaultRates(rates=((fault, 1.0),)))
    async with plant(settings) as (client, _):
        with pytest.raises(ModbusIOException):
            await registers(client)
        assert client.connected == (fault is not Fault.DROP)
    assert lines(log) == []


@pytest.mark.asyncio
async def test_a_late_answer_belongs_to_the_poll_that_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.simulator.modbus.LATE_S", 0.4)
    log = tmp_path / "served.jsonl"
    # The seed is one with which the first request is late and the next two are not.
    settings = replace(SETTINGS, log=log, seed=LATE_FIRST, faults=FaultRates.parse("late=0.5"))
    async with plant(settings) as (client, _):
        late = asyncio.Event()
        client.ctx.trace_packet = seen(late)
        with pytest.raises(ModbusIOException):
            await registers(client)
        assert (await registers(client))[-1] == 2
        async with asyncio.timeout(5):
            await late.wait()
    assert [line["poll"] for line in lines(log)] == [2, 1]


def seen(late: asyncio.Event) -> Callable[[bool, bytes], bytes]:
    """Return a witness of packets that sets `late` when an answer to transaction 1 arrives."""

    def witness(is_sending: bool, packet: bytes) -> bytes:  # noqa: FBT001 - pymodbus' signature
        if not is_sending and packet[:2] == b"\x00\x01":
            late.set()
        return packet

    return witness


@pytest.mark.asyncio
async def test_nobody_answers_for_a_unit_that_is_not_there() -> None:
    async with plant() as (client, _):
        with pytest.raises(ModbusIOException):
            await client.read_holding_registers(0, count=1, device_id=2)


@pytest.mark.asyncio
async def test_a_busy_device_says_so() -> None:
    faults = FaultRates.parse("busy=1")
    async with plant(replace(SETTINGS, faults=faults)) as (client, _):
        answer = await client.read_holding_registers(0, count=1, device_id=1)
        assert isinstance(answer, ExceptionResponse)
        assert answer.exception_code == 6


@pytest.mark.asyncio
async def test_in_the_failure_scenario_the_device_falls_silent() -> None:
    settings = replace(SETTINGS, scenario=Scenario.FAILURE)
    async with plant(settings, started_before_s=92.0) as (client, _):
        with pytest.raises(ModbusIOException):
            await registers(client)
    async with plant(settings, started_before_s=40.0) as (client, _):
        assert (await registers(client))[40] == 1


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


@pytest.mark.parametrize("wrong", [{"device_count": 0}, {"device_count": 201}, {"port": 65_536}])
def test_settings_beyond_their_bounds_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"device|port"):
        replace(SETTINGS, **wrong)  # type: ignore[arg-type] # checked by the constructor


RATES = [
    ("late=0.5,drop=0.6", "together at most 1"),
    ("silent=-1", "fractions"),
    ("x=1", "no fault"),
]


@pytest.mark.parametrize(("text", "words"), RATES)
def test_fault_rates_that_mean_nothing_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FaultRates.parse(text)


def test_faults_strike_as_often_as_asked_and_the_same_way_again() -> None:
    rates = FaultRates.parse("late=0.1,drop=0.02")
    struck = [rates.of(7, "stack-1", request) for request in range(10_000)]
    assert struck == [rates.of(7, "stack-1", request) for request in range(10_000)]
    assert 900 < struck.count(Fault.LATE) < 1100
    assert 150 < struck.count(Fault.DROP) < 250
    assert FaultRates.parse("").of(7, "stack-1", 1) is None
