"""Whether the newest batches are whole: of real buffers, and of what was done to their bytes."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.lately import Batch, batches_since
from edge_agent.cli import init, verify
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.technician.proof import Proof, Span, proof_of
from edge_agent.wire.events import Event
from edge_agent.wire.header import Header
from edge_agent.wire.signing import SigningKey
from tests.edge_agent.buffer.gateway import KEY, MS, Gateway, Portion, receipts
from tests.edge_agent.buffer.reopening import filled, sql
from tests.edge_agent.buffer.salvage import started

if TYPE_CHECKING:
    from edge_agent.wire.canonical import JsonValue

pytestmark = pytest.mark.asyncio
S = 1000 * MS


async def kept(gateway: Gateway, *portions: Portion) -> list[Batch]:
    """Store portions; return every batch of the buffer."""
    async with gateway.opened() as buffer:
        for portion in portions:
            await buffer.append(portion)
    return list(batches_since(gateway.path, 0))


def proof(batches: list[Batch], *, since_ns: int = 0, now_ns: int | None = None) -> Proof:
    """Return what is found; nothing is a pause that is shorter than a minute."""
    last_ns = Header.unpack(batches[-1].header).wall_ns
    span = Span(since_ns=since_ns, now_ns=now_ns or last_ns, pause_ns=60 * S)
    return proof_of(batches, KEY.verifying_key, span)


def gap(gateway: Gateway, state: str, missed: int, to_ns: int | None = None) -> Portion:
    now = gateway.clock.now()
    fields: dict[str, JsonValue] = {
        "state": state,
        "channels": [1, 2],
        "from_ns": 5 * S,
        "to_ns": to_ns,
        "missed": missed,
        "reason": "no_answer",
    }
    event = Event(type="gap", at_ns=now.utc_ns, mono_ns=now.mono_ns, fields=fields)
    return Portion(events=(event,))


async def test_what_was_stored_is_whole(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    found = proof(await kept(gateway, gateway.portion(3, 3), gateway.portion(3)))
    assert found.is_whole
    assert (found.batches, found.readings, found.compared) == (3, 9, 9)


async def test_what_was_salvaged_counts_and_what_was_lost_is_not_taken_for_delivered(
    tmp_path: Path,
) -> None:
    gateway, frames = await filled(tmp_path)
    sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 30")(gateway.path)
    async with started(gateway) as (_, salvager):
        await salvager.once()
    found = proof(list(batches_since(gateway.path, 0)))
    assert found.batches == len(frames) - 1 + 2  # one is lost; the new chain has two by now
    assert (found.absent, found.duplicates, found.faults) == (0, 0, ())
    assert found.losses == 2


async def test_a_reading_that_is_told_twice_is_found(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    scan = gateway.scan(3)
    twice = [Portion(readings=(scan,)), Portion(readings=(scan, gateway.scan(3)))]
    found = proof(await kept(gateway, *twice))
    assert (found.readings, found.duplicates) == (9, 3)
    assert not found.is_whole


async def test_two_values_of_one_time_are_no_duplicate(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    scan = gateway.scan(3)
    other = replace(scan, raw=scan.raw + 1)
    assert proof(await kept(gateway, Portion(readings=(scan, other)))).duplicates == 0


async def test_a_gap_is_told_once_as_its_last_event_tells_it(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    batches = await kept(gateway, gap(gateway, "open", 1), gap(gateway, "closed", 7, to_ns=9 * S))
    (one,) = proof(batches).gaps
    assert (one.channels, one.from_ns, one.to_ns, one.missed) == ((1, 2), 5 * S, 9 * S, 7)
    assert not proof(batches).is_whole


async def test_a_gap_that_is_open_since_before_is_a_gap_now(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    batches = await kept(gateway, gap(gateway, "open", 1), gateway.portion(3))
    since_ns = Header.unpack(batches[-1].header).wall_ns
    found = proof(batches, since_ns=since_ns)
    assert (found.batches, len(found.gaps), found.is_whole) == (1, 1, False)


async def test_a_gap_that_was_closed_before_is_none_now(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    portions = gap(gateway, "open", 1), gap(gateway, "closed", 7, to_ns=9 * S), gateway.portion(3)
    batches = await kept(gateway, *portions)
    assert proof(batches, since_ns=Header.unpack(batches[-1].header).wall_ns).is_whole


async def test_a_time_in_which_nothing_was_stored_is_a_pause(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    await kept(gateway, gateway.portion(3))
    stopped_ns = gateway.clock.utc_ns
    gateway.clock.utc_ns += 300 * S
    batches = await kept(gateway, gateway.portion(3))
    ((begin_ns, end_ns),) = proof(batches).pauses
    assert begin_ns <= stopped_ns
    assert end_ns - begin_ns >= 300 * S
    lately = proof(batches, since_ns=stopped_ns + 100 * S)
    assert lately.pauses == ((stopped_ns + 100 * S, end_ns),)


async def test_an_agent_that_has_stopped_is_a_pause_until_now(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    batches = await kept(gateway, gateway.portion(3))
    last_ns = Header.unpack(batches[-1].header).wall_ns
    assert proof(batches, now_ns=last_ns + 60 * S).is_whole
    assert proof(batches, now_ns=last_ns + 61 * S).pauses == ((last_ns, last_ns + 61 * S),)


def other_body(batch: Batch) -> Batch:
    return replace(batch, body=batch.body[:-1] + bytes([batch.body[-1] ^ 1]))


def other_signature(batch: Batch) -> Batch:
    return replace(batch, signature=bytes(64))


def other_hash(batch: Batch) -> Batch:
    return replace(batch, batch_hash=bytes(32))


def other_header(batch: Batch) -> Batch:
    return replace(batch, header=batch.header[:-1] + bytes([batch.header[-1] ^ 1]))


@pytest.mark.parametrize("forged", [other_body, other_signature, other_hash, other_header])
async def test_a_changed_byte_is_a_fault_that_names_its_batch(
    tmp_path: Path, forged: Callable[[Batch], Batch]
) -> None:
    gateway = Gateway(tmp_path)
    batches = await kept(gateway, gateway.portion(3), gateway.portion(3))
    found = proof([batches[0], forged(batches[1]), batches[2]])
    assert found.faults[0].startswith(f"batch {batches[1].position}: ")
    assert not found.is_whole


async def test_a_batch_in_the_place_of_another_is_a_fault(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    one, two, three = await kept(gateway, gateway.portion(3), gateway.portion(3))
    swapped = [one, replace(three, position=2), replace(two, position=3)]
    assert any("batch_no" in fault for fault in proof(swapped).faults)


async def test_what_another_key_has_signed_is_a_fault(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    batches = await kept(gateway, gateway.portion(3))
    stranger = SigningKey.from_seed(bytes(32)).verifying_key
    span = Span(since_ns=0, now_ns=gateway.clock.utc_ns, pause_ns=60 * S)
    assert "another key" in proof_of(batches, stranger, span).faults[0]


async def test_what_was_given_up_against_a_receipt_is_counted_as_absent(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    one, _, three = await kept(gateway, gateway.portion(3), gateway.portion(3))
    found = proof([one, replace(three, is_receipted=True)])
    assert (found.absent, found.receipted, found.faults) == (1, 1, ())


async def test_a_receipt_is_seen(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        held = await buffer.append(gateway.portion(3))
        await buffer.settle(receipts(held))
        await buffer.append(gateway.portion(3))  # a receipt reaches the disk with the next commit
    known = [one.is_receipted for one in batches_since(gateway.path, 0)]
    assert known == [False, True, False]


async def test_only_what_was_sealed_since_then_is_looked_at(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    await kept(gateway, gateway.portion(3))
    since_ns = gateway.clock.utc_ns
    batches = await kept(gateway, gateway.portion(3))
    lately = list(batches_since(gateway.path, since_ns))
    assert 0 < len(lately) < len(batches)
    assert lately[-1] == batches[-1]
    assert list(batches_since(gateway.path, since_ns + 60 * S)) == []


async def test_a_file_that_is_no_buffer_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(BufferUnavailableError, match="there is no buffer"):
        list(batches_since(tmp_path / "none.db", 0))
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(BufferUnavailableError, match="cannot be read as a buffer"):
        list(batches_since(tmp_path / "other.db", 0))


async def test_the_command_says_that_nothing_was_stored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "agent.toml"
    where = ["--config", str(config), "--state", str(tmp_path), "--centre", "http://127.0.0.1:1"]
    init.main(["--facility", "PLANT", *where])
    (tmp_path / "centre-receipt.pem").write_bytes((tmp_path / "gateway.pub").read_bytes())
    with pytest.raises(OperatorError, match="there is no buffer yet"):
        verify.main(["--config", str(config)])
    await kept(Gateway(tmp_path))
    capsys.readouterr()
    assert verify.main(["--config", str(config), "--last", "1s"]) == ExitCode.FAILURE
    assert "is the agent running?" in capsys.readouterr().out
    assert verify.main(["--config", str(config), "--json"]) == ExitCode.FAILURE
    assert json.loads(capsys.readouterr().out)["batches"] == 0
