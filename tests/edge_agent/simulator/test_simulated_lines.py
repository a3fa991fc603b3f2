"""Simulated devices on lines: RTU over TCP, and serial over a pseudo terminal."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.resolve import device_of
from edge_agent.drivers.base import LinkLostError
from edge_agent.simulator.fault import Fault, FaultRates
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.service import MAX_DEVICES, Line, SimulatorSettings, Where, simulate
from edge_agent.simulator.site import Site
from tests.edge_agent.simulator.served_profile import (
    CLOCK,
    PROFILES,
    StandingClock,
    assert_value,
    confirmed,
    read_by_the_agent,
    settings_of,
)

pytestmark = pytest.mark.asyncio

# A pseudo terminal has no parity (Linux refuses to set one).
LINE = SerialLine(baud=19_200, parity=Parity.NONE)
KINDS = [
    ("sick/scu-p100", Line.RTU, 17),
    ("sick/gm32", Line.SERIAL, 3),
    ("acoem/serinus-40", Line.SERIAL, 40),
    ("emissionwatch/simulated-dnp3", Line.SERIAL, 12),
    ("emissionwatch/simulated-bh", Line.TCP, 1),
]


@asynccontextmanager
async def simulated(settings: SimulatorSettings, at_ns: int) -> AsyncIterator[Sequence[Where]]:
    """Simulate as the command does, with the wall clock standing; yields where devices are."""
    ready: asyncio.Future[Sequence[Where]] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        clock = StandingClock(at_ns)
        task = group.create_task(simulate(settings, ready=ready.set_result, clock=clock))
        yield await ready
        task.cancel()


def on_the_line(settings: DeviceSettings, line: Line, where: Where, number: int) -> DeviceSettings:
    """Return the file of the same device on a line."""
    if line is Line.SERIAL:
        settings = replace(settings, endpoint=f"serial://{where}", serial=LINE)
    elif line is Line.RTU:
        settings = replace(settings, endpoint=f"rtu+tcp://127.0.0.1:{where}")
    if settings.bayern_hessen is not None:
        own = replace(settings.bayern_hessen, address=number)
        return replace(settings, bayern_hessen=own)
    if settings.dnp3 is not None:
        return replace(settings, dnp3=replace(settings.dnp3, address=number))
    return replace(settings, unit_id=number)


@pytest.mark.parametrize(("profile", "line", "number"), KINDS)
async def test_the_agent_reads_a_device_on_its_line(profile: str, line: Line, number: int) -> None:
    loaded = next(one for one in PROFILES if one.profile.id == profile)
    at_ns = CLOCK.now().utc_ns
    site = replace(confirmed(loaded.profile), number=number)
    settings = SimulatorSettings(
        protocol=loaded.profile.protocol,
        profile=loaded.profile,
        port=0,
        device_count=2,
        site=site,
        line=line,
    )
    plant = Plant(seed=MAX_DEVICES + 1, scenario=Scenario.NORMAL, started_ns=at_ns)
    second = Instrument(name="stack-2", plant=plant, profile=loaded.profile, site=site)
    async with simulated(settings, at_ns) as where:
        assert len(set(where)) == 2
        port = where[1] if isinstance(where[1], int) else 1
        file = on_the_line(settings_of(second, port), line, where[1], number)
        read = await read_by_the_agent(device_of(file, loaded, facility="plant"))
    expected = second.values(plant.indicated(at_ns), at_ns)
    for name, one in read.items():
        assert_value(second, name, one, expected[name])


async def test_a_serial_device_that_drops_its_connection_answers_again() -> None:
    loaded = next(one for one in PROFILES if one.profile.id == "suto/s430")
    drops = next(
        seed
        for seed in range(100)
        if [
            FaultRates.parse("drop=0.5").of(seed * MAX_DEVICES, "stack-1", request)
            for request in (1, 2, 3, 4)
        ]
        == [Fault.DROP, None, None, None]
    )
    settings = SimulatorSettings(
        profile=loaded.profile,
        seed=drops,
        site=Site(),
        line=Line.SERIAL,
        faults=FaultRates.parse("drop=0.5"),
    )
    at_ns = CLOCK.now().utc_ns
    plant = Plant(seed=drops * MAX_DEVICES, scenario=Scenario.NORMAL, started_ns=at_ns)
    one = Instrument(name="stack-1", plant=plant, profile=loaded.profile)
    async with simulated(settings, at_ns) as (path,):
        file = on_the_line(settings_of(one, 1), Line.SERIAL, path, 1)
        device = device_of(replace(file, timeout_s=0.3), loaded, facility="plant")
        with pytest.raises(LinkLostError, match="no answer within"):
            await read_by_the_agent(device)
        read = await read_by_the_agent(device)
    assert set(read) == set(one.points)
