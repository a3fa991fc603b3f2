"""Faults of a served device: what a client sees of each, and how often they strike."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ExceptionResponse

from edge_agent.simulator.fault import Fault, FaultRates
from edge_agent.simulator.plant import Scenario
from edge_agent.simulator.service import MAX_DEVICES
from tests.edge_agent.simulator.served_plant import SETTINGS, lines, plant, registers

LATE_FIRST = next(
    seed
    for seed in range(100)
    if [
        FaultRates.parse("late=0.5").of(seed * MAX_DEVICES, "stack-1", request)
        for request in (1, 2, 3)
    ]
    == [Fault.LATE, None, None]
)


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
