"""How scarce the room on a disk is, and the ballast that is given up first."""

import sqlite3
from pathlib import Path

import pytest

from edge_agent.buffer import disk
from edge_agent.buffer.disk import MIB, Disk, Level, Space
from edge_agent.buffer.faults import BufferUnavailableError, Fault, fault_of
from edge_agent.buffer.store import Buffer
from edge_agent.buffer.watching import Watch
from edge_agent.config.vocabulary import OnFull
from tests.edge_agent.buffer.gateway import Gateway, numbers
from tests.edge_agent.buffer.storage_faults import no_file_grows_beyond

GIB = 1024 * MIB


@pytest.fixture(autouse=True)
def _ballast_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "BALLAST_BYTES", 16 * MIB)


@pytest.mark.parametrize(
    ("total_bytes", "free_bytes", "level"),
    [
        (GIB, GIB // 5 + 1, Level.AMPLE),
        (GIB, GIB // 5 - 1, Level.LOW),
        (GIB, GIB // 10 + 1, Level.LOW),
        (GIB, GIB // 10 - 1, Level.SCARCE),
        (GIB, GIB // 20 + 1, Level.SCARCE),
        (GIB, GIB // 20 - 1, Level.SPENT),
        (1000 * GIB, 2 * GIB, Level.AMPLE),
        (1000 * GIB, 2 * GIB - 1, Level.LOW),
        (1000 * GIB, 512 * MIB - 1, Level.SCARCE),
        (1000 * GIB, 64 * MIB, Level.SCARCE),
        (1000 * GIB, 64 * MIB - 1, Level.SPENT),
        (0, 0, Level.AMPLE),
    ],
)
def test_the_levels_are_parts_of_the_disk_or_bytes_where_that_is_less(
    total_bytes: int, free_bytes: int, level: Level
) -> None:
    assert Space(total_bytes=total_bytes, free_bytes=free_bytes).level is level


def test_the_ballast_is_real_blocks_and_is_made_once(tmp_path: Path) -> None:
    one = Disk(tmp_path / "buffer.db")
    assert one.restore()
    first = one.ballast.stat()
    assert first.st_size == 16 * MIB
    assert first.st_blocks * 512 >= 16 * MIB
    assert one.restore()
    assert one.ballast.stat().st_ino == first.st_ino


def test_a_ballast_that_a_kill_cut_short_is_made_anew(tmp_path: Path) -> None:
    one = Disk(tmp_path / "buffer.db")
    one.ballast.write_bytes(b"short")
    assert one.restore()
    assert one.ballast.stat().st_size == 16 * MIB


def test_a_ballast_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    one = Disk(tmp_path / "buffer.db")
    with no_file_grows_beyond(MIB):
        assert not one.restore()
    assert not one.ballast.exists()
    assert not one.release()


def test_nobody_says_how_much_is_free_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    one = Disk(tmp_path / "gone" / "buffer.db")
    assert one.look() is None
    assert not one.restore()


@pytest.mark.asyncio
async def test_without_the_ballast_nothing_grows_and_with_it_everything_is_as_before(
    tmp_path: Path,
) -> None:
    watch = Watch(tmp_path / "buffer.db")
    before = await watch.level()
    assert (await watch.give_way(), watch.has_ballast) == (Level.SPENT, False)
    with no_file_grows_beyond(MIB):
        assert await watch.level() is Level.SPENT
    assert (await watch.level(), watch.has_ballast) == (before, True)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (sqlite3.SQLITE_FULL, Fault.FULL),
        (sqlite3.SQLITE_READONLY, Fault.READONLY),
        (sqlite3.SQLITE_IOERR, Fault.FAILING),
        (sqlite3.SQLITE_READONLY | 6 << 8, Fault.READONLY),
    ],
)
def test_a_refusal_is_named_by_its_code(code: int, fault: Fault) -> None:
    error = sqlite3.OperationalError("no")
    error.sqlite_errorcode = code
    assert fault_of(error) is fault
    assert fault_of(sqlite3.OperationalError("no")) is Fault.FAILING


async def grown(gateway: Gateway, buffer: Buffer, count: int) -> int:
    """Append so many portions; return how many bytes the file has."""
    for _ in range(count):
        await buffer.append(gateway.portion(500))
    await buffer.flush()
    return gateway.path.stat().st_size


@pytest.mark.asyncio
async def test_while_the_disk_is_spent_the_file_does_not_grow_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        await grown(gateway, buffer, 60)
        pages, _ = await buffer._writer.table.pages()
        monkeypatch.setattr(Space, "level", Level.SPENT)
        await grown(gateway, buffer, 20)
        assert (await buffer._writer.table.pages())[0] == pages
        assert buffer.counters.given_up > 10
        assert buffer.storage().level is Level.SPENT
        held = await buffer.unreceipted(1000)
        assert numbers(held) == list(range(81))


@pytest.mark.asyncio
async def test_a_spent_disk_with_nothing_that_may_go_is_a_refusal_of_the_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(tmp_path, on_full=OnFull.STOP)
    async with gateway.opened() as buffer:
        await grown(gateway, buffer, 5)
        monkeypatch.setattr(Space, "level", Level.SPENT)
        portion = gateway.portion(5000)
        with pytest.raises(BufferUnavailableError) as refusal:
            await buffer.append(portion)
        assert refusal.value.fault is Fault.FULL
        assert await buffer.append_volatile(portion)
        monkeypatch.undo()
        await buffer.append(gateway.portion(1))
        assert buffer.backlog().readings == 5 * 500 + 5001
