"""Devices that speak unasked: heard between polls, and not heard again before all is durable."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from edge_agent.drivers.base import Delivery, LinkClosedError
from edge_agent.wire.readings import Scan
from tests.edge_agent.drivers.scripted import (
    START_NS,
    Intake,
    MakeDevice,
    Plant,
    S,
    VirtualClock,
    device,
    polling,
    run,
)

pytestmark = pytest.mark.asyncio


def said(raw: int) -> Delivery:
    nothing = np.zeros(1, np.uint32)
    scan = Scan(
        device="a",
        at_ns=0,
        mono_ns=0,
        channel=np.array([1], np.uint32),
        raw=np.array([raw], np.int64),
        status=nothing,
        transport=nothing,
    )
    return Delivery(scans=(scan,), mark=bytes([raw]))


@dataclass
class Speaker:
    """Says number after number, one in 0.3 s; notes when it was listened to, and what it heard."""

    clock: VirtualClock
    error: Exception | None = None
    count: int = 0
    listened_s: list[float] = field(default_factory=list)

    async def listen(self, until_mono_ns: int) -> Sequence[Delivery]:
        now_ns = self.clock.now().mono_ns
        self.listened_s.append(round((now_ns - START_NS) / S, 3))
        next_ns = now_ns + 3 * S // 10
        await self.clock.sleep_until(min(next_ns, until_mono_ns))
        if self.error is not None:
            raise self.error
        if next_ns > until_mono_ns:
            return ()
        self.count += 1
        return [said(self.count)]


class Slow(Intake):
    """An intake behind slow storage: what it was given is durable half a second later."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    async def durable(self, until_mono_ns: int) -> bool:
        """Wait for the storage."""
        await self._clock.sleep_until(min(until_mono_ns, self._clock.now().mono_ns + S // 2))
        return True


async def test_a_device_that_speaks_is_heard_between_its_polls(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    speaker, intake = Speaker(clock), Intake()
    plant = Plant(listen=speaker.listen)
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 9.95)
    raw = [scan.raw[0] for scan in intake.scans]
    assert [each for each in raw if each] == list(range(1, speaker.count + 1))
    assert speaker.count >= 25
    assert len(plant.read_s["a"]) == 10


async def test_a_speaker_is_not_heard_again_before_all_it_said_is_durable(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    speaker = Speaker(clock)
    made = device(make_device)
    async with polling([made], Plant(listen=speaker.listen), Slow(clock), clock):
        await run(clock, 3)
    pauses = np.diff(speaker.listened_s)
    assert pauses.min() >= 0.1
    assert speaker.count <= 5


async def test_a_line_that_breaks_while_it_is_heard_is_opened_again(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    speaker, intake = Speaker(clock, LinkClosedError("gone")), Intake()
    plant = Plant(listen=speaker.listen)
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 3)
        speaker.error = None
        await run(clock, 200)
    assert len(plant.connected_s) > 1
    assert intake.gaps()[0][2] == "link_closed"
    assert intake.gaps()[-1][0] == "closed"


async def test_a_bug_while_listening_costs_only_its_line(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    speaker, intake = Speaker(clock, ZeroDivisionError("a bug")), Intake()
    plant = Plant(listen=speaker.listen)
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 3)
        speaker.error = None
        await run(clock, 200)
    assert intake.gaps()[-1][0] == "closed"


async def test_a_stop_does_not_wait_for_a_speaker(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    async def silent(until_mono_ns: int) -> Sequence[Delivery]:
        await asyncio.Event().wait()
        return [said(until_mono_ns)]

    async with polling([device(make_device)], Plant(listen=silent), Intake(), clock):
        await run(clock, 3)
