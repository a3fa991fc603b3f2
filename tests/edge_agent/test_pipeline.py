"""When a commit is due, what a portion holds, and that no stop loses a scan that was read."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.buffer.faults import BufferFullError
from edge_agent.clock import NS_PER_S, Instant, Trust
from edge_agent.pipeline import (
    ROWS_DUE,
    ROWS_FULL,
    Committer,
    Intake,
    Portion,
    Waiting,
    commit_due_at,
)
from edge_agent.quality.judge import Judgement
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings, Scan

S = NS_PER_S


@dataclass
class SteppedClock:
    """A clock that moves only when a test says so; a wait ends when its event does."""

    mono_ns: int = 1_000 * S

    def now(self) -> Instant:
        return Instant(utc_ns=1_800_000_000 * S + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        return Trust(state=0, error_ms=None)

    async def sleep_until(self, mono_ns: int) -> None:
        self.mono_ns = max(self.mono_ns, mono_ns)

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        if until_mono_ns is None:
            await event.wait()
            return
        await asyncio.sleep(0)
        if not event.is_set():
            self.mono_ns = max(self.mono_ns, until_mono_ns)


@dataclass(frozen=True)
class Calm:
    """A judge that finds nothing, or an alarm in every scan."""

    is_alarm: bool = False

    def judge(self, scan: Scan) -> Judgement:
        readings = Readings(
            at_ns=scan.at_ns,
            mono_ns=scan.mono_ns,
            channel=scan.channel,
            raw=scan.raw,
            status=scan.status,
            quality=scan.transport,
        )
        return Judgement(readings=readings, is_alarm=self.is_alarm)


@dataclass
class Shelf:
    """A buffer of portions that can be full."""

    portions: list[Portion] = field(default_factory=list)
    refusals: int = 0

    async def append(self, portion: Portion) -> Sequence[object]:
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise BufferFullError("full")
        self.portions.append(portion)
        return ()

    async def has_space(self) -> None:
        await asyncio.sleep(0)


def scan_of(rows: int, raw: int = 0) -> Scan:
    return Scan(
        device="a",
        at_ns=1,
        mono_ns=1,
        channel=np.arange(1, rows + 1, dtype=np.uint32),
        raw=np.full(rows, raw, dtype=np.int64),
        status=np.zeros(rows, dtype=np.uint32),
        transport=np.zeros(rows, dtype=np.uint32),
    )


def intake_of(clock: SteppedClock, *, is_alarm: bool = False, interval_s: float = 10) -> Intake:
    return Intake({"a": Calm(is_alarm)}, clock=clock, commit_interval_s=interval_s)


NOTE = Event(type="note", at_ns=1, mono_ns=1, fields={"who": "test", "text": "hello"})
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
async def test_the_last_portion_says_that_it_is_the_last() -> None:
    intake = intake_of(SteppedClock())
    intake.hand_over(scan_of(1))
    intake.end()
    shelf = Shelf()
    await Committer(intake, shelf).run()
    assert [portion.is_last for portion in shelf.portions] == [True]


@pytest.mark.asyncio
async def test_a_full_buffer_loses_nothing_and_says_that_it_blocks() -> None:
    intake = intake_of(SteppedClock())
    intake.hand_over(scan_of(1, 7))
    shelf = Shelf(refusals=3)
    committer = Committer(intake, shelf)
    async with asyncio.TaskGroup() as group:
        group.create_task(committer.run())
        while shelf.refusals:  # noqa: ASYNC110 - the shelf has nobody to tell
            await asyncio.sleep(0)
        assert committer.is_blocked
        while not shelf.portions:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0)
        intake.end()
    assert not committer.is_blocked
    assert [int(scan.raw[0]) for portion in shelf.portions for scan in portion.readings] == [7]


@given(stop_after=st.integers(0, 60), rows=st.integers(1, ROWS_FULL), readers=st.integers(1, 5))
def test_no_stop_loses_a_scan_that_was_read(stop_after: int, rows: int, readers: int) -> None:
    """`await put(await read())` loses scans here: a stop falls between the two."""

    async def run() -> tuple[int, int]:
        intake, shelf = intake_of(SteppedClock(), interval_s=1), Shelf()
        read = 0

        async def poller() -> None:
            nonlocal read
            while True:
                async with intake.room() as hand_over:
                    await asyncio.sleep(0)
                    read += 1
                    hand_over(scan_of(rows))

        async with asyncio.TaskGroup() as group:
            committing = group.create_task(Committer(intake, shelf).run())
            polling = [group.create_task(poller()) for _ in range(readers)]
            for _ in range(stop_after):
                await asyncio.sleep(0)
            for task in polling:
                task.cancel()
            await asyncio.wait(polling)
            intake.end()
            await committing
        return read, sum(len(portion.readings) for portion in shelf.portions)

    read, stored = asyncio.run(run())
    assert read == stored
