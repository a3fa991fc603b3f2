"""A buffer full of what waits: the oldest readings go, and a signed event says which."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.buffer.content import Intact
from edge_agent.buffer.giving_up import LossReason
from edge_agent.buffer.records import Held
from edge_agent.buffer.store import Buffer
from edge_agent.buffer.verifying import THOROUGH, inspect_file
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.vocabulary import BatchFlag, Verdict
from tests.edge_agent.buffer.gateway import (
    GATEWAY,
    KEY,
    Gateway,
    Portion,
    events_of,
    numbers,
    raw_of,
    receipts,
)
from tests.edge_agent.buffer.storage_faults import Failing

pytestmark = pytest.mark.asyncio

# Room for about ten portions of a thousand random words.
ROOM_PAGES = 200
ROWS = 1000
# docs/wire-format.md section 2.
PREV_BATCH_HASH = 120


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path, room_pages=ROOM_PAGES)


async def filled(gateway: Gateway, buffer: Buffer, count: int) -> list[list[int]]:
    """Append so many portions; return the raw words of each."""
    words: list[list[int]] = []
    for _ in range(count):
        portion = gateway.portion(ROWS)
        words.append([int(raw) for raw in portion.readings[0].raw])
        await buffer.append(portion)
    return words


async def waiting(buffer: Buffer) -> tuple[tuple[Held, ...], tuple[BatchFrame, ...]]:
    """Return what waits, and its frames."""
    held = await buffer.unreceipted(10_000)
    return held, await buffer.frames(held)


def lost_numbers(frames: Sequence[BatchFrame]) -> list[int]:
    """Return the numbers of the batches that loss events name."""
    events = [event for frame in frames for event in events_of(frame) if event.type == "loss"]
    return [
        number
        for event in events
        for number in range(event.integer("first_batch"), event.integer("last_batch") + 1)
    ]


def names_of_lost(frames: Sequence[BatchFrame]) -> list[tuple[bytes, bytes]]:
    """Return the names of the batches that are lost whole, each with that of the one before."""
    return [
        (
            bytes.fromhex(str(event.fields["batch_hash"])),
            bytes.fromhex(str(event.fields["prev_batch_hash"])),
        )
        for frame in frames
        for event in events_of(frame)
        if "batch_hash" in event.fields
    ]


async def test_the_oldest_readings_go_and_their_headstones_stay(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        words = await filled(gateway, buffer, 60)
        held, frames = await waiting(buffer)
        assert numbers(held) == list(range(61))
        stones = [one for one in held if one.is_headstone]
        assert numbers(stones) == list(range(1, len(stones) + 1))
        assert len(stones) > 40
        for one, frame in zip(held, frames, strict=True):
            assert bool(frame.flags & FrameFlag.HEADSTONE) == one.is_headstone
            if one.is_headstone:
                header = Header.unpack(frame.header_bytes)
                assert open_headstone(header, frame.body).scan_count == 1
                assert one.readings == 0
        assert [raw_of(frame) for frame in frames[len(stones) + 1 :]] == words[len(stones) :]
        assert sorted(lost_numbers(frames)) == numbers(stones)
        assert buffer.counters.given_up == len(stones)
        backlog = buffer.backlog()
        assert backlog.readings == ROWS * (60 - len(stones))
        assert backlog.size_bytes == sum(one.size for one in held)
        assert buffer.usage().free_bytes >= 0


async def test_a_loss_event_names_batches_numbers_and_times(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 30)
        held, frames = await waiting(buffer)
        (first, *_) = [
            (event, Header.unpack(frame.header_bytes))
            for frame in frames
            for event in events_of(frame)
            if event.type == "loss"
        ]
        event, header = first
        assert BatchFlag.LOSS in header.flags
        assert event.fields["chain"] == str(held[0].chain_id)
        assert event.fields["reason"] == LossReason.QUOTA
        assert event.integer("first_batch") == 1
        assert event.integer("first_seq") == 0
        last = event.integer("last_batch")
        assert event.integer("last_seq") == ROWS * last - 1
        assert event.integer("from_ns") < event.integer("to_ns") <= held[last].wall_ns


async def test_events_are_never_given_up(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        told = Portion(readings=(gateway.scan(ROWS),), events=(gateway.note("kept"),))
        (held,) = await buffer.append(told)
        await filled(gateway, buffer, 60)
        (frame,) = await buffer.frames([held])
    assert frame.flags & FrameFlag.HEADSTONE
    assert [event.fields.get("text") for event in events_of(frame)] == ["kept"]


async def test_a_headstone_waits_for_its_receipt_and_then_goes_first(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 40)
        held, _ = await waiting(buffer)
        stones = [one for one in held if one.is_headstone]
        whole = [one for one in held if one.readings]
        assert await buffer.settle(receipts(whole, Verdict.HEADSTONE)) == 0
        assert await buffer.settle(receipts(stones, Verdict.HEADSTONE)) == len(stones)
        given_up = buffer.counters.given_up
        await filled(gateway, buffer, 1)
        await buffer.settle(receipts([held[0], *whole]))
        await filled(gateway, buffer, 8)
        assert buffer.counters.evicted > 0
        assert buffer.counters.given_up <= given_up + 16


async def test_readings_that_arrived_before_they_were_given_up_are_receipted_as_such(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 2)
        before = await buffer.unreceipted(10)
        await filled(gateway, buffer, 40)
        assert await buffer.settle(receipts(before)) == 3


async def test_a_restart_finds_what_was_given_up_as_it_was(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 60)
        held, frames = await waiting(buffer)
        tally = buffer.backlog()
    found = inspect_file(gateway.path, gateway_id=GATEWAY, key=KEY.verifying_key, depth=THOROUGH)
    assert isinstance(found, Intact)
    assert found.unreceipted.readings == tally.readings
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        again, frames_again = await waiting(buffer)
        assert again[: len(held)] == held
        assert frames_again[: len(frames)] == frames
        await filled(gateway, buffer, 20)
        assert sorted(lost_numbers((await waiting(buffer))[1])) == [
            one.batch_no for one in (await waiting(buffer))[0] if one.is_headstone
        ]


async def test_a_commit_that_fails_gives_up_nothing_twice(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        for count in range(30):
            failing.before, failing.after = [(0, 0), (1, 0), (0, 1)][count % 3]
            await filled(gateway, buffer, 1)
        held, frames = await waiting(buffer)
        assert buffer.counters.reopened == 20
        assert sorted(lost_numbers(frames)) == [one.batch_no for one in held if one.is_headstone]
        assert numbers(held) == list(range(31))


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_damaged_copy_is_given_up_whole_and_is_not_sent_any_more(
    gateway: Gateway, *, is_restarted: bool
) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 5)
        held, frames = await waiting(buffer)
        with closing(sqlite3.connect(gateway.path)) as connection, connection:
            body = bytearray(frames[2].body)
            body[40] ^= 1
            connection.execute("UPDATE sealed SET body = ? WHERE position = 3", (bytes(body),))
        assert await buffer.give_up([held[2]]) == 1
        assert numbers(await buffer.unreceipted(100)) == [0, 1, 3, 4, 5, 6]
        assert buffer.backlog().unreceipted_count == 6
        assert buffer.backlog().readings == 4 * ROWS
        assert await buffer.frames([held[2]]) == ()
        assert await buffer.give_up([held[2]]) == 0
        if not is_restarted:
            _, frames = await waiting(buffer)
            assert lost_numbers(frames) == [2]
            assert names_of_lost(frames) == [(held[2].batch_hash, held[2].prev_batch_hash)]
            assert numbers(await buffer.held_from(held[2].chain_id, 2, 2)) == [3, 4]
            return
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        assert numbers(await buffer.unreceipted(100)) == [0, 1, 3, 4, 5, 6, 7]
        assert buffer.backlog().unreceipted_count == 7
        await buffer.settle(receipts(await buffer.unreceipted(100)))
        assert buffer.backlog().unreceipted_count == 0


async def test_a_copy_whose_header_is_damaged_too_is_told_by_number_alone(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 5)
        held, frames = await waiting(buffer)
        with closing(sqlite3.connect(gateway.path)) as connection, connection:
            header = bytearray(frames[2].header_bytes)
            header[PREV_BATCH_HASH] ^= 1
            connection.execute(
                "UPDATE sealed SET header = ?, body = x'00' WHERE position = 3", (bytes(header),)
            )
        assert await buffer.give_up([held[2]]) == 1
        _, frames = await waiting(buffer)
        assert lost_numbers(frames) == [2]
        assert names_of_lost(frames) == []


async def test_of_damaged_neighbours_each_is_told_by_its_name(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 5)
        held, _ = await waiting(buffer)
        with closing(sqlite3.connect(gateway.path)) as connection, connection:
            connection.execute("UPDATE sealed SET body = x'00' WHERE position IN (3, 4)")
        assert await buffer.give_up(held[1:5], LossReason.QUOTA) == 4
        _, frames = await waiting(buffer)
        assert lost_numbers(frames) == [1, 2, 3, 4]
        assert names_of_lost(frames) == [(one.batch_hash, one.prev_batch_hash) for one in held[2:4]]


async def test_an_intact_copy_can_be_given_up_too_and_leaves_its_headstone(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 3)
        held, _ = await waiting(buffer)
        assert await buffer.give_up(held[2:3], LossReason.QUOTA) == 1
        assert await buffer.give_up(held[2:3], LossReason.QUOTA) == 0
        found, frames = await waiting(buffer)
        assert [one.is_headstone for one in found] == [False, False, True, False, False]
        assert lost_numbers(frames) == [2]


async def test_what_has_its_receipt_is_not_given_up(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await filled(gateway, buffer, 3)
        held, _ = await waiting(buffer)
        await buffer.settle(receipts(held[:2]))
        assert await buffer.give_up(held[:2]) == 0
