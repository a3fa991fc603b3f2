"""Start-up over what lies in the folder: when a chain goes on, and how another begins."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.quarantine import set_aside
from edge_agent.wire.header import batch_hash
from tests.edge_agent.buffer.gateway import Gateway
from tests.edge_agent.buffer.reopening import (
    PAGE,
    filled,
    opened,
    quarantined,
    sql,
    without_receipt,
)


@pytest.mark.asyncio
async def test_a_buffer_that_verifies_goes_on_with_its_chain(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    first, waiting = await opened(gateway)
    assert first.fields["reason"] == "enrol"
    assert waiting[:-1] == without_receipt(frames)
    assert not quarantined(gateway)


@pytest.mark.asyncio
async def test_the_new_chain_names_the_last_batch_that_still_verifies(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    sql("UPDATE sealed SET signature = zeroblob(64) WHERE position > 30")(gateway.path)
    first, _ = await opened(gateway)
    previous = first.fields["previous"]
    assert isinstance(previous, dict)
    assert previous["batch_no"] == "29"
    assert previous["batch_hash"] == batch_hash(frames[29].header_bytes).hex()


@pytest.mark.asyncio
async def test_a_batch_of_a_copy_that_went_another_way_is_not_taken_for_ours(
    tmp_path: Path,
) -> None:
    gateway, _ = await filled(tmp_path)
    copy = Gateway(tmp_path)
    copy.clock.mono_ns = gateway.clock.mono_ns
    copy.crash_to(tmp_path / "copy")
    for one in (gateway, copy):
        async with one.opened() as buffer:
            for _ in range(3):
                await buffer.append(one.portion(1))
    with closing(sqlite3.connect(gateway.path)) as connection:
        connection.execute("ATTACH ? AS other", (str(copy.path),))
        connection.execute("REPLACE INTO sealed SELECT * FROM other.sealed WHERE position = 44")
        connection.commit()
    first, _ = await opened(gateway)
    assert first.fields["reason"] == "quarantine"


@pytest.mark.asyncio
async def test_the_boot_count_goes_on_behind_a_quarantine(tmp_path: Path) -> None:
    gateway, _ = await filled(tmp_path)
    gateway.reboot()
    await opened(gateway)
    sql("UPDATE sealed SET body = zeroblob(99) WHERE position = 30")(gateway.path)
    gateway.reboot()
    async with gateway.opened() as buffer:
        assert buffer.head is not None
        assert buffer.head.header.boot_count == 3


@pytest.mark.asyncio
async def test_a_start_cut_off_behind_the_move_is_completed_by_the_next(tmp_path: Path) -> None:
    gateway, frames = await filled(tmp_path)
    set_aside(gateway.path, utc_ns=1, boot_count=1)
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
        set_aside(gateway.path, utc_ns=1, boot_count=0)
    assert [file.read_bytes() for file in quarantined(gateway)] == [b"one", b"two"]


@pytest.mark.asyncio
async def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(BufferUnavailableError, match="No such file"):
        async with Gateway(tmp_path / "missing").opened():
            pass
