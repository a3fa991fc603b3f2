"""What is salvaged where there is little room: it waits, goes first, and may be headstones."""

from pathlib import Path

import pytest

from edge_agent.buffer.faults import BufferFullError
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Verdict
from tests.edge_agent.buffer.gateway import Gateway, receipts
from tests.edge_agent.buffer.reopening import (
    BATCHES,
    filled,
    without_receipt,
)
from tests.edge_agent.buffer.salvage import UNREADABLE, destroy_header, losses, started, waiting

pytestmark = pytest.mark.asyncio


async def test_without_room_it_waits_and_new_readings_go_first(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        quota = buffer._writer.quota
        quota._page_limit = 60
        with pytest.raises(BufferFullError):
            await salvager.once()
        await buffer.append(gateway.portion(3))
        quota._page_limit = 1_000_000
        await salvager.once()
        expected = without_receipt(frames)
        assert (await waiting(buffer))[: len(expected)] == expected


async def test_what_was_given_up_before_the_damage_comes_back_as_headstones(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path, room_pages=200)
    async with gateway.opened() as buffer:
        for _ in range(30):
            await buffer.append(gateway.portion(1000))
        held = await buffer.unreceipted(100)
        frames = await buffer.frames(held)
    stones = [one for one in held if one.is_headstone]
    assert len(stones) > 10
    destroy_header(gateway.path)
    roomy = Gateway(tmp_path)
    async with started(roomy) as (buffer, salvager):
        await salvager.once()
        assert (await waiting(buffer))[: len(frames)] == list(frames)
        found = await buffer.unreceipted(100)
        assert [one for one in found if one.is_headstone] == stones
        assert buffer.backlog().readings == sum(one.readings for one in held)
        assert await buffer.settle(receipts(stones, Verdict.HEADSTONE)) == len(stones)
    async with roomy.opened() as buffer:
        assert buffer.counters.quarantined == 0


async def test_a_full_quota_gives_up_what_was_salvaged_first(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    destroy_header(gateway.path)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        pages, _ = await buffer._writer.table.pages()
        buffer._writer.quota._page_limit = pages + 60
        for _ in range(20):
            await buffer.append(gateway.portion(300))
        assert buffer.counters.given_up > BATCHES // 2
        told = [one for one in losses(await waiting(buffer)) if one.fields["reason"] == "quota"]
        old = Header.unpack(frames[0].header_bytes).chain_id
        assert told[0].fields["chain"] == str(old)
        readings = buffer.backlog().readings
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        assert buffer.backlog().readings == readings
        await buffer.settle(receipts(await buffer.unreceipted(1000), Verdict.ACCEPTED))
        assert buffer.backlog().unreceipted_count == 0
