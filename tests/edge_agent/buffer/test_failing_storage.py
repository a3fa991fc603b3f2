"""Storage that refuses, and callers that are cancelled: every portion is stored once, or not."""

import asyncio
from pathlib import Path

import pytest

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.store import Buffer
from tests.edge_agent.buffer.gateway import Gateway, numbers, raw_of, receipts
from tests.edge_agent.buffer.storage_faults import Failing, no_file_grows_beyond

pytestmark = pytest.mark.asyncio


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


async def raw_words(buffer: Buffer) -> list[int]:
    """Return all raw words held."""
    frames = await buffer.frames(await buffer.unreceipted(1000))
    return [raw for frame in frames for raw in raw_of(frame)]


async def test_a_commit_that_failed_is_made_again_with_the_same_bytes(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.before = 1
        portion = gateway.portion(3)
        (held,) = await buffer.append(portion)
        assert buffer.counters.reopened == 1
        assert held.wall_ns == gateway.clock.utc_ns  # sealed once
        assert await raw_words(buffer) == [int(raw) for raw in portion.readings[0].raw]


async def test_a_commit_that_worked_though_it_was_reported_failed_is_not_repeated(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.after = 1
        await buffer.append(gateway.portion(3))
        await buffer.append(gateway.portion(2))
        assert numbers(await buffer.unreceipted(10)) == [0, 1, 2]
        assert buffer.backlog().readings == 5


@pytest.mark.parametrize(("before", "after"), [(2, 0), (1, 1), (0, 2)])
async def test_a_portion_that_could_not_be_stored_is_stored_once_when_it_comes_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, before: int, after: int
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.before, failing.after = before, after
        portion = gateway.portion(3)
        with pytest.raises(BufferUnavailableError, match="disk I/O error"):
            await buffer.append(portion)
        await buffer.append(portion)
        assert await raw_words(buffer) == [int(raw) for raw in portion.readings[0].raw]


async def test_what_a_failed_append_left_is_stored_before_another_portion(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.before = 2
        first, second = gateway.portion(3), gateway.portion(2)
        with pytest.raises(BufferUnavailableError):
            await buffer.append(first)
        await buffer.append(second)
        words = [int(raw) for part in (first, second) for raw in part.readings[0].raw]
        assert await raw_words(buffer) == words


async def test_what_a_failed_append_left_is_stored_at_the_latest_with_the_close(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.before = 2
        with pytest.raises(BufferUnavailableError):
            await buffer.append(gateway.portion(3))
    async with gateway.opened() as buffer:
        assert buffer.backlog().readings == 3


async def test_a_disk_that_takes_no_more_is_said_and_nothing_acknowledged_is_lost(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        for _ in range(5):
            await buffer.append(gateway.portion(500))
        portion = gateway.portion(500)
        with no_file_grows_beyond(16_384):
            with pytest.raises(BufferUnavailableError, match="free space"):
                await buffer.append(portion)
            assert buffer.backlog().readings == 500 * 5
        await buffer.append(portion)
        assert numbers(await buffer.unreceipted(1000)) == list(range(7))
        assert buffer.backlog().readings == 500 * 6


@pytest.mark.parametrize("steps", range(1, 40))
async def test_a_cancelled_append_leaves_a_portion_stored_once(
    gateway: Gateway, steps: int
) -> None:
    async with gateway.opened() as buffer:
        first, second = gateway.portion(3), gateway.portion(2)
        async with asyncio.TaskGroup() as tasks:
            append = tasks.create_task(buffer.append(first))
            for _ in range(steps):
                await asyncio.sleep(0)
            append.cancel()
        words = [int(raw) for part in (first, second) for raw in part.readings[0].raw]
        await buffer.append(second)
        found = await raw_words(buffer)
        assert found in (words, words[3:])
        # Only a call that had not begun to write may have left no trace.
        assert found == words or steps == 1


async def test_a_reader_beside_a_cancelled_append_sees_no_uncommitted_batch(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
        for steps in range(1, 30):
            async with asyncio.TaskGroup() as tasks:
                append = tasks.create_task(buffer.append(gateway.portion(1)))
                for _ in range(steps):
                    await asyncio.sleep(0)
                append.cancel()
            seen = await buffer.newest(1)
            assert seen == (buffer.backlog().newest,)


async def test_a_cancelled_settle_has_noted_all_or_nothing(gateway: Gateway) -> None:
    for steps in range(1, 20):
        async with gateway.opened() as buffer:
            await buffer.append(gateway.portion(1))
            waiting = await buffer.unreceipted(100)
            async with asyncio.TaskGroup() as tasks:
                settle = tasks.create_task(buffer.settle(receipts(waiting)))
                for _ in range(steps):
                    await asyncio.sleep(0)
                settle.cancel()
            backlog = buffer.backlog()
            assert backlog.unreceipted_count in (0, len(waiting))
            assert (backlog.oldest is None) == (backlog.unreceipted_count == 0)


async def test_receipts_of_a_commit_that_worked_though_it_was_reported_failed_are_stored_once(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        for _ in range(4):
            await buffer.append(gateway.portion(1))
        held = await buffer.unreceipted(10)
        failing = Failing(buffer._writer.database, monkeypatch)
        await buffer.settle(receipts(held[:2]))
        failing.after = 2
        portion = gateway.portion(1)
        with pytest.raises(BufferUnavailableError):
            await buffer.append(portion)
        await buffer.settle(receipts(held[2:4]))
        await buffer.append(portion)
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        assert numbers(await buffer.unreceipted(10)) == [4, 5, 6]
