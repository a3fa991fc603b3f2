"""Half an hour of polls and events in five seconds, over connections that break: all is there."""

import asyncio
import random
from dataclasses import dataclass, field, replace

import pytest

from edge_agent.clock import NS_PER_S, Instant, SystemClock
from edge_agent.config.protocols.dnp3 import Events
from edge_agent.drivers.base import Delivery
from edge_agent.drivers.dnp3 import connect
from edge_agent.drivers.poller import poll
from edge_agent.simulator.dnp3_server import listening
from tests.conformance.driver.intake import Intake
from tests.conformance.driver.outstation import ADDRESS, bits, device, filled, only_scan, state

pytestmark = pytest.mark.asyncio
FASTER = 360
HOUR_S = 1_800
PERIOD_S = 60.0


class Fast(SystemClock):
    """The system's clocks, so many times faster from now on."""

    def __init__(self) -> None:
        self._since = super().now()

    def now(self) -> Instant:
        passed_ns = (super().now().mono_ns - self._since.mono_ns) * FASTER
        since = self._since
        return Instant(utc_ns=since.utc_ns + passed_ns, mono_ns=since.mono_ns + passed_ns)

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - self.now().mono_ns) / FASTER / NS_PER_S)

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        left_s = None
        if until_mono_ns is not None:
            left_s = (until_mono_ns - self.now().mono_ns) / FASTER / NS_PER_S
        try:
            async with asyncio.timeout(left_s):
                await event.wait()
        except TimeoutError:
            return


@dataclass
class Remembering(Intake):
    """Takes a delivery once, as the real intake does."""

    marks: set[bytes] = field(default_factory=set)
    delivered: list[Delivery] = field(default_factory=list)
    again: int = 0

    def deliver(self, delivery: Delivery) -> None:
        """Keep a delivery that is new."""
        if delivery.mark in self.marks and not delivery.is_new:
            self.again += 1
            return
        if delivery.mark:
            self.marks.add(delivery.mark)
        self.delivered.append(delivery)
        super().deliver(delivery)


@pytest.mark.parametrize("events", [Events.POLLED, Events.UNSOLICITED])
async def test_half_an_hour_of_polls_and_events_over_a_line_that_breaks(events: Events) -> None:
    clock, own, chance = Fast(), filled(), random.Random(1)  # noqa: S311 - to be repeated
    intake, beginning = Remembering(), clock.now()
    served = listening({ADDRESS: own}, host="127.0.0.1", port=0, clock=clock)
    async with served as (port, server):
        one = replace(device(port, events), period_s=PERIOD_S, timeout_s=0.9 * PERIOD_S)
        async with asyncio.TaskGroup() as group:
            polling = group.create_task(
                poll(
                    [one],
                    connect=connect,
                    intake=intake,
                    clock=clock,
                    jitter=lambda: 0.1,
                    beat=lambda: None,
                )
            )
            number = 0
            while (at := clock.now()).mono_ns < beginning.mono_ns + HOUR_S * NS_PER_S:
                number += 1
                own.hold(state(number, at_ms=at.utc_ns // 10**6), is_event=True)
                if chance.random() < 0.05:
                    server.drop()
                await clock.sleep_until(at.mono_ns + round(chance.uniform(1, 20) * NS_PER_S))
            async with asyncio.timeout(5):
                while own.events:  # noqa: ASYNC110 - the outstation has no event for it
                    await asyncio.sleep(0.01)
            polling.cancel()
    changes = [one for one in intake.delivered if one.mark]
    assert sorted(only_scan(one).raw.tolist()[0] for one in changes) == sorted(
        bits(value) for value in range(1, number + 1)
    )
    assert all(not only_scan(one).transport.any() for one in changes)
    present = [scan for scan in intake.scans if len(scan.channel) == 4]
    gaps = [event for event in intake.events if event.fields["state"] == "closed"]
    missed = sum(int(str(event.fields["missed"])) for event in gaps)
    polls = HOUR_S / PERIOD_S
    assert polls - 1 <= len(present) + missed <= polls + 3
    assert len(present) >= 0.5 * polls
