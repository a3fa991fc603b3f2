"""The buffer at its limit, told to stop there: what has its receipt goes, and nothing else."""

import asyncio
from pathlib import Path

import pytest

from edge_agent.buffer.faults import BufferFullError
from edge_agent.buffer.store import Buffer
from edge_agent.config.vocabulary import OnFull
from tests.edge_agent.buffer.gateway import Gateway, events_of, numbers, receipts

pytestmark = pytest.mark.asyncio

# 5 MB less the log's 4 MiB leaves room for about 90 batches of a thousand random words.
QUOTA_MB = 5
ROWS = 1000


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path, quota_mb=QUOTA_MB, on_full=OnFull.STOP)


async def filled(gateway: Gateway, buffer: Buffer, rows: int = ROWS) -> int:
    """Append until the buffer is full; return how many batches it took."""
    count = 0
    while True:
        try:
            await buffer.append(gateway.portion(rows))
        except BufferFullError:
            return count
        count += 1


async def test_a_buffer_full_of_undelivered_batches_takes_no_more_and_loses_nothing(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        count = await filled(gateway, buffer)
        assert count > 50
        before = await buffer.unreceipted(1000)
        with pytest.raises(BufferFullError, match="not receipted"):
            await buffer.append(gateway.portion(ROWS))
        assert await buffer.unreceipted(1000) == before
        assert numbers(before) == list(range(count + 1))
        assert len(await buffer.frames(before)) == count + 1
        usage = buffer.usage()
        assert 700_000 < usage.used_bytes < usage.quota_bytes == QUOTA_MB * 1_000_000
        assert usage.free_bytes < 20_000
    assert gateway.path.stat().st_size <= QUOTA_MB * 1_000_000


async def test_a_start_on_a_full_buffer_succeeds_and_tells_its_boot_once_there_is_room(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer)
        await filled(gateway, buffer, rows=1)
    async with gateway.opened() as buffer:
        backlog = buffer.backlog()
        with pytest.raises(BufferFullError):
            await buffer.append(gateway.portion(1))
        await buffer.settle(receipts(await buffer.unreceipted(1000)))
        (stored,) = await buffer.append(gateway.portion(1))
        assert stored.batch_no == backlog.unreceipted_count
        (frame,) = await buffer.frames([stored])
        assert [event.type for event in events_of(frame)] == ["boot"]


async def test_a_receipt_makes_room_and_wakes_who_waits_for_it(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer)
        portion = gateway.portion(ROWS)
        with pytest.raises(BufferFullError):
            await buffer.append(portion)
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(buffer.has_space())
            await asyncio.sleep(0)
            assert not waiting.done()
            await buffer.settle(receipts(await buffer.unreceipted(5)))
        (held,) = await buffer.append(portion)
        assert held.record_count == ROWS


async def test_the_oldest_receipted_batches_are_evicted_first_and_only_as_needed(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        chain = (await buffer.unreceipted(1))[0].chain_id
        for _ in range(300):
            held = await buffer.append(gateway.portion(ROWS))
            if held[0].batch_no % 10 == 0:
                await buffer.settle(receipts(await buffer.unreceipted(256)))
        kept = numbers(await buffer.held_from(chain, 0, 1000))
        assert kept == list(range(kept[0], 301))
        assert 50 < len(kept) < 120
        assert buffer.counters.evicted == 301 - len(kept)
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0


async def test_batches_without_receipt_stay_though_later_ones_go(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        chain = (await buffer.unreceipted(1))[0].chain_id
        for _ in range(300):
            held = await buffer.append(gateway.portion(ROWS))
            if held[0].batch_no not in {7, 8, 30}:
                await buffer.settle(receipts(held))
        assert numbers(await buffer.unreceipted(10)) == [0, 7, 8, 30]
    async with gateway.opened() as buffer:
        assert numbers(await buffer.unreceipted(10)) == [0, 7, 8, 30, 301]
        kept = numbers(await buffer.held_from(chain, 0, 1000))
        assert kept[:4] == [0, 7, 8, 30]
        assert kept[4:] == list(range(kept[4], 302))


async def test_the_newest_batch_stays_even_when_nothing_else_does(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        chain = (await buffer.unreceipted(1))[0].chain_id
        for _ in range(4):
            await buffer.append(gateway.portion(*[1000] * 40))
            await buffer.settle(receipts(await buffer.unreceipted(10)))
        assert numbers(await buffer.held_from(chain, 0, 10))[-1] == 4
