"""What is stored when, what a stop gives up, and that none loses a scan that was read."""

import asyncio
from collections.abc import Coroutine

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edge_agent.buffer.faults import BufferUnavailableError, Fault
from edge_agent.committer import Committer
from edge_agent.pipeline import ROWS_FULL, Ending
from tests.edge_agent.line import NOTE, ORIGIN, Calm, S, Shelf, SteppedClock, intake_of, scan_of


@pytest.mark.asyncio
async def test_the_last_portion_says_that_it_is_the_last() -> None:
    intake = intake_of(SteppedClock())
    intake.hand_over(scan_of(1))
    intake.end()
    shelf = Shelf()
    await Committer(intake, shelf).run()
    assert [portion.is_last for portion in shelf.portions] == [True]


@pytest.mark.asyncio
async def test_a_crash_stores_what_was_read_and_is_not_signed_as_a_stop() -> None:
    intake, shelf = intake_of(SteppedClock()), Shelf()

    async def crash() -> None:
        async with Ending(intake):
            intake.hand_over(scan_of(1))
            raise ValueError("a mistake of ours")

    with pytest.raises(ValueError, match="ours"):
        await crash()
    await Committer(intake, shelf).run()
    assert [portion.is_last for portion in shelf.portions] == [False]


@pytest.mark.asyncio
async def test_a_stop_with_nothing_waiting_is_told_so_that_it_can_be_called_clean() -> None:
    intake, shelf = intake_of(SteppedClock()), Shelf()
    intake.end()
    await Committer(intake, shelf).run()
    (portion,) = shelf.portions
    assert portion.is_last
    assert [event.type for event in portion.events] == ["note"]


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
        was_blocked = committer.is_blocked
        while not shelf.portions:  # noqa: ASYNC110 - the same
            await asyncio.sleep(0)
        intake.end()
    assert (was_blocked, committer.is_blocked) == (True, False)
    assert [int(scan.raw[0]) for portion in shelf.portions for scan in portion.readings] == [7]


@pytest.mark.asyncio
async def test_what_storage_refuses_goes_on_from_memory_and_no_device_is_told_it_is_durable() -> (
    None
):
    clock = SteppedClock()
    intake = intake_of(clock, interval_s=1)
    error = BufferUnavailableError("read-only", fault=Fault.READONLY)
    shelf = Shelf(refusals=2, error=error)
    committer = Committer(intake, shelf)
    async with asyncio.TaskGroup() as group:
        group.create_task(committer.run())
        for raw in (7, 8):
            intake.hand_over(scan_of(1, raw))
            while len(shelf.volatile) < raw - 6:  # noqa: ASYNC110 - the shelf has nobody to tell
                await asyncio.sleep(0)
            assert committer.fault is Fault.READONLY
            assert not await intake.durable(clock.mono_ns)
        intake.hand_over(scan_of(1, 9))
        while not shelf.portions:  # noqa: ASYNC110 - the shelf has nobody to tell
            await asyncio.sleep(0)
        assert await intake.durable(clock.mono_ns + S)
        assert (committer.fault, committer.is_blocked) == (None, False)
        intake.end()
    assert [int(one.readings[0].raw[0]) for one in shelf.volatile] == [7, 8]
    assert [int(one.readings[0].raw[0]) for one in shelf.portions if one.readings] == [9]


@pytest.mark.asyncio
async def test_what_memory_does_not_take_waits_and_is_stored_once_storage_returns() -> None:
    intake = intake_of(SteppedClock())
    intake.hand_over(scan_of(1, 7))
    shelf = Shelf(refusals=3, error=BufferUnavailableError("full"), is_memory_full=True)
    intake.end()
    await Committer(intake, shelf).run()
    assert [int(one.readings[0].raw[0]) for one in shelf.portions] == [7]
    assert shelf.volatile == []


@pytest.mark.asyncio
async def test_a_switch_stores_what_waits_under_the_old_configuration() -> None:
    intake, shelf = intake_of(SteppedClock()), Shelf()
    intake.hand_over(scan_of(1))
    await Committer(intake, shelf).switch({"a": Calm()}, ORIGIN)
    assert shelf.switched == [(1, ORIGIN)]
    assert intake.take().readings == ()


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


async def held_up(work: Coroutine[None, None, None], shelf: Shelf) -> asyncio.Task[None]:
    """Run work until the shelf has refused it a few times."""
    task = asyncio.get_running_loop().create_task(work)
    refusals = shelf.refusals
    while shelf.refusals > refusals - 3:  # noqa: ASYNC110 - the shelf has nobody to tell
        await asyncio.sleep(0)
    return task


@pytest.mark.asyncio
async def test_a_switch_that_a_stop_cuts_short_leaves_what_it_took_to_be_stored() -> None:
    intake, shelf = intake_of(SteppedClock()), Shelf(refusals=1000)
    committer = Committer(intake, shelf)
    intake.hand_over(scan_of(1, 1))
    switching = await held_up(committer.switch({"a": Calm()}, ORIGIN), shelf)
    switching.cancel()
    await asyncio.wait({switching})
    intake.hand_over(scan_of(1, 2))
    shelf.refusals = 0
    intake.end()
    await committer.run()
    assert [int(one.readings[0].raw[0]) for one in shelf.portions] == [1, 2]
    assert [portion.is_last for portion in shelf.portions] == [False, True]
    assert shelf.switched == []


@pytest.mark.asyncio
async def test_what_a_stop_gives_up_is_counted_also_what_waits_behind() -> None:
    intake, shelf = intake_of(SteppedClock()), Shelf(refusals=1000)
    intake.hand_over(scan_of(3))
    with capture_logs() as logs:
        running = await held_up(Committer(intake, shelf).run(), shelf)
        intake.hand_over(scan_of(4))
        intake.record(NOTE)
        running.cancel()
        await asyncio.wait({running})
    dropped = [log for log in logs if log["event"] == "readings.dropped"]
    assert [(log["rows"], log["events"]) for log in dropped] == [(7, 1)]


@pytest.mark.asyncio
async def test_a_stop_with_nothing_waiting_gives_nothing_up() -> None:
    with capture_logs() as logs:
        running = asyncio.get_running_loop().create_task(
            Committer(intake_of(SteppedClock()), Shelf()).run()
        )
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait({running})
    assert logs == []
