"""Start-up over whatever bytes lie in the folder: it succeeds, deletes nothing, invents nothing."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.buffer import opening
from edge_agent.buffer.content import Damaged
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.verifying import THOROUGH, Depth, inspect_file
from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.header import batch_hash
from tests.edge_agent.buffer.gateway import (
    GATEWAY,
    KEY,
    Gateway,
    events_of,
    numbers,
    raw_of,
    receipts,
)

BATCHES = 40
# Not the genesis: its events tell how a chain began, and only what waits is verified whole.
RECEIPTED = slice(1, 11)
PAGE = 512


async def filled(folder: Path) -> tuple[Gateway, list[BatchFrame]]:
    """Return a gateway whose buffer is closed, and its batches; those of RECEIPTED have theirs."""
    gateway = Gateway(folder)
    async with gateway.opened() as buffer:
        for _ in range(BATCHES):
            await buffer.append(gateway.portion(20))
        held = await buffer.unreceipted(1000)
        await buffer.settle(receipts(held[RECEIPTED]))
        return gateway, list(await buffer.frames(held))


def without_receipt(frames: list[BatchFrame]) -> list[BatchFrame]:
    """Return the batches that wait in a buffer made by `filled`."""
    return [*frames[: RECEIPTED.start], *frames[RECEIPTED.stop :]]


async def opened(gateway: Gateway) -> tuple[Event, list[BatchFrame]]:
    """Open the buffer; return the first event of its chain and all frames without a receipt."""
    async with gateway.opened() as buffer:
        assert buffer.head is not None
        chain = buffer.head.header.chain_id
        first = await buffer.held_from(chain, 0, 1)
        (genesis,) = await buffer.frames(first)
        return events_of(genesis)[0], list(await buffer.frames(await buffer.unreceipted(1000)))


def quarantined(gateway: Gateway) -> list[Path]:
    """Return the files that were set aside."""
    return sorted(gateway.path.parent.glob("quarantine/*/*"))


@pytest.mark.asyncio
async def test_a_buffer_that_verifies_goes_on_with_its_chain(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    first, waiting = await opened(gateway)
    assert first.fields["reason"] == "enrol"
    assert waiting[:-1] == without_receipt(frames)
    assert not quarantined(gateway)


Damage = Callable[[Path], object]


def _cut_in_half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _make_other_database(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE sealed (position INTEGER PRIMARY KEY)")


def _raise_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 2")


def _sql(statement: str) -> Damage:
    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
            connection.commit()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"\xa5" * 5000), id="garbage"),
        pytest.param(lambda file: file.write_bytes(b"SQLite format 3\0"), id="a header only"),
        pytest.param(_cut_in_half, id="cut in half"),
        pytest.param(_make_folder, id="a folder"),
        pytest.param(_make_other_database, id="another database"),
        pytest.param(_raise_version, id="a later version"),
        pytest.param(_sql("DELETE FROM sealed WHERE position = 30"), id="a batch missing"),
        pytest.param(_sql("DELETE FROM sealed"), id="all batches missing"),
        pytest.param(_sql("DELETE FROM chain"), id="no chain"),
        pytest.param(_sql("UPDATE chain SET first_position = 2"), id="numbers moved"),
        pytest.param(_sql("UPDATE receipt SET last_position = 35"), id="receipts stretched"),
        pytest.param(_sql("UPDATE receipt SET receipt = zeroblob(185)"), id="a receipt zeroed"),
        pytest.param(
            _sql("UPDATE sealed SET signature = zeroblob(64) WHERE position = 30"), id="signature"
        ),
        pytest.param(_sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 30"), id="body"),
        pytest.param(
            _sql("UPDATE sealed SET header = zeroblob(312) WHERE position = 5"), id="header"
        ),
        pytest.param(
            _sql("UPDATE sealed SET batch_hash = zeroblob(32) WHERE position = 5"), id="hash"
        ),
        pytest.param(
            _sql("INSERT INTO document VALUES (zeroblob(32), x'00')"), id="a bundle changed"
        ),
    ],
)
@pytest.mark.asyncio
async def test_damage_is_set_aside_whole_and_a_new_chain_begins(
    tmp_path: Path, damage: Damage
) -> None:
    gateway, _ = await filled(tmp_path)
    damage(gateway.path)
    is_folder = gateway.path.is_dir()
    content = b"" if is_folder else gateway.path.read_bytes()
    first, waiting = await opened(gateway)
    assert first.fields["reason"] == "quarantine"
    assert len(waiting) == 1
    (aside,) = [file for file in quarantined(gateway) if file.name == "buffer.db"]
    assert is_folder or aside.read_bytes() == content
    # The next start finds the new buffer good.
    assert len((await opened(gateway))[1]) == 2


@pytest.mark.asyncio
async def test_the_new_chain_names_the_last_batch_that_still_verifies(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    _sql("UPDATE sealed SET signature = zeroblob(64) WHERE position > 30")(gateway.path)
    first, _ = await opened(gateway)
    previous = first.fields["previous"]
    assert isinstance(previous, dict)
    assert previous["batch_no"] == "29"
    assert previous["batch_hash"] == batch_hash(frames[29].header_bytes).hex()


@pytest.mark.asyncio
async def test_the_boot_count_goes_on_behind_a_quarantine(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    gateway.reboot()
    await opened(gateway)
    _sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 30")(gateway.path)
    gateway.reboot()
    async with gateway.opened() as buffer:
        assert buffer.head is not None
        assert buffer.head.header.boot_count == 3


@pytest.mark.asyncio
async def test_a_start_cut_off_behind_the_move_is_completed_by_the_next(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    opening.set_aside(gateway.path, utc_ns=1, boot_count=1)
    first, _ = await opened(gateway)
    previous = first.fields["previous"]
    assert first.fields["reason"] == "quarantine"
    assert isinstance(previous, dict)
    assert previous["batch_hash"] == batch_hash(frames[-1].header_bytes).hex()


@pytest.mark.asyncio
async def test_a_log_without_its_database_is_kept_too(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    gateway.path.unlink()
    gateway.path.with_name("buffer.db-wal").write_bytes(b"log")
    first, _ = await opened(gateway)
    assert first.fields["reason"] == "quarantine"
    assert [file.read_bytes() for file in quarantined(gateway)] == [b"log"]


@pytest.mark.parametrize("size", [0, None])
@pytest.mark.asyncio
async def test_a_first_start_cut_off_before_the_tables_is_simply_repeated(
    tmp_path: Path, size: int | None
) -> None:
    gateway = Gateway(tmp_path)
    if size is None:
        with closing(sqlite3.connect(gateway.path)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE}")
            connection.execute("PRAGMA journal_mode = WAL")
    else:
        gateway.path.touch()
    first, _ = await opened(gateway)
    assert first.fields["reason"] == "enrol"
    assert not quarantined(gateway)


@pytest.mark.asyncio
async def test_a_buffer_of_another_gateway_is_set_aside_and_not_named(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    gateway.origin = replace(gateway.origin, gateway_id=UUID(int=9))
    first, _ = await opened(gateway)
    assert dict(first.fields) == {"reason": "quarantine", "previous": None}


@pytest.mark.asyncio
async def test_two_quarantines_in_one_second_stand_beside_each_other(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    for text in (b"one", b"two"):
        gateway.path.write_bytes(text)
        opening.set_aside(gateway.path, utc_ns=1, boot_count=0)
    assert [file.read_bytes() for file in quarantined(gateway)] == [b"one", b"two"]


@pytest.mark.asyncio
async def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BufferUnavailableError, match="No such file"):
        async with Gateway(tmp_path / "missing").opened():
            pass


class Sound:
    """The bytes of a buffer and its frames; not a dataclass, because hypothesis prints those."""

    def __init__(self, content: bytes, frames: list[BatchFrame]) -> None:
        self.content = content
        self.frames = frames


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Sound:
    gateway, frames = asyncio.run(filled(tmp_path_factory.mktemp("sound")))
    return Sound(gateway.path.read_bytes(), frames)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    place=st.integers(0, 10**9),
    length=st.sampled_from([1, 1, 16, PAGE]),
    seed=st.binary(min_size=1, max_size=1),
)
def test_no_damaged_byte_is_ever_read_as_a_reading(
    sound: Sound, place: int, length: int, seed: bytes
) -> None:
    content, frames = sound.content, sound.frames
    start = place % len(content) // length * length
    damaged = bytearray(content)
    damaged[start : start + length] = (seed * length)[: len(damaged) - start]
    with TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder))
        gateway.path.write_bytes(damaged)
        gateway.reboot()
        first, waiting = asyncio.run(opened(gateway))
        if first.fields["reason"] == "quarantine":
            (aside,) = [file for file in quarantined(gateway) if file.name == "buffer.db"]
            assert aside.read_bytes() == bytes(damaged)
            assert len(waiting) == 1
        else:
            expected = without_receipt(frames)
            assert [raw_of(frame) for frame in waiting[:-1]] == [raw_of(one) for one in expected]
            assert [frame.signature for frame in waiting[:-1]] == [
                one.signature for one in expected
            ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    database=st.binary(max_size=2000), log=st.binary(max_size=2000), index=st.binary(max_size=99)
)
def test_a_start_succeeds_over_any_bytes(database: bytes, log: bytes, index: bytes) -> None:
    with TemporaryDirectory() as folder:
        gateway = Gateway(Path(folder))
        for suffix, content in (("", database), ("-wal", log), ("-shm", index)):
            gateway.path.with_name(f"buffer.db{suffix}").write_bytes(content)
        first, waiting = asyncio.run(opened(gateway))
        assert first.fields["reason"] in {"enrol", "quarantine"}
        assert len(waiting) == 1


@pytest.mark.asyncio
async def test_damage_that_appears_while_the_agent_runs_is_set_aside_by_the_next_append(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        for _ in range(20):
            await buffer.append(gateway.portion(*[1000] * 10))
        database = buffer._writer.database
        await database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        with gateway.path.open("r+b") as file:
            file.seek(PAGE)
            file.write(b"\xa5" * (gateway.path.stat().st_size - PAGE))
        await database.rows("PRAGMA shrink_memory")
        held = await buffer.append(gateway.portion(1))
        held += await buffer.append(gateway.portion(1))
        assert numbers(held) == [0, 1]
        assert buffer.counters.quarantined == 1
        (genesis,) = await buffer.frames(held[:1])
    told = events_of(genesis)[0]
    assert told.fields["reason"] == "quarantine"
    assert isinstance(told.fields["previous"], dict)
    assert told.fields["previous"]["batch_no"] == "20"


@pytest.mark.asyncio
async def test_at_start_only_so_many_waiting_batches_are_verified_whole(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    _sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 20")(gateway.path)
    key = KEY.verifying_key
    for depth, is_found in ((Depth(newest_waiting=21), False), (Depth(newest_waiting=22), True)):
        content = inspect_file(gateway.path, gateway_id=GATEWAY, key=key, depth=depth)
        assert isinstance(content, Damaged) == is_found


@pytest.mark.asyncio
async def test_a_thorough_verification_sees_damage_in_a_receipted_batch_too(
    tmp_path: Path,
) -> None:
    gateway, _ = await filled(tmp_path)
    _sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 2")(gateway.path)
    key = KEY.verifying_key
    assert not isinstance(inspect_file(gateway.path, gateway_id=GATEWAY, key=key), Damaged)
    thorough = inspect_file(gateway.path, gateway_id=GATEWAY, key=key, depth=THOROUGH)
    assert isinstance(thorough, Damaged)
