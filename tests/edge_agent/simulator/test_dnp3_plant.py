"""The plant as a DNP3 outstation: the agent's driver reads what its analyzers indicate."""

import asyncio
import struct
from dataclasses import replace
from importlib.resources import files
from itertools import pairwise

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.library import SHIPPED, LoadedProfile, load_profile
from edge_agent.config.protocols.dnp3 import Events
from edge_agent.config.protocols.dnp3_profile import Dnp3Profile
from edge_agent.config.protocols.dnp3_settings import Dnp3Settings
from edge_agent.config.resolve import device_of
from edge_agent.drivers.base import LinkLostError
from edge_agent.drivers.dnp3 import connect
from edge_agent.errors import OperatorError
from edge_agent.simulator.dnp3 import dnp3, follow, serving
from edge_agent.simulator.dnp3_outstation import Outstation
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.plant import SILENT_S, Plant, Scenario
from edge_agent.simulator.service import PROFILES
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.vocabulary import QualityClass, Reason
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio
CLOCK = SystemClock()
PROFILE = PROFILES["dnp3"]


def shipped() -> LoadedProfile:
    loaded = load_profile(files(SHIPPED) / f"{PROFILE}.toml", PROFILE)
    assert isinstance(loaded, LoadedProfile)
    return loaded


def device(port: int) -> Device:
    loaded = shipped()
    settings = DeviceSettings(
        name="stack-1",
        profile=loaded.profile.id,
        endpoint=f"tcp://127.0.0.1:{port}",
        dnp3=Dnp3Settings(address=10, events=Events.UNSOLICITED),
        channels=tuple(
            ChannelSettings(number=number, point=name, name=name)
            for number, name in enumerate(loaded.profile.points, 1)
        ),
    )
    return device_of(settings, loaded, facility="F")


def instrument(scenario: Scenario, since_s: float) -> Instrument:
    started_ns = CLOCK.now().utc_ns - round(since_s * NS_PER_S)
    plant = Plant(seed=1, scenario=scenario, started_ns=started_ns)
    return Instrument(name="stack-1", plant=plant, profile=shipped().profile)


async def test_the_agent_reads_what_the_analyzers_indicate() -> None:
    own = instrument(Scenario.NORMAL, 60)
    async with dnp3([own], host="127.0.0.1", port=0, clock=CLOCK) as (port,):
        one = device(port)
        async with connect([one], CLOCK) as connection:
            before_ns = CLOCK.now().utc_ns
            scan = await scan_of(connection.drivers[0])
    assert not scan.transport.any()
    integers, is_number = Scaling(one.channels).integers(scan.raw)
    assert is_number.all()
    points = list(shipped().profile.points.values())
    said = own.plant.indicated(before_ns).values
    for point, integer in zip(points, integers.tolist(), strict=True):
        expected = said.get(point.parameter or "", 0.0)
        assert integer * float(point.resolution) == pytest.approx(expected, rel=0.2, abs=5)


async def test_a_failure_of_the_analyzer_takes_its_gases_off_line() -> None:
    own = instrument(Scenario.FAILURE, 40)
    async with (
        dnp3([own], host="127.0.0.1", port=0, clock=CLOCK) as (port,),
        connect([device(port)], CLOCK) as connection,
    ):
        scan = await scan_of(connection.drivers[0])
    transport = dict(zip(shipped().profile.points, scan.transport.tolist(), strict=True))
    assert transport["nox_ppm"] == QualityClass.FAILURE | Reason.DEVICE_FAULT
    assert transport["load_mw"] == 0


async def test_a_device_that_is_silent_says_nothing() -> None:
    own = instrument(Scenario.FAILURE, SILENT_S[0] + 1)
    async with (
        dnp3([own], host="127.0.0.1", port=0, clock=CLOCK) as (port,),
        connect([device(port)], CLOCK) as connection,
    ):
        await asyncio.sleep(0.6)
        with pytest.raises(LinkLostError):
            await connection.drivers[0].read()


async def test_what_moves_far_enough_is_an_event_with_its_time() -> None:
    profile, own, outstation = shipped().profile, instrument(Scenario.NORMAL, 0), Outstation()
    assert isinstance(profile, Dnp3Profile)
    first_ns = CLOCK.now().utc_ns
    follow(own, outstation, first_ns)
    assert not outstation.events
    for second in range(1, 1800):
        follow(own, outstation, first_ns + second * NS_PER_S)
    events = list(outstation.events)
    assert {event.index for event in events} >= {0, 5}
    nox = profile.points["nox_ppm"]
    values = [event.value for event in events if (event.kind, event.index) == (nox.object, 0)]
    steps = [abs(b - a) for a, b in pairwise(values)]
    assert min(steps) >= 100 * float(nox.resolution)
    assert all(event.at_ms for event in events)
    last = events[-1]
    at_ns = (last.at_ms or 0) * 10**6
    said = own.plant.indicated(at_ns + first_ns % 10**6).values
    assert struct.pack("<f", last.value) in [struct.pack("<f", value) for value in said.values()]


async def test_a_port_in_use_is_told() -> None:
    own = [instrument(Scenario.NORMAL, 0)]
    async with dnp3(own, host="127.0.0.1", port=0, clock=CLOCK) as (port,):
        with pytest.raises(OperatorError, match=f"port {port}: "):
            async with dnp3(own, host="127.0.0.1", port=port, clock=CLOCK):
                pytest.fail("listened twice")


async def test_a_profile_of_another_protocol_is_a_mistake_of_ours() -> None:
    other = "emissionwatch/simulated-opcua"
    another = load_profile(files(SHIPPED) / f"{other}.toml", other)
    assert isinstance(another, LoadedProfile)
    own = instrument(Scenario.NORMAL, 0)
    served = serving(replace(own, profile=another.profile), host="127.0.0.1", port=0, clock=CLOCK)
    with pytest.raises(TypeError, match="is no profile of a DNP3 outstation"):
        async with served:
            pytest.fail("served it")
