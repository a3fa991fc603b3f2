"""The plant as an OPC UA server: the agent's driver reads what its analyzers indicate."""

from importlib.resources import files

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.library import SHIPPED, LoadedProfile, load_profile
from edge_agent.config.resolve import device_of
from edge_agent.drivers.opcua import connect
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.opcua import BAD_SENSOR_FAILURE, opcua
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.service import PROFILES
from edge_agent.wire.engineering import Scaling
from tests.conformance.driver.subject import scan_of

pytestmark = [pytest.mark.asyncio, pytest.mark.filterwarnings("default::DeprecationWarning")]

CLOCK = SystemClock()


def shipped() -> LoadedProfile:
    name = PROFILES["opcua"]
    loaded = load_profile(files(SHIPPED) / f"{name}.toml", name)
    assert isinstance(loaded, LoadedProfile)
    return loaded


def device(port: int) -> Device:
    loaded = shipped()
    settings = DeviceSettings(
        name="stack-1",
        profile=loaded.profile.id,
        endpoint=f"opc.tcp://127.0.0.1:{port}",
        period_s=10,
        timeout_s=5,
        channels=tuple(
            ChannelSettings(number=number, point=name, name=name)
            for number, name in enumerate(loaded.profile.points, 1)
        ),
    )
    return device_of(settings, loaded, facility="F")


def instrument(plant: Plant) -> Instrument:
    return Instrument(name="stack-1", plant=plant, profile=shipped().profile)


async def test_the_agent_reads_what_the_analyzers_indicate() -> None:
    plant = Plant(seed=1, scenario=Scenario.NORMAL, started_ns=CLOCK.now().utc_ns - 60 * NS_PER_S)
    async with opcua([instrument(plant)], host="127.0.0.1", port=0, clock=CLOCK) as (port,):
        one = device(port)
        async with connect([one], CLOCK) as connection:
            before_ns = CLOCK.now().utc_ns
            scan = await scan_of(connection.drivers[0])
    assert not scan.transport.any()
    integers, is_number = Scaling(one.channels).integers(scan.raw)
    assert is_number.all()
    points = list(shipped().profile.points.values())
    said = plant.indicated(before_ns).values
    for point, integer in zip(points, integers.tolist(), strict=True):
        expected = said.get(point.parameter or "", 0.0)
        assert integer * float(point.resolution) == pytest.approx(expected, rel=0.2, abs=5)


async def test_a_failure_of_the_analyzer_is_a_bad_status_code_of_its_gases() -> None:
    started_ns = CLOCK.now().utc_ns
    plant = Plant(seed=1, scenario=Scenario.FAILURE, started_ns=started_ns)
    failed_ns = next(
        at_ns
        for at_ns in range(started_ns, started_ns + 86_400 * NS_PER_S, NS_PER_S)
        if plant.indicated(at_ns).has_failed and not plant.is_silent(at_ns)
    )
    plant = Plant(seed=1, scenario=Scenario.FAILURE, started_ns=2 * started_ns - failed_ns)
    async with opcua([instrument(plant)], host="127.0.0.1", port=0, clock=CLOCK) as (port,):
        one = device(port)
        async with connect([one], CLOCK) as connection:
            scan = await scan_of(connection.drivers[0])
    codes = dict(zip(shipped().profile.points, scan.status.tolist(), strict=True))
    assert codes["nox_ppm"] == BAD_SENSOR_FAILURE
    assert codes["load_mw"] == 0
