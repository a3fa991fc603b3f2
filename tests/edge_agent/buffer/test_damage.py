"""A start over whatever bytes lie in the folder: it succeeds, deletes nothing, invents nothing."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.buffer.content import Damaged
from edge_agent.buffer.verifying import THOROUGH, Depth, inspect_file
from edge_agent.wire.frame import BatchFrame
from tests.edge_agent.buffer.gateway import GATEWAY, KEY, Gateway, events_of, numbers, raw_of
from tests.edge_agent.buffer.reopening import (
    PAGE,
    Damage,
    filled,
    opened,
    quarantined,
    sql,
    without_receipt,
)


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


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda file: file.write_bytes(b"\xa5" * 5000), id="garbage"),
        pytest.param(lambda file: file.write_bytes(b"SQLite format 3\0"), id="a header only"),
        pytest.param(_cut_in_half, id="cut in half"),
        pytest.param(_make_folder, id="a folder"),
        pytest.param(_make_other_database, id="another database"),
        pytest.param(_raise_version, id="a later version"),
        pytest.param(sql("DELETE FROM sealed WHERE position = 30"), id="a batch missing"),
        pytest.param(sql("DELETE FROM sealed"), id="all batches missing"),
        pytest.param(sql("DELETE FROM chain"), id="no chain"),
        pytest.param(sql("UPDATE chain SET first_position = 2"), id="numbers moved"),
        pytest.param(sql("UPDATE receipt SET last_position = 35"), id="receipts stretched"),
        pytest.param(sql("UPDATE receipt SET first_position = 1"), id="receipts stretched down"),
        pytest.param(sql("UPDATE receipt SET receipt = zeroblob(185)"), id="a receipt zeroed"),
        pytest.param(
            sql("UPDATE sealed SET signature = zeroblob(64) WHERE position = 30"), id="signature"
        ),
        pytest.param(sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 30"), id="body"),
        pytest.param(
            sql("UPDATE sealed SET header = zeroblob(312) WHERE position = 5"), id="header"
        ),
        pytest.param(
            sql("UPDATE sealed SET batch_hash = zeroblob(32) WHERE position = 5"), id="hash"
        ),
        pytest.param(
            sql("INSERT INTO document VALUES (zeroblob(32), x'00')"), id="a bundle changed"
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
async def test_at_start_only_so_many_of_the_newest_batches_are_verified(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 20")(gateway.path)
    key = KEY.verifying_key
    for depth, is_found in ((Depth(newest=21), False), (Depth(newest=22), True)):
        content = inspect_file(gateway.path, gateway_id=GATEWAY, key=key, depth=depth)
        assert isinstance(content, Damaged) == is_found


@pytest.mark.asyncio
async def test_a_thorough_verification_sees_damage_in_a_receipted_batch_too(
    tmp_path: Path,
) -> None:
    gateway, _ = await filled(tmp_path)
    sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 2")(gateway.path)
    key = KEY.verifying_key
    assert not isinstance(inspect_file(gateway.path, gateway_id=GATEWAY, key=key), Damaged)
    thorough = inspect_file(gateway.path, gateway_id=GATEWAY, key=key, depth=THOROUGH)
    assert isinstance(thorough, Damaged)
