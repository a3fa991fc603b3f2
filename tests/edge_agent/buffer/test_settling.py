"""What receipts free, when they reach the disk, and in which order the rest is read."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.wire.vocabulary import Hash, Verdict
from tests.edge_agent.buffer.gateway import GATEWAY, Gateway, numbers, receipts

pytestmark = pytest.mark.asyncio


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


async def test_the_backlog_is_what_waits_before_and_after_receipts(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        held = [*await buffer.unreceipted(1)]
        for rows in (1, 2, 3):
            held += await buffer.append(gateway.portion(rows))
        assert await buffer.settle(receipts(held[1:3])) == 2
        backlog = buffer.backlog()
        assert (backlog.unreceipted_count, backlog.readings) == (2, 3)
        assert backlog.size_bytes == held[0].size + held[3].size
        assert (backlog.oldest, backlog.newest) == (held[0], held[3])
        assert await buffer.settle(receipts([held[0], held[3]])) == 2
        backlog = buffer.backlog()
        assert (backlog.unreceipted_count, backlog.oldest, backlog.newest) == (0, None, None)


async def test_the_same_receipt_twice_counts_once(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        held = await buffer.unreceipted(1)
        assert await buffer.settle(receipts(held)) == 1
        assert await buffer.settle(receipts(held)) == 0
        assert await buffer.settle([]) == 0


async def test_receipts_that_do_not_free_what_is_held_here_change_nothing(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        (held,) = await buffer.unreceipted(1)
        other_bytes = replace(held, batch_hash=Hash(b"x" * 32))
        other_place = replace(held, batch_no=7)
        await buffer.settle(receipts([other_bytes, other_place]))
        await buffer.settle(receipts([held], verdict=Verdict.HEADSTONE))
        assert buffer.backlog().unreceipted_count == 1


@pytest.mark.parametrize("verdict", [Verdict.ACCEPTED, Verdict.QUARANTINED, Verdict.BRANCH])
async def test_each_verdict_that_frees_settles(gateway: Gateway, verdict: Verdict) -> None:
    async with gateway.opened() as buffer:
        assert await buffer.settle(receipts(await buffer.unreceipted(1), verdict)) == 1


async def test_receipts_cost_no_commit_and_reach_the_disk_with_the_next(
    gateway: Gateway, tmp_path: Path
) -> None:
    log = gateway.path.with_name("buffer.db-wal")
    async with gateway.opened() as buffer:
        before = log.read_bytes()
        await buffer.settle(receipts(await buffer.unreceipted(1)))
        assert log.read_bytes() == before
        await buffer.append(gateway.portion(1))
        gateway.crash_to(tmp_path / "copy")
    async with gateway.opened() as buffer:
        assert numbers(await buffer.unreceipted(10)) == [1, 2]


async def test_receipts_reach_the_disk_at_the_latest_with_the_close(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await buffer.settle(receipts(await buffer.unreceipted(1)))
    async with gateway.opened() as buffer:
        assert numbers(await buffer.unreceipted(10)) == [1]


async def test_of_a_run_only_the_newest_receipt_is_kept(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        for _ in range(5):
            await buffer.append(gateway.portion(1))
        held = await buffer.unreceipted(10)
        await buffer.settle(receipts([held[5], held[0], held[2], held[1]]))
        await buffer.flush()
        kept = await buffer._writer.database.rows(
            "SELECT first_position, last_position FROM receipt ORDER BY 1"
        )
        assert kept == [(1, 3), (6, 6)]
        assert numbers(await buffer.unreceipted(10)) == [3, 4]


async def test_oldest_and_newest_are_given_in_order_of_age(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        for _ in range(6):
            await buffer.append(gateway.portion(1))
        held = await buffer.unreceipted(10)
        await buffer.settle(receipts([held[1], held[5]]))
        assert numbers(await buffer.unreceipted(3)) == [0, 2, 3]
        assert numbers(await buffer.newest(3)) == [3, 4, 6]
        assert numbers(await buffer.newest(100)) == [0, 2, 3, 4, 6]


async def test_a_chain_can_be_read_from_a_number_on_receipted_or_not(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        for _ in range(4):
            await buffer.append(gateway.portion(1))
        held = await buffer.unreceipted(10)
        await buffer.settle(receipts(held[:3]))
        assert numbers(await buffer.held_from(held[0].chain_id, 1, 3)) == [1, 2, 3]
        assert await buffer.held_from(held[0].chain_id, 5, 3) == ()
        assert await buffer.held_from(GATEWAY, 0, 3) == ()


async def test_the_receipt_given_last_is_known_again_after_a_start(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        assert buffer.newest_receipt() is None
        held = [*await buffer.unreceipted(1)]
        for _ in range(3):
            held += await buffer.append(gateway.portion(1))
        early, late = receipts([held[3]]), receipts([held[1]])
        late = [replace(one, received_ns=early[0].received_ns + 1) for one in late]
        await buffer.settle(early)
        await buffer.settle(late)
        assert buffer.newest_receipt() == late[0]
    async with gateway.opened() as buffer:
        assert buffer.newest_receipt() == late[0]


async def test_the_newest_batch_below_a_number_is_found_receipted_or_not(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        held = [*await buffer.unreceipted(1)]
        for _ in range(3):
            held += await buffer.append(gateway.portion(1))
        await buffer.settle(receipts(held[1:2]))
        chain = held[0].chain_id
        assert await buffer.held_below(chain, 2) == (held[1],)
        assert await buffer.held_below(chain, 2**63 - 1) == (held[3],)
        assert await buffer.held_below(chain, 0) == ()
        assert await buffer.held_from(chain, 2**63 - 1, 1) == ()
        assert await buffer.held_below(UUID(int=1), 2) == ()
