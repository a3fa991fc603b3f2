"""One signing key after another in the buffer: the last word of one, the first of the next."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.buffer.quarantine import folders
from edge_agent.buffer.reading import key_after
from edge_agent.buffer.records import NextKey
from edge_agent.buffer.verifying import THOROUGH, Damaged, Intact, inspect_file
from edge_agent.clock import Instant
from edge_agent.configured import clock_of
from edge_agent.wire.enrolment import rotation_message
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.signing import ROTATION_CONTEXT, SigningKey
from tests.edge_agent.buffer.gateway import GATEWAY, KEY, Gateway, events_of, receipts
from tests.edge_agent.buffer.reopening import sql
from tests.edge_agent.buffer.salvage import UNREADABLE, destroy_header, started, waiting
from tests.edge_agent.line import S, SteppedClock

pytestmark = pytest.mark.asyncio
NEXT = SigningKey.from_seed(b"n" * 32)


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


async def test_the_old_key_signs_that_the_new_one_follows_and_that_one_agrees(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
        (last,) = await buffer.append(NextKey(key=NEXT))
        (first,) = await buffer.append(gateway.portion(1))
        frames = await buffer.frames([last, first])
    headers = [Header.unpack(frame.header_bytes) for frame in frames]
    assert [header.key_id for header in headers] == [KEY.key_id, NEXT.key_id]
    told = events_of(frames[0])[-1]
    assert (told.type, told.fields["key"]) == ("key_rotated", NEXT.key_id.hex())
    message = rotation_message(
        gateway_id=GATEWAY,
        chain_id=last.chain_id,
        old_key_id=KEY.key_id,
        new_key=NEXT.verifying_key,
    )
    proof = bytes.fromhex(str(told.fields["proof"]))
    NEXT.verifying_key.verify(ROTATION_CONTEXT, message, proof)
    begun = events_of(frames[1])[0]
    assert begun.fields == {
        "reason": "key_rotation",
        "previous": {
            "chain": str(last.chain_id),
            "batch_no": str(last.batch_no),
            "batch_hash": last.batch_hash.hex(),
        },
    }
    assert (first.batch_no, first.chain_id != last.chain_id) == (0, True)


async def test_a_stop_between_the_two_chains_changes_nothing(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(NextKey(key=NEXT))
    assert key_after(gateway.settings.path) == NEXT.key_id
    gateway.origin = replace(gateway.origin, key=NEXT)
    async with gateway.opened() as buffer:
        frames = await buffer.frames(await buffer.unreceipted(10))
    assert events_of(frames[-1])[0].fields["reason"] == "key_rotation"
    path = gateway.settings.path
    found = inspect_file(path, gateway_id=GATEWAY, key=NEXT.verifying_key, depth=THOROUGH)
    assert isinstance(found, Intact)


async def test_a_rotation_after_a_fork_is_told_in_the_chain_that_it_ends(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await buffer.begin_chain("fork")
        (last,) = await buffer.append(NextKey(key=NEXT))
        (frame,) = await buffer.frames([last])
    fields = events_of(frame)[-1].fields
    message = rotation_message(
        gateway_id=GATEWAY,
        chain_id=last.chain_id,
        old_key_id=KEY.key_id,
        new_key=NEXT.verifying_key,
    )
    NEXT.verifying_key.verify(ROTATION_CONTEXT, message, bytes.fromhex(str(fields["proof"])))


async def test_batches_under_a_key_that_the_centre_cannot_know_do_not_go_first(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
        (last,) = await buffer.append(NextKey(key=NEXT))
        (first,) = await buffer.append(gateway.portion(1))
        assert [one.key_id for one in await buffer.newest(2)] == [KEY.key_id]
        waiting = await buffer.unreceipted(10)
        await buffer.settle(receipts([one for one in waiting if one != first]))
        assert await buffer.newest(2) == (first,)
        assert last in waiting


async def test_the_key_after_what_cannot_be_read_is_not_known(tmp_path: Path) -> None:
    assert key_after(tmp_path / "none.db") is None
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(b"x" * 4096)
    assert key_after(damaged) is None


async def test_the_key_after_an_ordinary_batch_is_its_own(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
    assert key_after(gateway.settings.path) == KEY.key_id


async def test_batches_of_both_keys_come_back_from_damaged_files(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(3))
        await buffer.append(NextKey(key=NEXT))
        await buffer.append(gateway.portion(3))
        expected = await waiting(buffer)
    destroy_header(gateway.path)
    gateway.origin = replace(gateway.origin, key=NEXT, earlier=(KEY.verifying_key,))
    async with started(gateway) as (buffer, salvager):
        await salvager.once()
        found = {frame.header_bytes for frame in await waiting(buffer)}
    assert found >= {frame.header_bytes for frame in expected}
    keys = {Header.unpack(frame.header_bytes).key_id for frame in expected}
    assert keys == {KEY.key_id, NEXT.key_id}


async def test_a_salvage_knows_the_key_that_followed_while_it_waited(gateway: Gateway) -> None:
    async with started(gateway) as (buffer, salvager):
        await buffer.append(gateway.portion(3))
        await buffer.append(NextKey(key=NEXT))
        await buffer.append(gateway.portion(3))
        async with salvager._remains(gateway.path.parent) as (_, remains):
            assert set(remains._keys) == {KEY.key_id, NEXT.key_id}


class Booted(SteppedClock):
    """The clock of a machine that has just begun at 1970."""

    def now(self) -> Instant:
        return Instant(utc_ns=5 * S, mono_ns=5 * S)


def continued(reason: str, header_bytes: bytes) -> dict[str, object]:
    """Return what a chain must say that continues the batch of this header."""
    header = Header.unpack(header_bytes)
    previous = {
        "chain": str(header.chain_id),
        "batch_no": str(header.batch_no),
        "batch_hash": batch_hash(header_bytes).hex(),
    }
    return {"reason": reason, "previous": previous}


async def rotated(gateway: Gateway, *, later: int) -> list[bytes]:
    """Rotate the key of a gateway; return the headers of everything, the new key's batches last."""
    async with gateway.opened() as buffer:
        for _ in range(3):
            await buffer.append(gateway.portion(2))
        await buffer.append(NextKey(key=NEXT))
        for _ in range(later):
            await buffer.append(gateway.portion(2))
        headers = [frame.header_bytes for frame in await waiting(buffer)]
        gateway.crash_to(gateway.path.parent / "after")
    gateway.origin = replace(gateway.origin, key=NEXT, earlier=(KEY.verifying_key,))
    return headers


