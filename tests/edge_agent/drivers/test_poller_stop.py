"""How polling ends, and that every poll that was due is accounted for, whatever happened."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.drivers.base import (
    DeviceBusyError,
    DeviceRefusedError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
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


@pytest.mark.asyncio
async def test_a_stop_lets_the_read_in_flight_end_and_hands_it_over(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant(reads={"a": [OK, Outcome(0.5)]})
    async with polling([device(make_device)], plant, intake, clock) as task:
        await run(clock, 1.2)
        task.cancel()
        await run(clock, 1.4)
        assert not task.done()
        await run(clock, 1.6)
        assert task.cancelled()
    assert intake.times("a") == [0.02, 1.5]
    assert plant.open_count == 0


@pytest.mark.asyncio
async def test_a_stop_does_not_wait_for_the_next_poll_nor_for_a_back_off(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    plant = Plant(connects=[OK, *[Outcome(0.0, LinkClosedError("refused"))] * 9])
    devices = [device(make_device, "a", 1, 501), device(make_device, "b", 2, 502)]
    async with polling(devices, plant, Intake(), clock) as task:
        await run(clock, 3.3)
        task.cancel()
        await run(clock, 3.3)
        assert task.cancelled()
    assert plant.open_count == 0


@pytest.mark.asyncio
async def test_a_second_stop_does_not_wait_for_the_read_in_flight(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake, plant = Intake(), Plant(reads={"a": [OK, Outcome(1e6)]})
    async with polling([device(make_device)], plant, intake, clock) as task:
        await run(clock, 2)
        task.cancel()
        await run(clock, 3)
        assert not task.done()
        task.cancel()
        await run(clock, 3)
        assert task.cancelled()
    assert plant.open_count == 0


@pytest.mark.asyncio
async def test_a_stop_tells_how_much_an_open_gap_has_cost(
    make_device: MakeDevice, clock: VirtualClock
) -> None:
    intake = Intake()
    plant = Plant(reads={"a": [Outcome(0.5, LinkLostError("silence"))] * 99})
    async with polling([device(make_device)], plant, intake, clock):
        await run(clock, 3.7)
    assert intake.gaps() == [("open", 1, "no_answer"), ("still", 4, "no_answer")]


errors = st.sampled_from(
    [
        None,
        LinkLostError("x"),
        LinkClosedError("x"),
        ImpossibleAnswerError("x"),
        DeviceRefusedError("x"),
        DeviceBusyError("x"),
        KeyError("x"),
    ]
)
outcomes = st.builds(Outcome, st.sampled_from([0.0, 0.01, 0.3, 0.8, 2.6]), errors)


@dataclass(frozen=True)
class Schedule:
    """What happens to up to four devices on up to two endpoints until the stop."""

    scripts: list[list[Outcome]]
    connects: list[Outcome]
    ports: list[int]
    full_s: list[float]
    stop_s: float
    jitter: float


schedules = st.builds(
    Schedule,
    scripts=st.lists(st.lists(outcomes, max_size=12), min_size=1, max_size=4),
    connects=st.lists(outcomes, max_size=5),
    ports=st.lists(st.sampled_from([501, 502]), min_size=4, max_size=4),
    full_s=st.lists(st.floats(0, 25), max_size=4),
    stop_s=st.floats(0, 30),
    jitter=st.floats(0, 0.999),
)


@settings(max_examples=60, deadline=None)
@given(given_schedule=schedules)
def test_polls_due_are_polls_answered_and_polls_covered_by_gap_events(
    given_schedule: Schedule, make_device: MakeDevice
) -> None:
    scripts, stop_s = given_schedule.scripts, given_schedule.stop_s
    names = "abcd"[: len(scripts)]
    devices = [device(make_device, n, k + 1, given_schedule.ports[k]) for k, n in enumerate(names)]
    intake, clock = Intake(), VirtualClock()
    plant = Plant(
        reads={name: list(script) for name, script in zip(names, scripts, strict=True)},
        connects=list(given_schedule.connects),
    )

    async def schedule() -> int:
        async with polling(
            devices, plant, intake, clock, jitter=lambda: given_schedule.jitter
        ) as task:
            for at_s in sorted(given_schedule.full_s):
                if at_s < stop_s:
                    await run(clock, at_s)
                    intake.is_full = not intake.is_full
            await run(clock, stop_s)
            intake.is_full = False
            stop_ns = clock.now().mono_ns
            task.cancel()
            while not task.done():
                await clock.run_until(clock.now().mono_ns + S // 100)
            assert plant.open_count == 0
            return stop_ns

    stop_ns = asyncio.run(schedule())
    for index, name in enumerate(names):
        # A read in flight at the stop is the last thing its line does.
        end_ns = max(stop_ns, plant.closed_ns.get(name, 0))
        first_ns = START_NS + int(S * index / len(names))
        events = [e for e in intake.events if e.fields["channels"] == [index + 1]]
        last = {event.fields["from_ns"]: event for event in events}
        missed = sum(event.integer("missed") for event in last.values())
        due = max(0, (end_ns - first_ns) // S + 1)
        is_missing = bool(events) and events[-1].fields["state"] != "closed"
        # While a device is being missed nothing is left open; otherwise the poll of this very
        # period may not have had its turn before the stop.
        ahead = due - len(intake.times(name)) - missed
        assert ahead in ((0,) if is_missing else (0, 1))
        for event in last.values():
            if event.fields["state"] == "closed":
                length_ns = event.integer("to_ns") - event.integer("from_ns")
                assert length_ns == event.integer("missed") * S
