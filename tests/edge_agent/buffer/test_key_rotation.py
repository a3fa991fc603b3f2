"""One signing key after another in the buffer: the last word of one, the first of the next."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.buffer.reading import key_after
from edge_agent.buffer.records import NextKey
from edge_agent.buffer.verifying import THOROUGH, Intact, inspect_file
from edge_agent.wire.enrolment import rotation_message
from edge_agent.wire.header import Header
from edge_agent.wire.signing import ROTATION_CONTEXT, SigningKey
from tests.edge_agent.buffer.gateway import GATEWAY, KEY, Gateway, events_of, receipts
from tests.edge_agent.buffer.salvage import destroy_header, started, waiting

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
