"""When a commit is due, what a portion holds, and who waits while the intake is full."""

import asyncio
from dataclasses import replace

import pytest

from edge_agent.pipeline import EVENTS_FULL, ROWS_DUE, ROWS_FULL, Waiting, commit_due_at
from tests.edge_agent.line import NOTE, S, SteppedClock, intake_of, scan_of

NOTHING = Waiting(rows=0, event_count=0, is_urgent=False, has_ended=False)


@pytest.mark.parametrize(
    ("waiting", "due_s"),
    [
        pytest.param(NOTHING, None, id="nothing waits"),
        pytest.param(replace(NOTHING, rows=1), 110, id="rows wait for the interval"),
        pytest.param(replace(NOTHING, rows=ROWS_DUE - 1), 110, id="one row less than many"),
        pytest.param(replace(NOTHING, rows=ROWS_DUE), 103, id="many rows are due now"),
        pytest.param(replace(NOTHING, rows=1, is_urgent=True), 101, id="an alarm waits a second"),
        pytest.param(replace(NOTHING, event_count=1, is_urgent=True), 101, id="so does an event"),
        pytest.param(replace(NOTHING, rows=1, has_ended=True), 103, id="the end is due now"),
        pytest.param(replace(NOTHING, has_ended=True), 103, id="also an empty end"),
    ],
)
def test_a_commit_is_due_when_the_table_says(waiting: Waiting, due_s: int | None) -> None:
    due = commit_due_at(waiting, last_ns=100 * S, now_ns=103 * S, interval_ns=10 * S)
    assert due == (None if due_s is None else due_s * S)


def test_an_event_never_waits_longer_than_a_short_interval() -> None:
    waiting = Waiting(rows=0, event_count=1, is_urgent=True, has_ended=False)
    assert commit_due_at(waiting, last_ns=0, now_ns=0, interval_ns=S // 2) == S // 2


@pytest.mark.asyncio
async def test_the_first_reading_commits_at_once() -> None:
    clock = SteppedClock()
    began_ns = clock.mono_ns
    intake = intake_of(clock)
    intake.hand_over(scan_of(1))
    await intake.due()
    assert clock.mono_ns == began_ns


@pytest.mark.asyncio
async def test_later_readings_wait_for_the_interval() -> None:
    clock = SteppedClock()
    intake = intake_of(clock)
    intake.hand_over(scan_of(1))
    await intake.due()
    intake.take()
    began_ns = clock.mono_ns
    intake.hand_over(scan_of(1))
    await intake.due()
    assert clock.mono_ns == began_ns + 10 * S


@pytest.mark.asyncio
async def test_an_alarm_makes_a_waiting_commit_due_within_a_second() -> None:
    clock = SteppedClock()
    intake = intake_of(clock, is_alarm=True)
    intake.take()
    began_ns = clock.mono_ns
    intake.hand_over(scan_of(1))
    await intake.due()
    assert clock.mono_ns == began_ns + S


@pytest.mark.asyncio
async def test_a_full_intake_lets_nobody_in_until_a_portion_is_taken() -> None:
    intake = intake_of(SteppedClock())
    intake.hand_over(scan_of(ROWS_FULL))
    assert intake.is_full
    entered = asyncio.Event()

    async def reader() -> None:
        async with intake.room() as hand_over:
            entered.set()
            hand_over(scan_of(1))

    async with asyncio.TaskGroup() as group:
        group.create_task(reader())
        await asyncio.sleep(0)
        assert not entered.is_set()
        taken = intake.take()
    assert entered.is_set()
    assert len(taken.readings[0].channel) == ROWS_FULL
    assert len(intake.take().readings) == 1


@pytest.mark.asyncio
async def test_a_portion_keeps_the_order_of_arrival_and_is_given_out_once() -> None:
    intake = intake_of(SteppedClock())
    for raw in (3, 1, 2):
        intake.hand_over(scan_of(1, raw))
    intake.record(NOTE)
    portion = intake.take()
    assert [int(scan.raw[0]) for scan in portion.readings] == [3, 1, 2]
    assert portion.events == (NOTE,)
    assert not portion.is_last
    assert intake.take().readings == ()


@pytest.mark.asyncio
async def test_events_without_readings_fill_the_intake_too() -> None:
    intake = intake_of(SteppedClock())
    for _ in range(EVENTS_FULL - 1):
        intake.record(NOTE)
    was_full = intake.is_full
    intake.record(NOTE)
    assert (was_full, intake.is_full) == (False, True)
    assert len(intake.take().events) == EVENTS_FULL
    assert not intake.is_full
