"""What devices send unasked: taken once, durable before it is acknowledged, its losses told."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.committer import Committer
from edge_agent.drivers.base import Delivery, Loss
from edge_agent.pipeline import MARKS_KEPT, Waiting, commit_due_at
from edge_agent.recent import Recent
from edge_agent.wire.readings import Readings
from tests.edge_agent.buffer.gateway import Gateway, Portion, raw_of
from tests.edge_agent.buffer.storage_faults import Failing
from tests.edge_agent.line import S, Shelf, SteppedClock, intake_of, scan_of

MESSAGE = Delivery(scans=(scan_of(2),), mark=b"one")


def readings_of(channels: list[int], raw: int) -> Readings:
    numbers = np.array(channels, np.uint32)
    return Readings(
        at_ns=raw,
        mono_ns=raw,
        channel=numbers,
        raw=np.full(len(channels), raw, np.int64),
        status=np.zeros(len(channels), np.uint32),
        quality=np.zeros(len(channels), np.uint32),
    )


def test_a_delivery_is_taken_once() -> None:
    intake = intake_of(SteppedClock())
    for _ in range(3):
        intake.deliver(MESSAGE)
    portion = intake.take()
    assert [len(scan.channel) for scan in portion.readings] == [2]
    assert portion.marks == (b"one",)
    intake.deliver(MESSAGE)
    assert intake.take().readings == ()


def test_what_its_sender_never_sent_before_is_taken_also_under_a_known_mark() -> None:
    intake = intake_of(SteppedClock())
    intake.remember([b"one", b"two"])
    new = replace(MESSAGE, is_new=True)
    intake.deliver(new)
    intake.deliver(new)
    portion = intake.take()
    assert len(portion.readings) == 2
    assert portion.marks == (b"one", b"one")
    intake.deliver(MESSAGE)
    assert not intake.take().readings


def test_a_delivery_without_a_mark_is_always_a_new_one() -> None:
    intake = intake_of(SteppedClock())
    for _ in range(3):
        intake.deliver(Delivery(scans=(scan_of(1),)))
    portion = intake.take()
    assert len(portion.readings) == 3
    assert portion.marks == ()


def test_a_delivery_that_an_earlier_run_made_durable_is_not_taken_again() -> None:
    intake = intake_of(SteppedClock())
    intake.remember([b"one"])
    intake.deliver(MESSAGE)
    assert intake.take().readings == ()


def test_the_oldest_marks_are_forgotten_when_there_are_many() -> None:
    intake = intake_of(SteppedClock())
    intake.remember(number.to_bytes(4, "big") for number in range(MARKS_KEPT + 1))
    intake.deliver(Delivery(scans=(scan_of(1),), mark=bytes(4)))
    intake.deliver(Delivery(scans=(scan_of(1),), mark=(2).to_bytes(4, "big")))
    assert len(intake.take().readings) == 1


def test_samples_that_were_lost_are_told_as_a_gap_before_those_that_came() -> None:
    intake = intake_of(SteppedClock())
    loss = Loss(channels=(1, 2), from_ns=5, to_ns=9, count=3, detail="the queue overflowed")
    intake.deliver(Delivery(scans=(scan_of(2),), losses=(loss,)))
    (event,) = intake.take().events
    assert event.type == "gap"
    assert dict(event.fields) == {
        "state": "closed",
        "channels": [1, 2],
        "from_ns": 5,
        "to_ns": 9,
        "missed": 3,
        "reason": "samples_lost",
        "detail": "the queue overflowed",
    }
    assert event.line


def test_who_waits_for_an_acknowledgement_gets_a_commit_within_200_ms() -> None:
    waiting = Waiting(rows=1, event_count=0, is_urgent=False, has_ended=False, is_awaited=True)
    assert commit_due_at(waiting, last_ns=0, now_ns=0, interval_ns=10 * S) == S // 5


@pytest.mark.asyncio
async def test_a_delivery_is_durable_after_its_commit_and_not_before() -> None:
    clock = SteppedClock()
    intake, shelf = intake_of(clock, interval_s=60), Shelf()
    intake.deliver(MESSAGE)
    assert not await intake.durable(clock.mono_ns + S)
    async with asyncio.TaskGroup() as group:
        committing = group.create_task(Committer(intake, shelf).run())
        while not await intake.durable(clock.mono_ns + S):
            assert not shelf.portions
        assert [portion.marks for portion in shelf.portions] == [(b"one",)]
        intake.end()
        await committing


@pytest.mark.asyncio
async def test_waiting_for_storage_that_refuses_ends_in_time() -> None:
    clock = SteppedClock()
    intake = intake_of(clock)
    intake.deliver(MESSAGE)
    assert not await intake.durable(clock.mono_ns + S)


@pytest.mark.asyncio
async def test_nothing_that_waits_is_durable_at_once() -> None:
    assert await intake_of(SteppedClock()).durable(0)


async def until(is_so: Callable[[], bool]) -> None:
    """Return once something is so that only other tasks can bring about."""
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)


@pytest.mark.asyncio
@pytest.mark.parametrize("is_message", [True, False])
async def test_a_message_that_storage_refuses_is_not_acknowledged_nor_taken_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_message: bool
) -> None:
    """Whoever sent it keeps it; what comes in behind it waits with it, and is not lost."""
    gateway, clock = Gateway(tmp_path), SteppedClock()
    intake = intake_of(clock, interval_s=1)
    async with gateway.opened() as buffer, asyncio.TaskGroup() as group:
        committer = Committer(intake, buffer)
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        intake.deliver(MESSAGE if is_message else replace(MESSAGE, mark=b""))
        committing = group.create_task(committer.run())
        await until(lambda: committer.is_blocked)
        if not is_message:
            await until(lambda: buffer.storage().volatile_readings == 2)
        intake.hand_over(scan_of(1, raw=1))
        assert not await intake.durable(clock.mono_ns + 5 * S)
        assert (buffer.storage().volatile_readings == 0) == is_message
        failing.refuses = False
        intake.hand_over(scan_of(1, raw=2))
        await until(lambda: not committer.is_blocked)
        intake.end()
        await committing
        assert await intake.durable(clock.mono_ns)
        assert await buffer.marks() == ([b"one"] if is_message else [])
        frames = await buffer.frames(await buffer.unreceipted(100))
    assert [raw for frame in frames for raw in raw_of(frame)] == [0, 0, 1, 2]


@pytest.mark.asyncio
async def test_marks_are_as_durable_as_the_readings_they_came_with(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        scans = (gateway.scan(),)
        await buffer.append(Portion(readings=scans, marks=(b"one", b"two")))
        await buffer.append(Portion(readings=scans, marks=(b"three",)))
        gateway.crash_to(tmp_path / "after")
    async with gateway.opened() as buffer:
        assert await buffer.marks() == [b"one", b"two", b"three"]


def test_the_last_reading_of_a_channel_stays_when_others_speak() -> None:
    recent = Recent()
    recent.took("a", readings_of([1, 2, 3], raw=10))
    recent.took("a", readings_of([2], raw=20))
    assert recent.readings["a"].channel.tolist() == [1, 2, 3]
    assert recent.readings["a"].raw.tolist() == [10, 20, 10]
    recent.took("a", readings_of([1, 2, 3], raw=30))
    assert recent.readings["a"].raw.tolist() == [30, 30, 30]


def test_channels_are_gathered_from_devices_that_never_say_all_at_once() -> None:
    recent = Recent()
    for channel in (3, 1, 2):
        recent.took("a", readings_of([channel], raw=channel))
    assert recent.readings["a"].raw.tolist() == [1, 2, 3]
