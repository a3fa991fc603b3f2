"""The plant's Bayern-Hessen analyzers: the agent's driver reads what they indicate."""

import struct
from contextlib import AsyncExitStack

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.bayern_hessen import BayernHessenSpeech, Value
from edge_agent.drivers.base import LinkLostError
from edge_agent.drivers.bayern_hessen import connect
from edge_agent.errors import OperatorError
from edge_agent.simulator.bayern_hessen import bayern_hessen, serving
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.service import PROFILE, PROFILES
from edge_agent.simulator.shipped import shipped
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio

CLOCK = SystemClock()
FAILED = 1 << 1
ZERO = 1 << 10
SPAN = 1 << 11


def device(port: int) -> Device:
    return Device(
        name="stack-1",
        protocol="bayern_hessen",
        endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
        speech=BayernHessenSpeech(address=1, values=5),
        period_s=10,
        timeout_s=0.3,
        points=tuple(
            Point(channel=n, place=Value(number=n), raw_type="float64", status=None)
            for n in range(1, 6)
        ),
        channels=(),
        limits=(),
        status_rules=(),
    )


def instrument(plant: Plant, profile: str = PROFILES["bayern_hessen"]) -> Instrument:
    return Instrument(name="stack-1", plant=plant, profile=shipped(profile))


def at_the_first(scenario: Scenario, status: int) -> Plant:
    """Return a plant that is now where its analyzers say a status for the first time."""
    now_ns = CLOCK.now().utc_ns
    plant = Plant(seed=1, scenario=scenario, started_ns=now_ns)

    def says(at_ns: int) -> bool:
        said = plant.indicated(at_ns)
        word = FAILED if said.has_failed else 0
        word |= {"zero_check": ZERO, "span_check": SPAN}.get(said.phase.value, 0)
        return word == status and not plant.is_silent(at_ns)

    first_ns = next(ns for ns in range(now_ns, now_ns + 86_400 * NS_PER_S, NS_PER_S) if says(ns))
    return Plant(seed=1, scenario=scenario, started_ns=2 * now_ns - first_ns - NS_PER_S)


@pytest.mark.parametrize(
    ("scenario", "status"),
    [
        (Scenario.NORMAL, 0),
        (Scenario.EXCEEDANCE, 0),
        (Scenario.FAILURE, FAILED),
        (Scenario.DRIFT, ZERO),
        (Scenario.DRIFT, SPAN),
    ],
)
async def test_the_agent_reads_what_the_analyzers_indicate(scenario: Scenario, status: int) -> None:
    plant = at_the_first(scenario, status)
    async with AsyncExitStack() as stack:
        both = [instrument(plant), instrument(plant)]
        served = bayern_hessen(both, host="127.0.0.1", port=0, clock=CLOCK)
        _, port = await stack.enter_async_context(served)
        connection = await stack.enter_async_context(connect([device(port)], CLOCK))
        scan = await scan_of(connection.drivers[0])
    assert scan.status.tolist() == [status] * 5
    said = plant.indicated(scan.at_ns).values
    for raw, parameter in zip(scan.raw, ("NOx", "SO2", "CO", "O2", "CO2"), strict=True):
        (value,) = struct.unpack("<d", raw.tobytes())
        assert value == pytest.approx(said[parameter], rel=0.2, abs=5)


async def test_a_silent_analyzer_does_not_answer() -> None:
    now_ns = CLOCK.now().utc_ns
    plant = Plant(seed=1, scenario=Scenario.FAILURE, started_ns=now_ns)
    silent_ns = next(
        ns for ns in range(now_ns, now_ns + 86_400 * NS_PER_S, NS_PER_S) if plant.is_silent(ns)
    )
    plant = Plant(seed=1, scenario=Scenario.FAILURE, started_ns=2 * now_ns - silent_ns - NS_PER_S)
    async with AsyncExitStack() as stack:
        served = bayern_hessen([instrument(plant)], host="127.0.0.1", port=0, clock=CLOCK)
        (port,) = await stack.enter_async_context(served)
        connection = await stack.enter_async_context(connect([device(port)], CLOCK))
        with pytest.raises(LinkLostError, match="no answer within"):
            await scan_of(connection.drivers[0])


async def test_a_port_in_use_is_told() -> None:
    plant = Plant(seed=1, scenario=Scenario.NORMAL, started_ns=0)
    one = instrument(plant)
    async with bayern_hessen([one], host="127.0.0.1", port=0, clock=CLOCK) as (port,):
        with pytest.raises(OperatorError, match="Choose another with --port"):
            async with bayern_hessen([one], host="127.0.0.1", port=port, clock=CLOCK):
                pytest.fail("two servers at one port")


async def test_only_a_profile_of_the_protocol_is_served() -> None:
    plant = Plant(seed=1, scenario=Scenario.NORMAL, started_ns=0)
    with pytest.raises(TypeError, match="no profile of a Bayern-Hessen instrument"):
        async with serving(instrument(plant, PROFILE), host="127.0.0.1", port=0, clock=CLOCK):
            pytest.fail("served")
