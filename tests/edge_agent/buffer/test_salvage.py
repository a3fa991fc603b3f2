"""What comes back from damaged files, what is told as lost, and that a kill changes neither."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from uuid import UUID

import pytest

from edge_agent.buffer import adopting
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.progress import Step
from edge_agent.buffer.quarantine import SEEN, folders
from edge_agent.buffer.salvage import Salvage
from edge_agent.buffer.summary import salvages_of
from edge_agent.wire.batch import Origin
from edge_agent.wire.document import Document
from edge_agent.wire.header import Header
from edge_agent.wire.signing import SigningKey
from tests.edge_agent.buffer.gateway import Gateway, receipts
from tests.edge_agent.buffer.reopening import (
    BATCHES,
    RECEIPTED,
    filled,
    sql,
    without_receipt,
)
from tests.edge_agent.buffer.salvage import (
    UNREADABLE,
    destroy_header,
    losses,
    numbers_of,
    standing_by,
    started,
    waiting,
)

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("damage", [UNREADABLE, destroy_header])
async def test_every_batch_comes_back_as_it_was_signed_and_waits_for_its_receipt(
    tmp_path: Path, damage: object
) -> None:
    gateway, frames = await filled(tmp_path)
    assert callable(damage)
    damage(gateway.path)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        expected = without_receipt(frames)
        assert (await waiting(buffer))[: len(expected)] == expected
        assert buffer.backlog().readings == 20 * (len(expected) - 1)
        held = await buffer.unreceipted(1000)
        assert await buffer.settle(receipts(held)) == len(held)
        assert buffer.backlog().unreceipted_count == 0
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        assert buffer.counters.quarantined == 0
        assert buffer.backlog().unreceipted_count == 1


async def test_what_the_centre_has_is_kept_for_it_and_not_sent(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        chain = Header.unpack(frames[0].header_bytes).chain_id
        held = await buffer.held_from(chain, 0, 1000)
        assert [one.batch_no for one in held] == list(range(BATCHES + 1))
        receipted = range(BATCHES + 1)[RECEIPTED]
        assert not set(receipted) & set(numbers_of(await waiting(buffer), frames[0]))


@pytest.mark.parametrize("lots", range(4))
async def test_a_kill_between_two_lots_repeats_and_loses_nothing(tmp_path: Path, lots: int) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        for _ in range(100):
            await buffer.append(gateway.portion(500))
        expected = await waiting(buffer)
    UNREADABLE(gateway.path)
    copy = tmp_path / "after the kill"
    async with started(gateway) as (buffer, salvager):
        (work,), _ = await salvager._pending()
        await salvager._take_tables(work)
        async with salvager._remains(work.folder) as (_, remains):
            for _ in range(lots):
                lot = remains.lot(work.progress.at)
                assert lot is not None
                taken = adopting.Salvaged(batches=lot.batches)
                await salvager._adopt(work, taken, work.progress.after(lot))
        gateway.crash_to(copy)
    folders(tmp_path / "buffer.db")[0].parent.rename(copy / "quarantine")
    async with started(gateway) as (buffer, salvager):
        assert buffer.backlog().unreceipted_count > lots
        await salvager.once()
        assert (await waiting(buffer))[: len(expected)] == expected
        assert salvager.status().salvaged_batches == len(expected)


async def test_documents_come_back_with_the_batches_that_need_them(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    document = Document.of(bytes(range(256)) * 100)
    async with gateway.opened() as buffer:
        await buffer.keep(document)
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        assert await buffer.document(document.digest) is None
        await salvager.once()
        assert await buffer.document(document.digest) == document


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(lambda one: replace(one, key=SigningKey.from_seed(bytes(32))), id="key"),
        pytest.param(lambda one: replace(one, gateway_id=UUID(int=3)), id="gateway"),
    ],
)
async def test_batches_of_another_gateway_or_key_stay_where_they_are(
    tmp_path: Path, changed: Callable[[Origin], Origin]
) -> None:
    gateway, frames = await filled(tmp_path)
    UNREADABLE(gateway.path)
    gateway.origin = changed(gateway.origin)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        assert numbers_of(await waiting(buffer), frames[0]) == []
        (progress,) = salvages_of(gateway.path).values()
        assert (progress.salvaged, progress.foreign) == (0, len(frames))


async def test_what_lies_in_two_quarantines_comes_back_once(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        (folder,) = folders(gateway.path)
        copytree(folder, folder.with_name("again"))
        await salvager.once()
        assert salvager.status().folders == 2
        assert salvager.status().salvaged_batches == len(frames)
        expected = without_receipt(frames)
        assert (await waiting(buffer))[: len(expected)] == expected


async def test_damage_that_comes_while_the_agent_runs_is_salvaged_too(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with standing_by(gateway) as (buffer, standby):
        for _ in range(5):
            await buffer.append(gateway.portion(20))
        expected = await waiting(buffer)
        assert standby.status() == Salvage()
        buffer._writer.found_damage("a test says so")
        await buffer.append(gateway.portion(20))
        while standby.status().salvaged_batches < len(expected):
            await buffer.append(gateway.portion(1))
        found = await waiting(buffer)
        assert found[: len(expected)] == expected
        # The agent knew the last batch: nothing can have been behind it.
        assert losses(found) == []


async def test_what_was_set_aside_before_a_start_is_salvaged(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    UNREADABLE(gateway.path)
    async with gateway.opened():
        pass
    async with standing_by(gateway) as (buffer, standby):
        while standby.status().salvaged_batches < len(frames):
            await buffer.append(gateway.portion(1))
        assert standby.status().folders == 1


async def test_a_salvaged_batch_that_is_damaged_in_its_turn_never_leaves(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    UNREADABLE(gateway.path)
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
    sql("UPDATE sealed SET body = zeroblob(99) WHERE position < 0")(gateway.path)
    async with started(gateway) as (buffer, salvager):
        assert buffer.counters.quarantined == 0
        with pytest.raises(BufferUnavailableError, match="not what was signed"):
            await waiting(buffer)
        await buffer.append(gateway.portion(1))
        assert buffer.counters.quarantined == 1
        salvager._generation = 1
        await salvager.once()
        expected = without_receipt(frames)
        found = await waiting(buffer)
        assert found[: len(expected)] == expected
        assert len(folders(gateway.path)) == 2


async def test_a_batch_that_waits_and_is_gone_is_noticed_before_anything_leaves(
    tmp_path: Path,
) -> None:
    gateway, _ = await filled(tmp_path)
    async with gateway.opened() as buffer:
        await buffer._writer.database.rows("DELETE FROM sealed WHERE position = 30")
        with pytest.raises(BufferUnavailableError, match="missing"):
            await buffer.unreceipted(1000)
        await buffer.append(gateway.portion(1))
        assert buffer.counters.quarantined == 1


async def test_a_quarantine_is_an_alarm_until_an_operator_has_looked(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    UNREADABLE(gateway.path)
    async with started(gateway) as (_, salvager):
        await salvager.once()
        assert (salvager.status().folders, salvager.status().unseen) == (1, 1)
        (folder,) = folders(gateway.path)
        assert salvages_of(gateway.path)[folder].step is Step.DONE
        (folder / SEEN).touch()
        assert salvager.status().unseen == 0
