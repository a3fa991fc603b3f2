"""For how many days the quota holds: reckoned before there are batches, measured after."""

from pathlib import Path

import pytest

from edge_agent.buffer import schema
from edge_agent.buffer.lasting import DAY_S, Lasting, lasting, short_facts
from edge_agent.config.model import BufferSettings
from tests.edge_agent.buffer.gateway import Gateway


def test_before_there_are_batches_it_is_reckoned(tmp_path: Path) -> None:
    settings = BufferSettings(path=tmp_path / "buffer.db", quota_mb=1024)
    found = lasting(settings, 60.0)
    assert not found.is_measured
    assert found.bytes_per_reading == pytest.approx(8 + 2048 / 600)
    assert found.days == pytest.approx(17, abs=1)
    assert found.too_short_for == (30,)


@pytest.mark.parametrize(
    ("days", "short"), [(None, ()), (30.0, ()), (29.9, (30,)), (1.0, (30,)), (0.9, (1, 30))]
)
def test_it_is_short_of_a_day_of_a_month_or_of_neither(
    days: float | None, short: tuple[int, ...]
) -> None:
    found = Lasting(days=days, bytes_per_reading=4.0, is_measured=True)
    assert found.too_short_for == short


def test_a_gateway_that_reads_nothing_lasts_for_ever(tmp_path: Path) -> None:
    found = lasting(BufferSettings(path=tmp_path / "buffer.db"), 0.0)
    assert found.days is None
    assert short_facts(found)["days"] is None


@pytest.mark.asyncio
async def test_what_is_measured_is_what_the_file_takes(tmp_path: Path) -> None:
    gateway, count, rows = Gateway(tmp_path), 300, 60
    async with gateway.opened() as buffer:
        before = buffer.usage().used_bytes
        for _ in range(count):
            await buffer.append(gateway.portion(rows))
        taken = buffer.usage().used_bytes - before
    found = lasting(gateway.settings, 60.0)
    assert found.is_measured
    assert found.bytes_per_reading == pytest.approx(taken / (count * rows), rel=0.1)
    room_bytes = gateway.settings.quota_mb * 1_000_000 - schema.LOG_BYTES
    daily_bytes = found.bytes_per_reading * 60 * DAY_S
    assert found.days == pytest.approx(room_bytes / daily_bytes)


@pytest.mark.asyncio
async def test_a_few_readings_say_nothing_and_a_damaged_file_neither(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(10))
    assert not lasting(gateway.settings, 1.0).is_measured
    gateway.path.write_bytes(b"no buffer")
    assert not lasting(gateway.settings, 1.0).is_measured
