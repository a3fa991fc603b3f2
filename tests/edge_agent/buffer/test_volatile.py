"""While storage refuses writes: a chain in memory, sent like any other, and what becomes of it."""

from pathlib import Path

import pytest

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.store import Buffer
from edge_agent.wire.batch import open_body
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.signing import BATCH_CONTEXT
from tests.edge_agent.buffer.gateway import (
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


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


async def refused(buffer: Buffer, *portions: Portion) -> None:
    """Let the storage refuse these portions, which memory then takes."""
    for portion in portions:
        with pytest.raises(BufferUnavailableError):
            await buffer.append(portion)
        assert await buffer.append_volatile(portion)


def words(*portions: Portion) -> list[int]:
    """Return the raw words of portions."""
    return [int(raw) for portion in portions for scan in portion.readings for raw in scan.raw]


async def raw_words(buffer: Buffer) -> list[int]:
    """Return the raw words of all that waits."""
    frames = await buffer.frames(await buffer.unreceipted(1000))
    return [raw for frame in frames for raw in raw_of(frame)]


async def test_what_storage_refuses_goes_out_on_a_chain_of_its_own(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        (before,) = await buffer.append(gateway.portion(2))
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        first, second = gateway.portion(3), gateway.portion(4)
        await refused(buffer, first, second)
        found = (await buffer.unreceipted(100))[-2:]
        frames = await buffer.frames(found)
        failing.refuses = False
        assert {one.chain_id for one in found} != {before.chain_id}
        assert numbers(found) == [0, 1]
        assert [raw_of(frame) for frame in frames] == [words(first), words(second)]
        told = events_of(frames[0])[0]
        assert told.fields == {
            "reason": "volatile",
            "previous": {
                "chain": str(before.chain_id),
                "batch_no": str(before.batch_no),
                "batch_hash": before.batch_hash.hex(),
            },
        }
        for frame in frames:
            KEY.verifying_key.verify(BATCH_CONTEXT, frame.header_bytes, frame.signature)
            open_body(Header.unpack(frame.header_bytes), frame.body)


async def test_when_storage_returns_the_chain_is_durable_and_another_goes_on(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    portions = [gateway.portion(rows) for rows in (2, 3, 4, 5)]
    async with gateway.opened() as buffer:
        await buffer.append(portions[0])
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        await refused(buffer, *portions[1:3])
        (_, volatile) = (await buffer.unreceipted(100))[-2:]
        failing.refuses = False
        (after,) = await buffer.append(portions[3])
        assert after.batch_no == 0
        assert after.chain_id != volatile.chain_id
        (frame,) = await buffer.frames([after])
        previous = events_of(frame)[0].fields["previous"]
        assert previous == {
            "chain": str(volatile.chain_id),
            "batch_no": "1",
            "batch_hash": volatile.batch_hash.hex(),
        }
        held = await buffer.unreceipted(100)
        assert buffer.storage().volatile_readings == 0
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        assert (await buffer.unreceipted(100))[: len(held)] == held
        assert await raw_words(buffer) == words(*portions)


async def test_receipts_free_what_is_in_memory_and_only_the_rest_becomes_durable(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        portions = [gateway.portion(rows) for rows in (1, 2, 3)]
        await refused(buffer, *portions)
        volatile = (await buffer.unreceipted(100))[-3:]
        assert await buffer.settle(receipts(volatile[:2])) == 2
        assert await buffer.settle(receipts(volatile[:1])) == 0
        assert buffer.storage().volatile_readings == 3
        failing.refuses = False
        await buffer.append(gateway.portion(4))
        assert await raw_words(buffer) == [*words(portions[2]), *(await raw_words(buffer))[3:]]
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        assert numbers(await buffer.held_from(volatile[0].chain_id, 0, 10)) == [2]


async def test_a_chain_all_of_whose_batches_have_receipts_leaves_no_hole(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        await refused(buffer, gateway.portion(1), gateway.portion(2))
        await buffer.settle(receipts((await buffer.unreceipted(100))[-2:]))
        failing.refuses = False
        await buffer.append(gateway.portion(4))
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0


async def test_a_commit_of_which_nobody_knows_is_neither_lost_nor_sent_from_memory(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    for before, after in ((2, 0), (1, 1), (0, 2)):
        folder = gateway.path.parent / f"{before}{after}"
        folder.mkdir()
        one = Gateway(folder)
        async with one.opened() as buffer:
            failing = Failing(buffer._writer.database, monkeypatch)
            failing.before, failing.after = before, after
            portions = [one.portion(rows) for rows in (2, 3, 4)]
            await refused(buffer, portions[0])
            assert buffer.storage().volatile_readings == 0
            failing.refuses = True
            await refused(buffer, portions[1])
            assert buffer.storage().volatile_readings == 3
            failing.refuses = False
            await buffer.append(portions[2])
            assert sorted(await raw_words(buffer)) == sorted(words(*portions))


async def test_what_a_device_waits_for_to_be_durable_is_not_taken_into_memory(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        portion = Portion(readings=(gateway.scan(),), marks=(b"m" * 16,))
        with pytest.raises(BufferUnavailableError):
            await buffer.append(portion)
        assert not await buffer.append_volatile(portion)
        failing.refuses = False
        await buffer.append(portion)
        assert await raw_words(buffer) == words(portion)


async def test_memory_that_is_full_takes_no_more(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        monkeypatch.setattr("edge_agent.buffer.volatile.MOST_BYTES", 20_000)
        await refused(buffer, gateway.portion(1000), gateway.portion(1000))
        portion = gateway.portion(1)
        with pytest.raises(BufferUnavailableError):
            await buffer.append(portion)
        assert not await buffer.append_volatile(portion)
        failing.refuses = False


async def test_a_stop_makes_the_chain_durable_and_a_later_agent_never_goes_on_with_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    portion = gateway.portion(3)
    async with gateway.opened() as buffer:
        failing = Failing(buffer._writer.database, monkeypatch)
        failing.refuses = True
        await refused(buffer, portion)
        volatile = (await buffer.unreceipted(100))[-1:]
        failing.refuses = False
    async with gateway.opened() as buffer:
        (held,) = await buffer.append(gateway.portion(1))
        assert held.chain_id != volatile[0].chain_id
        assert words(portion) == (await raw_words(buffer))[:3]
        (frame,) = await buffer.frames(volatile)
        assert batch_hash(frame.header_bytes) == volatile[0].batch_hash
