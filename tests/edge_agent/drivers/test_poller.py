"""Pace, back-off and gaps of the poller, with scripted devices in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from edge_agent.drivers.base import (
    DeviceBusyError,
    DeviceFailureError,
    DeviceRefusedError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.poller import BEAT_NS, poll
from edge_agent.wire.readings import Scan
from tests.edge_agent.drivers.scripted import (
    OK,
    START_NS,
    Intake,
    MakeDevice,
    Outcome,
    Plant,
    S,
    VirtualClock,
    device,
    polling,
    run,
)

pytestmark = pytest.mark.asyncio


async def test_a_device_is_polled_on_its_grid_from_the_start(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant()
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 4.5)
    assert intake.times("a") == [0.02, 1.01, 2.01, 3.01, 4.01]
    assert intake.events == []
    assert plant.open_count == 0


async def test_a_late_answer_does_not_move_the_grid(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake = Intake()
    plant = Plant(reads={"a": [Outcome(0.7), Outcome(0.1), Outcome(0.9)]})
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 3.5)
    assert plant.read_s["a"] == [0.01, 1.0, 2.0, 3.0]


async def test_a_read_that_takes_too_long_costs_the_polls_it_sits_on(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant(reads={"a": [OK, Outcome(3.5)]})
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 6.5)
    # The poll at 1 took until 4.5: those at 2 and 3 are missed, that at 4 is made late.
    assert plant.read_s["a"] == [0.01, 1.0, 4.5, 5.0, 6.0]
    assert intake.gaps() == [("open", 2, "overrun"), ("closed", 2, "overrun")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LinkLostError("silence"), "no_answer"),
        (ImpossibleAnswerError("nonsense"), "impossible_answer"),
        (DeviceBusyError("busy"), "busy"),
        (DeviceFailureError("failed"), "device_failure"),
        (DeviceRefusedError("no"), "refused"),
        (LinkClosedError("gone"), "link_closed"),
        (ZeroDivisionError("a bug"), "driver_fault"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_failed_poll_brings_no_rows_but_a_gap_that_closes_with_the_next_answer(
    error: Exception, reason: str, make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant(reads={"a": [OK, Outcome(0.5, error)]})
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 2.5)
    assert [round(at) for at in intake.times("a")] == [0, 2]
    assert intake.gaps() == [("open", 1, reason), ("closed", 1, reason)]
    opened, closed = intake.events
    assert opened.mono_ns == START_NS + 1_500_000_000
    assert closed.fields["from_ns"] == intake.scans[0].at_ns - 20_000_000 + S
    assert closed.fields["to_ns"] == closed.fields["from_ns"] + S


async def test_an_error_behind_the_hand_over_is_not_taken_for_a_fault_of_the_device(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    class Broken(Intake):
        @asynccontextmanager
        async def room(self) -> AsyncIterator[Callable[[Scan], None]]:
            def hand_over(_: Scan) -> None:
                raise AssertionError("a bug in the judge")

            yield hand_over

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(
                poll(
                    [device(make_device)],
                    connect=Plant().connect,
                    intake=Broken(),
                    clock=clock,
                    jitter=lambda: 1.0,
                    beat=lambda: None,
                )
            )
            await run(clock, 1)

    with pytest.raises(ExceptionGroup) as caught:
        await work()
    assert caught.group_contains(AssertionError, match="a bug in the judge")


async def test_an_unreachable_endpoint_is_tried_again_ever_more_seldom_up_to_a_minute(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    refused = Outcome(0.0, LinkClosedError("refused"))
    intake, plant = Intake(), Plant(connects=[refused] * 99)
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 300)
    pauses = [b - a for a, b in zip(plant.connected_s, plant.connected_s[1:], strict=False)]
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_the_back_off_is_a_random_part_of_its_limit(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    parts = iter([0.5, 0.0, 0.25])
    refused = Outcome(0.0, LinkClosedError("refused"))
    plant = Plant(connects=[refused] * 3)
    async with polling([device(make_device)], plant, Intake(), clock, jitter=lambda: next(parts)):
        await run(clock, 5)
    assert plant.connected_s == [0, 0.25, 0.25, 0.75]


async def test_polls_due_while_there_is_no_connection_are_missed(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    refused = Outcome(0.0, LinkClosedError("refused"))
    intake, plant = Intake(), Plant(connects=[OK, *[refused] * 3])
    plant.reads["a"] = [OK, Outcome(0.0, LinkClosedError("gone"))]
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 12.5)
    # Lost at 1; attempts at 1.5, 2.5, 4.5 and, with success, at 8.5: the poll of 8 is made late.
    assert plant.connected_s == [0, 1.5, 2.5, 4.5, 8.5]
    assert plant.read_s["a"] == [0.01, 1.0, 8.51, 9.0, 10.0, 11.0, 12.0]
    assert intake.gaps() == [("open", 1, "link_closed"), ("closed", 7, "link_closed")]


async def test_a_connection_that_held_for_a_poll_starts_the_back_off_anew(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    gone = Outcome(0.0, LinkClosedError("gone"))
    silent = Outcome(0.8, LinkLostError("silence"))
    intake = Intake()
    plant = Plant(reads={"a": [gone, gone, gone, silent, gone, gone]})
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 10)
    pauses = np.diff(plant.connected_s)
    assert pauses[:3].tolist() == pytest.approx([0.51, 1.49, 2.01], abs=0.02)
    assert pauses[3] < 2.5


async def test_a_connect_that_breaks_in_an_unforeseen_way_is_a_fault_and_tried_again(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake = Intake()
    plant = Plant(connects=[Outcome(0.0, UnicodeError("label too long"))])
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 1.5)
    assert intake.gaps() == [("open", 1, "driver_fault"), ("closed", 1, "driver_fault")]


async def test_a_device_that_refuses_everything_is_not_hammered(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake = Intake()
    plant = Plant(reads={"a": [Outcome(0.01, DeviceRefusedError("exception 2"))] * 99})
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 130)
    assert len(plant.read_s["a"]) == 9


async def test_a_full_intake_stops_the_reading_and_the_loss_is_told_at_once(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant()
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 1.5)
        intake.is_full = True
        await run(clock, 4.5)
        assert plant.read_s["a"] == [0.01, 1.0]
        assert intake.gaps() == [("open", 1, "buffer_full")]
        intake.is_full = False
        await run(clock, 6.5)
    # The polls of 2 and 3 are missed; that of 4 is made as soon as there is room.
    assert [int(at) for at in plant.read_s["a"]] == [0, 1, 4, 5, 6]
    assert intake.gaps() == [("open", 1, "buffer_full"), ("closed", 2, "buffer_full")]


async def test_an_open_gap_is_told_again_every_hour(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake = Intake()
    plant = Plant(connects=[Outcome(0.0, LinkClosedError("refused"))] * 999)
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 2.5 * 3600)
        states = [state for state, *_ in intake.gaps()]
    assert states == ["open", "still", "still"]


async def test_every_line_shows_that_it_lives_however_long_it_sleeps(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    beats: list[int] = []
    plant = Plant(connects=[Outcome(0.0, LinkClosedError("refused"))] * 99)
    async with polling(
        [device(make_device)],
        plant,
        Intake(),
        clock,
        beat=lambda: beats.append(clock.now().mono_ns),
    ):
        await run(clock, 200)
    assert max(np.diff([START_NS, *beats])) <= BEAT_NS
