"""A look at a device behind a broker, beside the agent that goes on hearing it."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from edge_agent.drivers.mqtt import connect
from edge_agent.technician.looking import looked, widened
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE
from tests.conformance.driver.broker import LIMIT_S, MOSQUITTO, Broker, Publisher, publishing
from tests.conformance.driver.mqtt import CLOCK, GAS, STACK, bits, device, gas, heard, only_scan


async def said_for_ever(one: Publisher) -> None:
    while True:
        await one.say(GAS, gas(7))
        await one.say(STACK, '{"on": true}')
        await asyncio.sleep(0.05)


@pytest.mark.asyncio
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages")
async def test_a_look_takes_nothing_from_the_agent_and_leaves_no_session_behind(
    tmp_path: Path,
) -> None:
    async with Broker(tmp_path) as broker, publishing(broker.port) as one:
        agents = device(broker.port)
        async with connect([agents], CLOCK) as connection:
            async with asyncio.TaskGroup() as tasks:
                saying = tasks.create_task(said_for_ever(one))
                look = await looked(agents, count=1, clock=CLOCK)
                saying.cancel()
            assert {bits(7)} == {
                scan.raw.tolist()[0] for scan in look.scans if len(scan.channel) == 2
            }
            await one.say(GAS, gas(8))
            found = await heard(connection.listen, 3)
            assert all(delivery.is_new for delivery in found)
            assert only_scan(found[0]).raw.tolist()[0] == bits(7)
        await one.say(GAS, gas(9))
        again = await looked(agents, count=1, clock=CLOCK)
        assert again.scans == ()
        # What was said while nobody was there waits for the agent alone.
        async with connect([agents], CLOCK) as connection:
            kept: set[int] = set()
            async with asyncio.timeout(LIMIT_S):
                while bits(9) not in kept:
                    deliveries = await heard(connection.listen, 1)
                    kept |= {only_scan(delivery).raw.tolist()[0] for delivery in deliveries}


def test_parts_of_a_device_are_put_together_as_they_came() -> None:
    parts = [
        scan_of_part([1, 3], [10, 30]),
        scan_of_part([2], [20]),
        scan_of_part([1, 3], [11, 31]),
    ]
    whole = widened(parts, device(1))
    assert [scan.raw.tolist() for scan in whole] == [[10, 0, 30], [10, 20, 30], [11, 20, 31]]
    assert [scan.transport.tolist() for scan in whole] == [[0, NO_VALUE, 0], [0, 0, 0], [0, 0, 0]]


def scan_of_part(channels: list[int], raw: list[int]) -> Scan:
    zeros = np.zeros(len(raw), np.uint32)
    return Scan(
        device="analyzer",
        at_ns=0,
        mono_ns=0,
        channel=np.array(channels, np.uint32),
        raw=np.array(raw, np.int64),
        status=zeros,
        transport=zeros,
    )
