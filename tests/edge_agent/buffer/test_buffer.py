"""What the rest of the agent may rely on when it opens a buffer, appends to it and reads."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.buffer import schema
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.records import Key, Nothing
from edge_agent.buffer.store import Buffer
from edge_agent.wire.batch import SignedBatch, open_body
from edge_agent.wire.document import Document
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, SigningKey
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, BatchFlag, Hash
from tests.edge_agent.buffer.gateway import (
    CONFIG,
    GATEWAY,
    KEY,
    Gateway,
    Portion,
    events_of,
    numbers,
    raw_of,
    receipts,
)

pytestmark = pytest.mark.asyncio

PRAGMA_FULL = 2


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


async def headers(buffer: Buffer) -> list[Header]:
    """Return the headers of all that waits."""
    frames = await buffer.frames(await buffer.unreceipted(10_000))
    return [Header.unpack(frame.header_bytes) for frame in frames]


async def test_a_new_buffer_begins_with_continue_config_and_boot(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        (held,) = await buffer.unreceipted(10)
        (frame,) = await buffer.frames([held])
    told = events_of(frame)
    assert [event.type for event in told] == ["continue", "config_applied", "boot"]
    assert dict(told[0].fields) == {"reason": "enrol", "previous": None}
    assert told[1].fields["config_hash"] == CONFIG.hex()
    assert told[2].fields["boot_count"] == 1
    assert told[2].fields["software"] == "test"
    assert told[2].fields["hardware"] == {"machine_id": "m"}
    assert Header.unpack(frame.header_bytes).is_genesis


async def test_what_is_appended_is_read_back_signed_and_in_order(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        portion = gateway.portion(3, 2)
        (held,) = await buffer.append(portion)
        (frame,) = await buffer.frames([held])
    header = Header.unpack(frame.header_bytes)
    assert raw_of(frame) == [int(raw) for scan in portion.readings for raw in scan.raw]
    KEY.verifying_key.verify(BATCH_CONTEXT, frame.header_bytes, frame.signature)
    assert batch_hash(frame.header_bytes) == held.batch_hash
    assert (header.gateway_id, header.record_count, held.record_count) == (GATEWAY, 5, 5)
    assert held.size == 8 + 312 + 64 + len(frame.body)


async def test_scans_with_one_time_stamp_are_all_stored(gateway: Gateway) -> None:
    one = gateway.portion(2).readings[0]
    async with gateway.opened() as buffer:
        portion = Portion(readings=(one, one, one))
        (held,) = await buffer.append(portion)
        (frame,) = await buffer.frames([held])
    assert raw_of(frame) == 3 * one.raw.tolist()


async def test_each_batch_names_the_one_before_and_counts_on(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        for rows in (1, 5, 2):
            await buffer.append(gateway.portion(rows))
        found = await headers(buffer)
        hashes = [held.batch_hash for held in await buffer.unreceipted(10)]
    assert [header.batch_no for header in found] == [0, 1, 2, 3]
    assert [header.first_seq for header in found] == [0, 0, 1, 6]
    assert [header.prev_batch_hash for header in found[1:]] == hashes[:-1]


async def test_seventy_thousand_rows_are_two_batches_in_one_transaction(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        commits = buffer.counters.commits
        held = await buffer.append(gateway.portion(*[1000] * 70, is_last=True))
        assert buffer.counters.commits == commits + 1
        assert [one.record_count for one in held] == [65_000, 5_000]
        flags = [header.flags for header in await headers(buffer)]
    assert [BatchFlag.LAST_BEFORE_STOP in flag for flag in flags] == [False, False, True]


async def test_more_events_than_a_batch_takes_are_cut_in_order(gateway: Gateway) -> None:
    told = tuple(gateway.note(f"{number}") for number in range(1500))
    async with gateway.opened() as buffer:
        held = await buffer.append(Portion(events=told))
        frames = await buffer.frames(held)
    texts = [event.fields["text"] for frame in frames for event in events_of(frame)]
    assert texts == [str(number) for number in range(1500)]
    assert len(frames) == 2


async def test_a_portion_without_content_makes_no_batch(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        assert await buffer.append(Nothing()) == ()
        assert buffer.backlog().unreceipted_count == 1


async def test_nothing_is_seen_before_it_would_survive_a_kill(
    gateway: Gateway, tmp_path: Path
) -> None:
    other = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        async with asyncio.TaskGroup() as both:
            both.create_task(buffer.append(gateway.portion(*[1000] * 20)))
            await asyncio.sleep(0)
            seen = await buffer.newest(1)
            other.crash_to(tmp_path / "copy")
            other.reboot()
        async with other.opened() as reopened:
            assert set(seen) <= set(await reopened.unreceipted(10))


async def test_a_boot_is_counted_once_and_the_agents_starts_are_all_told(gateway: Gateway) -> None:
    async with gateway.opened():
        pass
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1, is_last=True))
    gateway.reboot()
    async with gateway.opened() as buffer:
        frames = await buffer.frames(await buffer.unreceipted(10))
    boots = [event for frame in frames for event in events_of(frame) if event.type == "boot"]
    assert [event.fields["boot_count"] for event in boots] == [1, 1, 2]
    assert [event.fields["clean"] for event in boots] == [True, False, True]
    counts = [Header.unpack(frame.header_bytes).boot_count for frame in frames]
    assert counts == [1, 1, 1, 2]


async def test_an_unknown_error_of_the_clock_is_said_in_the_header(gateway: Gateway) -> None:
    gateway.clock.error_ms = None
    async with gateway.opened() as buffer:
        (header,) = await headers(buffer)
    assert header.wall_unc_ms == UNKNOWN_ERROR_MS
    assert BatchFlag.CLOCK_UNTRUSTED in header.flags


async def test_a_monotonic_clock_that_falls_within_a_boot_stops_the_append(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        gateway.clock.mono_ns = 0
        with pytest.raises(RuntimeError, match="mono_ns falls"):
            await buffer.append(gateway.portion(1))
        assert buffer.backlog().unreceipted_count == 1


async def test_a_new_configuration_is_told_first_in_its_first_batch(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        await buffer.apply(replace(gateway.origin, config_hash=Hash(b"d" * 32)))
        held = await buffer.append(Portion(events=(gateway.note("after"),)))
        held += await buffer.append(gateway.portion(1))
        first, second = await buffer.frames(held)
    assert [event.type for event in events_of(first)] == ["config_applied", "note"]
    assert events_of(second) == []


async def test_a_new_key_begins_a_new_chain_behind_the_old_one(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        (old,) = await buffer.append(gateway.portion(1))
    gateway.origin = replace(gateway.origin, key=SigningKey.from_seed(b"k" * 32))
    async with gateway.opened() as buffer:
        frames = await buffer.frames(await buffer.unreceipted(10))
        backlog = buffer.backlog()
    told = events_of(frames[-1])[0]
    assert backlog.unreceipted_count == 3
    assert told.fields["reason"] == "reset"
    assert told.fields["previous"] == {
        "chain": str(old.chain_id),
        "batch_no": str(old.batch_no),
        "batch_hash": old.batch_hash.hex(),
    }


async def test_after_a_fork_the_next_batch_begins_a_chain_and_the_old_one_stays(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        (old,) = await buffer.append(gateway.portion(1))
        await buffer.begin_chain("fork")
        (new,) = await buffer.append(gateway.portion(1))
        assert (new.batch_no, new.chain_id != old.chain_id) == (0, True)
        assert numbers(await buffer.held_from(old.chain_id, 0, 10)) == [0, 1]
        assert numbers(await buffer.held_from(new.chain_id, 0, 10)) == [0]
        await buffer.settle(receipts([old, new]))
    async with gateway.opened() as buffer:
        assert numbers(await buffer.unreceipted(10)) == [0, 1]


async def test_frames_come_in_the_order_asked_for_without_those_that_are_gone(
    gateway: Gateway,
) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
        first, second = await buffer.unreceipted(10)
        never = Key(chain_id=first.chain_id, batch_no=2)
        frames = await buffer.frames([second, never, first.key])
        assert [batch_hash(frame.header_bytes) for frame in frames] == [
            second.batch_hash,
            first.batch_hash,
        ]
        assert numbers(await buffer.held([never, second.key])) == [1]


async def test_an_append_wakes_who_waits_for_a_change(gateway: Gateway) -> None:
    async with gateway.opened() as buffer, asyncio.TaskGroup() as tasks:
        woken = tasks.create_task(buffer.changed())
        await asyncio.sleep(0)
        assert not woken.done()
        await buffer.append(gateway.portion(1))


async def test_documents_are_kept_under_their_hash(gateway: Gateway) -> None:
    bundle, profile = Document.of(b'{"version":1}'), Document.of(b"id = 'x'")
    async with gateway.opened() as buffer:
        for document in (bundle, profile, bundle):
            await buffer.keep(document)
        with pytest.raises(RefusedError, match="not the document"):
            await buffer.keep(Document(digest=bundle.digest, packed=profile.packed))
    async with gateway.opened() as buffer:
        assert await buffer.document(bundle.digest) == bundle
        assert await buffer.document(profile.digest) == profile
        assert await buffer.document(Hash(bytes(32))) is None


async def test_a_second_agent_does_not_get_the_buffer(gateway: Gateway) -> None:
    async with gateway.opened():
        with pytest.raises(BufferUnavailableError, match="another agent"):
            async with gateway.opened():
                pass


async def test_synchronous_is_full_on_each_connection(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        database = buffer._writer.database
        assert await database.rows("PRAGMA synchronous") == [(PRAGMA_FULL,)]
        database._is_sound = False
        await buffer.append(gateway.portion(1))
        assert buffer.counters.reopened == 1
        assert await database.rows("PRAGMA synchronous") == [(PRAGMA_FULL,)]
        assert await database.rows("PRAGMA page_size") == [(schema.PAGE_BYTES,)]


async def test_a_pragma_that_does_not_take_stops_the_start(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = tuple(
        (name, "NORMAL" if name == "synchronous" else value, expected)
        for name, value, expected in schema.PRAGMAS
    )
    monkeypatch.setattr(schema, "PRAGMAS", ignored)
    with pytest.raises(RuntimeError, match="PRAGMA synchronous is 1, must be 2"):
        async with gateway.opened():
            pass


async def test_a_body_can_be_verified_against_its_header_alone(gateway: Gateway) -> None:
    async with gateway.opened() as buffer:
        held = await buffer.append(gateway.portion(1))
        (frame,) = await buffer.frames(held)
    batch = SignedBatch(
        header=Header.unpack(frame.header_bytes),
        header_bytes=frame.header_bytes,
        signature=frame.signature,
        body=frame.body,
    )
    assert batch.batch_hash == held[0].batch_hash
    assert open_body(batch.header, batch.body).event_lines == ()