@pytest.mark.parametrize("later", [0, 1])
@pytest.mark.parametrize("reboots", [True, False])
async def test_a_start_right_after_a_rotation_loses_and_sets_aside_nothing(
    gateway: Gateway, later: int, *, reboots: bool
) -> None:
    before = await rotated(gateway, later=later)
    if reboots:
        gateway.reboot()
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
        frames = await waiting(buffer)
    assert folders(gateway.path) == []
    assert [frame.header_bytes for frame in frames][: len(before)] == before
    headers = [Header.unpack(frame.header_bytes) for frame in frames]
    keys = [header.key_id for header in headers]
    old_count = keys.count(KEY.key_id)
    assert keys == [KEY.key_id] * old_count + [NEXT.key_id] * (len(keys) - old_count)
    assert len(keys) > old_count == len(before) - later
    assert events_of(frames[old_count])[0].fields == continued(
        "key_rotation", before[old_count - 1]
    )
    assert len({header.chain_id for header in headers}) == 2


@pytest.mark.parametrize("later", [0, 1])
async def test_a_start_right_after_a_rotation_knows_the_time_that_was_signed(
    gateway: Gateway, later: int
) -> None:
    before = await rotated(gateway, later=later)
    clock = await clock_of(Booted(), gateway.path, gateway.origin, UUID(int=99))
    assert clock.now().utc_ns == Header.unpack(before[-1]).wall_ns


async def test_a_buffer_damaged_right_after_a_rotation_still_names_its_last_batch(
    gateway: Gateway,
) -> None:
    before = await rotated(gateway, later=0)
    UNREADABLE(gateway.path)
    async with gateway.opened() as buffer:
        (frame, *_) = await waiting(buffer)
    assert len(folders(gateway.path)) == 1
    assert events_of(frame)[0].fields == continued("quarantine", before[-1])


async def test_a_signature_of_the_key_before_is_verified_while_that_key_is_known(
    gateway: Gateway,
) -> None:
    await rotated(gateway, later=1)
    sql("UPDATE sealed SET signature = zeroblob(64) WHERE position = 2")(gateway.path)
    new = NEXT.verifying_key
    assert isinstance(inspect_file(gateway.path, gateway_id=GATEWAY, key=new), Intact)
    found = inspect_file(gateway.path, gateway_id=GATEWAY, key=new, earlier=[KEY.verifying_key])
    assert isinstance(found, Damaged)


async def test_a_key_that_was_put_back_behind_its_last_word_begins_another_chain(
    gateway: Gateway,
) -> None:
    before = await rotated(gateway, later=0)
    gateway.origin = replace(gateway.origin, key=KEY, earlier=())
    async with gateway.opened() as buffer:
        *_, frame = await waiting(buffer)
    assert events_of(frame)[0].fields == continued("reset", before[-1])
