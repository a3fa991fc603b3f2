"""The MQTT driver under the poller: silence is a gap, and a broker that comes back ends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge_agent.drivers.mqtt import connect
from tests.conformance.driver.broker import MOSQUITTO, Broker, publishing
from tests.conformance.driver.intake import polling
from tests.conformance.driver.mqtt import CLOCK, GAS, STACK, device, gas

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages"),
]
PAUSE_NS = 50_000_000


@asynccontextmanager
async def speaking(port: int) -> AsyncIterator[None]:
    """Be a device that speaks ten times in its period, for as long as the block lasts."""

    async def speak() -> None:
        async with publishing(port) as one:
            while True:
                await one.say(GAS, gas())
                await one.say(STACK, '{"on": true}')
                await CLOCK.sleep_until(CLOCK.now().mono_ns + PAUSE_NS)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(speak())
        yield
        task.cancel()


async def test_a_device_that_speaks_has_no_gap(broker: Broker) -> None:
    async with speaking(broker.port), polling(connect, device(broker.port)) as intake:
        await intake.until(lambda: len(intake.scans) >= 40)
        assert intake.gaps() == []


async def test_a_device_that_is_silent_has_a_gap_until_it_speaks(broker: Broker) -> None:
    async with polling(connect, device(broker.port)) as intake:
        await intake.until(lambda: intake.gaps() == [("open", "no_answer")])
        async with speaking(broker.port):
            await intake.until(lambda: len(intake.events) >= 2)
    assert intake.gaps()[:2] == [("open", "no_answer"), ("closed", "no_answer")]


async def test_a_broker_that_restarts_is_a_gap_that_ends(broker: Broker) -> None:
    async with polling(connect, device(broker.port)) as intake:
        async with speaking(broker.port):
            await intake.until(lambda: len(intake.scans) >= 4)
        await broker.kill()
        count = len(intake.scans)
        await intake.until(lambda: any(state == "open" for state, _ in intake.gaps()))
        await broker.start()
        async with speaking(broker.port):
            await intake.until(lambda: len(intake.scans) >= count + 4)
            await intake.until(lambda: intake.gaps()[-1][0] == "closed")
    states = [state for state, _ in intake.gaps()]
    assert states.count("open") == states.count("closed")
