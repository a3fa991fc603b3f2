"""How devices share a line, and lines the agent: nobody is starved, nobody waits for another."""

from dataclasses import replace

import pytest

from edge_agent.drivers.base import (
    LinkClosedError,
    LinkLostError,
)
from tests.edge_agent.drivers.scripted import (
    Intake,
    MakeDevice,
    Outcome,
    Plant,
    VirtualClock,
    device,
    polling,
    run,
)

pytestmark = pytest.mark.asyncio


async def test_a_fault_of_one_device_leaves_the_others_of_its_endpoint_alone(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    bug = Outcome(0.01, ZeroDivisionError("a bug"))
    intake, plant = Intake(), Plant(reads={"a": [bug] * 99})
    devices = [device(make_device, "a", 1), device(make_device, "b", 2)]
    async with polling(devices, plant, intake, clock):
        await run(clock, 10)
    assert len(plant.connected_s) == 1
    assert len(intake.times("b")) == 10
    assert intake.gaps(2) == []


async def test_a_dead_unit_does_not_starve_the_others_on_its_line(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    dead = Outcome(0.8, LinkLostError("silence"))
    intake, plant = Intake(), Plant(reads={"a": [dead] * 999})
    devices = [device(make_device, name, n) for n, name in enumerate("abcde", 1)]
    async with polling(devices, plant, intake, clock):
        await run(clock, 120)
    for name in "bcde":
        assert len(intake.times(name)) >= 114
    assert len(plant.read_s["a"]) == 8
    assert intake.gaps(1)[0] == ("open", 1, "no_answer")


async def test_one_endpoint_never_waits_for_another(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    hung = Outcome(0.8, LinkLostError("silence"))
    intake, plant = Intake(), Plant(reads={"a": [hung] * 99})
    devices = [device(make_device, "a", 1, 501), device(make_device, "b", 2, 502)]
    async with polling(devices, plant, intake, clock):
        await run(clock, 20)
    assert len(intake.times("b")) == 20
    assert intake.gaps(2) == []


async def test_devices_of_different_endpoints_take_turns_over_the_period(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant()
    devices = [device(make_device, name, n, 500 + n) for n, name in enumerate("abcd", 1)]
    async with polling(devices, plant, intake, clock):
        await run(clock, 1.9)
    assert {name: times[-1] for name, times in plant.read_s.items()} == {
        "a": 1.0,
        "b": 1.25,
        "c": 1.5,
        "d": 1.75,
    }


async def test_a_line_too_slow_for_its_devices_serves_them_all_alike(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    plant = Plant(reads={name: [Outcome(0.3)] * 999 for name in "abcde"})
    intake = Intake()
    devices = [device(make_device, name, n) for n, name in enumerate("abcde", 1)]
    async with polling(devices, plant, intake, clock):
        await run(clock, 60)
    counts = [len(intake.times(name)) for name in "abcde"]
    assert sum(counts) >= 198
    assert max(counts) - min(counts) <= 1
    assert {reason for n in range(1, 6) for _, _, reason in intake.gaps(n)} == {"overrun"}


async def test_a_unit_that_makes_its_gateway_hang_up_is_asked_ever_more_seldom(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake = Intake()
    plant = Plant(reads={"a": [Outcome(0.1, LinkClosedError("hung up"))] * 999})
    devices = [device(make_device, name, n) for n, name in enumerate("abc", 1)]
    async with polling(devices, plant, intake, clock, jitter=lambda: 0.5):
        await run(clock, 120)
    assert len(plant.connected_s) <= 10
    for name in "bc":
        assert len(intake.times(name)) >= 112


async def test_devices_of_one_line_may_have_periods_of_their_own(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant()
    fast, slow = device(make_device, "a", 1), device(make_device, "b", 2)
    async with polling([fast, replace(slow, period_s=4.0)], plant, intake, clock):
        await run(clock, 20.5)
    assert len(intake.times("a")) == 21
    assert [round(at) for at in intake.times("b")] == [2, 6, 10, 14, 18]
    assert intake.events == []
