"""A start over what is no buffer at all: folders, pipes, links, giants, circles, torn logs."""

import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.log_check import read_log
from edge_agent.buffer.quarantine import FOLDER
from edge_agent.buffer.verifying import QUICK_PAGES, inspect_file
from edge_agent.clock import SystemClock
from tests.edge_agent.buffer.gateway import GATEWAY, KEY, Gateway, numbers
from tests.edge_agent.buffer.reopening import PAGE, filled, quarantined, without_receipt
from tests.edge_agent.buffer.salvage import started, waiting

LONGEST_START_S = 10.0
TERABYTE = 2**40
FRAME = 24 + PAGE
NOBODY = 65_534


def _replaced(make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(file: Path) -> None:
        file.unlink(missing_ok=True)
        make(file)

    return change


def _giant(file: Path) -> None:
    os.truncate(file, TERABYTE)


def _loop(file: Path) -> None:
    file.symlink_to(file.name)


def _dangling(file: Path) -> None:
    file.symlink_to(file.with_name("nowhere") / "buffer.db")


def _beside(suffix: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda file: _replaced(make)(file.with_name(file.name + suffix))


@pytest.mark.parametrize(
    ("change", "is_left"),
    [
        pytest.param(_replaced(Path.mkdir), False, id="a folder"),
        pytest.param(_replaced(os.mkfifo), False, id="a pipe"),
        pytest.param(_replaced(_loop), False, id="a link to itself"),
        pytest.param(_replaced(_dangling), False, id="a link to nowhere"),
        pytest.param(_giant, True, id="a terabyte of nothing behind it"),
        pytest.param(_beside("-wal", Path.mkdir), True, id="a folder for its log"),
        pytest.param(_beside("-wal", os.mkfifo), True, id="a pipe for its log"),
        pytest.param(_beside("-shm", Path.mkdir), True, id="a folder for its index"),
        pytest.param(_beside("-journal", Path.mkdir), True, id="a folder for its journal"),
        pytest.param(_beside(".lock", Path.mkdir), True, id="a folder for its lock"),
        pytest.param(_beside(".lock", _loop), True, id="a link to itself for its lock"),
    ],
)
@pytest.mark.asyncio
async def test_whatever_stands_there_the_agent_starts_and_brings_back_what_there_is(
    tmp_path: Path, change: Callable[[Path], object], *, is_left: bool
) -> None:
    gateway, frames = await filled(tmp_path)
    change(gateway.path)
    clock = SystemClock()
    began_ns = clock.now().mono_ns
    async with started(gateway) as (buffer, salvager):
        assert clock.now().mono_ns - began_ns < LONGEST_START_S * 1e9
        await salvager.once()
        expected = without_receipt(frames) if is_left else []
        assert (await waiting(buffer))[: len(expected)] == expected
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0


@pytest.mark.parametrize("make", [Path.touch, os.mkfifo, _loop])
@pytest.mark.asyncio
async def test_what_stands_in_the_place_of_the_quarantine_is_put_away(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    gateway, _ = await filled(tmp_path)
    gateway.path.write_bytes(b"garbage")
    make(tmp_path / FOLDER)
    async with gateway.opened():
        (aside,) = quarantined(gateway)
        assert aside.read_bytes() == b"garbage"


@pytest.mark.asyncio
async def test_a_thousand_quarantines_do_not_stop_another(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    utc = "20261118T181320Z-0"
    for number in range(1000):
        (tmp_path / FOLDER / (f"{utc}-{number}" if number else utc)).mkdir(parents=True)
    gateway.path.write_bytes(b"garbage")
    async with gateway.opened():
        assert [file.name for file in quarantined(gateway)] == ["buffer.db"]


@pytest.mark.asyncio
async def test_a_tree_that_leads_in_circles_does_not_hold_the_start(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    with closing(sqlite3.connect(gateway.path)) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'sealed'"
        (root,) = connection.execute(query).fetchone()
    content = bytearray(gateway.path.read_bytes())
    at = (root - 1) * PAGE
    page = bytearray(PAGE)
    # An interior page (type 5) of sixty cells, each of which leads back to itself.
    cells = [PAGE - 5 * (index + 1) for index in range(60)]
    page[:12] = struct.pack(">BHHHBI", 5, 0, len(cells), cells[-1], 0, root)
    for index, cell in enumerate(cells):
        struct.pack_into(">H", page, 12 + 2 * index, cell)
        struct.pack_into(">IB", page, cell, root, index + 1)
    content[at : at + PAGE] = page
    # Too long for all its pages to be looked at.
    gateway.path.write_bytes(content)
    os.truncate(gateway.path, PAGE * (QUICK_PAGES + 1))
    clock = SystemClock()
    began_ns = clock.now().mono_ns
    inspect_file(gateway.path, gateway_id=GATEWAY, key=KEY.verifying_key)
    assert clock.now().mono_ns - began_ns < LONGEST_START_S * 1e9


@contextmanager
def _as_nobody(folder: Path) -> Iterator[None]:
    """Go on as a user to whom nothing belongs but this folder and its lock."""
    for owned in (folder, folder / "buffer.db.lock"):
        os.chown(owned, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.asyncio
async def test_files_of_another_user_are_brought_back_once_they_may_be_read() -> None:
    with TemporaryDirectory() as name:
        gateway, frames = await filled(Path(name))
        gateway.path.chmod(0o600)
        with _as_nobody(Path(name)):
            async with started(gateway) as (buffer, salvager):
                with pytest.raises(PermissionError, match="may not read"):
                    await salvager.once()
                (aside,) = [file for file in quarantined(gateway) if file.name == "buffer.db"]
                os.setresuid(0, 0, 0)
                os.chown(aside, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, 0)
                await salvager.once()
                expected = without_receipt(frames)
                assert (await waiting(buffer))[: len(expected)] == expected


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])
@pytest.mark.asyncio
async def test_a_lock_that_another_program_holds_is_said_in_time_and_harms_nothing(
    tmp_path: Path, mode: str
) -> None:
    gateway, frames = await filled(tmp_path)
    clock = SystemClock()
    with closing(sqlite3.connect(gateway.path, isolation_level=None)) as other:
        other.execute(f"PRAGMA locking_mode = {mode}")
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO fact VALUES ('x', 'y', zeroblob(32))")
        began_ns = clock.now().mono_ns
        with pytest.raises(BufferUnavailableError):
            await gateway.opened().__aenter__()
        assert clock.now().mono_ns - began_ns < LONGEST_START_S * 1e9
        other.execute("ROLLBACK")
    async with gateway.opened() as buffer:
        expected = without_receipt(frames)
        assert (await waiting(buffer))[: len(expected)] == expected
        assert not quarantined(gateway)


async def _killed(tmp_path: Path) -> tuple[Gateway, Path, int]:
    """Return a gateway as a kill leaves it, its log, and how many batches wait."""
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        for _ in range(12):
            await buffer.append(gateway.portion(20))
        count = buffer.backlog().unreceipted_count
        gateway.crash_to(tmp_path / "killed")
    return gateway, gateway.path.with_name("buffer.db-wal"), count


def _commits(content: bytes | bytearray) -> list[int]:
    """Return the frames of a log that end a transaction."""
    frames = range((len(content) - 32) // FRAME)
    return [i for i in frames if struct.unpack_from(">I", content, 32 + i * FRAME + 4)[0]]


@pytest.mark.parametrize("place", ["header", "frame header", "page"])
@pytest.mark.asyncio
async def test_what_sqlite_would_forget_of_a_damaged_log_comes_back(
    tmp_path: Path, place: str
) -> None:
    gateway, log, count = await _killed(tmp_path)
    content = bytearray(log.read_bytes())
    middle = 32 + len(content) // FRAME // 2 * FRAME
    content[{"header": 17, "frame header": middle + 9, "page": middle + 300}[place]] ^= 4
    log.write_bytes(content)
    assert read_log(log).fault
    async with started(gateway) as (_, salvager):
        await salvager.once()
        lost = salvager.status().lost_batches
        assert salvager.status().salvaged_batches + lost == count
        assert lost <= 1


@pytest.mark.parametrize("cut", range(1, 30, 3))
@pytest.mark.asyncio
async def test_a_transaction_that_a_power_cut_left_unfinished_is_no_damage(
    tmp_path: Path, cut: int
) -> None:
    gateway, log, _ = await _killed(tmp_path)
    content = log.read_bytes()
    frames = (len(content) - 32) // FRAME
    first_of_last = _commits(content)[-2] + 1
    torn = bytearray(content)
    at = 32 + (first_of_last + cut % (frames - first_of_last)) * FRAME
    torn[at : at + FRAME] = bytes(FRAME)
    log.write_bytes(torn)
    assert read_log(log).fault is None
    async with gateway.opened() as buffer:
        assert buffer.counters.quarantined == 0
        assert not quarantined(gateway)


@pytest.mark.parametrize(("left", "is_damaged"), [(2, True), (1, True), (0, False)])
@pytest.mark.asyncio
async def test_a_batch_behind_noise_tells_of_those_that_the_noise_took(
    tmp_path: Path, left: int, *, is_damaged: bool
) -> None:
    # Of the last five transactions so many are left. With none, it may be one, unfinished.
    gateway, log, count = await _killed(tmp_path)
    content = log.read_bytes()
    ends = [0, *(index + 1 for index in _commits(content))]
    begin, end = (32 + ends[place] * FRAME for place in (-6, -1 - left))
    log.write_bytes(content[:begin] + b"\xa5" * (end - begin) + content[end:])
    async with started(gateway) as (_, salvager):
        await salvager.once()
        status = salvager.status()
        assert status.folders == is_damaged
        if is_damaged:
            assert (status.salvaged_batches, status.lost_batches) == (count - 5 + left, 5 - left)


@pytest.mark.asyncio
async def test_a_portion_of_many_batches_that_a_power_cut_left_unfinished_is_no_damage(
    tmp_path: Path,
) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(20))
        assert len(await buffer.append(gateway.portion(*[40_000] * 3))) == 3
        gateway.crash_to(tmp_path / "killed")
    log = gateway.path.with_name("buffer.db-wal")
    content = bytearray(log.read_bytes())
    first_of_last = _commits(content)[-2] + 1
    at = 32 + first_of_last * FRAME
    content[at : at + FRAME] = bytes(FRAME)
    log.write_bytes(content)
    async with gateway.opened() as buffer:
        assert numbers(await buffer.unreceipted(10)) == [0, 1, 2]
        assert not quarantined(gateway)


@pytest.mark.asyncio
async def test_a_log_begun_anew_over_an_older_one_is_no_damage(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        for _ in range(12):
            await buffer.append(gateway.portion(500))
        await buffer._writer.database.rows("PRAGMA wal_checkpoint(RESTART)")
        for _ in range(2):
            await buffer.append(gateway.portion(1))
        assert read_log(gateway.path.with_name("buffer.db-wal")).fault is None
    assert read_log(gateway.path.with_name("buffer.db-wal")).fault is None
