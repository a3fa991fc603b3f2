"""The worker computes what is dirty when it is woken, and ends hours that are over."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from central_sync import worker
from central_sync.calc.clock_hours import SECOND_NS
from central_sync.evaluate.hour import Evaluation, Evaluator
from central_sync.model import DirtyHour, HourlyRevision
from central_sync.programs.plan import Facility, Plan
from central_sync.store.embedded import EmbeddedStore
from central_sync.worker import Worker
from tests.central_sync.evaluate.signing_gateway import (
    HOUR,
    MINUTE,
    SECOND,
    TEN,
    Centre,
    SigningGateway,
    rows,
)

LIMIT_S = 20


def values(centre: Centre) -> list[HourlyRevision]:
    return list(
        centre.store.hourly(facility=None, channel=1, from_ns=TEN - HOUR, to_ns=TEN + 3 * HOUR)
    )


@asynccontextmanager
async def working(centre: Centre) -> AsyncIterator[Worker]:
    made = Worker(centre.evaluator, now_ns=centre.clock)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.run())
        yield made
        task.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the test's limit is the only clock."""
    async with asyncio.timeout(LIMIT_S):
        while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - another thread makes it so
            await asyncio.sleep(0.01)  # the store tells nobody when it was written


def quarters(start_ns: int = TEN) -> list[tuple[int, int, int]]:
    return [(start_ns + quarter * 15 * MINUTE, 1, 1000) for quarter in range(4)]


@pytest.mark.asyncio
async def test_what_is_dirty_at_start_is_computed(centre: Centre, gateway: SigningGateway) -> None:
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    async with working(centre):
        await until(lambda: bool(values(centre)))
    assert [one.value.value for one in values(centre)] == ["100.00"]
    assert centre.store.dirty_hours(1) == ()


@pytest.mark.asyncio
async def test_an_arrival_wakes_it(centre: Centre, gateway: SigningGateway) -> None:
    async with working(centre) as made:
        await asyncio.sleep(0.05)
        centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
        centre.take_bundle(gateway.bundle)
        made.wake()
        await until(lambda: bool(values(centre)))


@pytest.mark.asyncio
async def test_a_running_hour_is_not_computed_again_at_every_batch(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.clock.now_ns = TEN + 50 * MINUTE
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + 50 * MINUTE))
    centre.take_bundle(gateway.bundle)
    async with working(centre) as made:
        await until(lambda: bool(values(centre)))
        later = (TEN + 51 * MINUTE, 1, 2000)
        centre.take(gateway.batch(rows([later]), wall_ns=TEN + 51 * MINUTE))
        for _ in range(3):
            made.wake()
            await asyncio.sleep(0.05)
        assert values(centre)[0].value.used_count == 4
        centre.clock.now_ns += worker.LIVE_INTERVAL_NS
        made.wake()
        await until(lambda: values(centre)[0].value.used_count == 5)
    assert values(centre)[0].revision == 2


@pytest.mark.asyncio
async def test_an_hour_becomes_final_by_a_batch_of_the_next_hour(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR - SECOND))
    centre.take_bundle(gateway.bundle)
    async with working(centre) as made:
        await until(lambda: bool(values(centre)))
        assert values(centre)[0].value.is_provisional
        centre.take(gateway.batch(rows([(TEN + HOUR, 1, 5)]), wall_ns=TEN + HOUR + SECOND))
        made.wake()
        await until(lambda: not values(centre)[0].value.is_provisional)


@pytest.mark.asyncio
async def test_hours_left_provisional_by_an_earlier_run_become_final(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.clock.now_ns = TEN + 50 * MINUTE
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    assert values(centre)[0].value.is_provisional
    centre.clock.now_ns = TEN + HOUR
    async with working(centre):
        await until(lambda: not values(centre)[0].value.is_provisional)


@pytest.mark.asyncio
async def test_a_damaged_record_stops_neither_the_worker_nor_other_hours(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
    centre.take(gateway.batch(rows(quarters(TEN + HOUR)), wall_ns=TEN + 2 * HOUR))
    centre.take_bundle(gateway.bundle)
    with sqlite3.connect(centre.settings.database) as database:
        database.execute("update batch set body = ? where batch_no = 0", (b"broken",))
    database.close()
    async with working(centre) as made:
        await until(lambda: bool(values(centre)))
        made.wake()
        await asyncio.sleep(0.05)
    assert [one.value.hour_ns for one in values(centre)] == [TEN + HOUR]
    assert [one.hour_ns for one in centre.store.dirty_hours(10)] == [TEN]


@pytest.mark.asyncio
async def test_a_facility_half_an_hour_off_does_not_keep_the_worker_busy(
    tmp_path: Path, gateway: SigningGateway
) -> None:
    plan = Plan(facilities=(Facility(id="PLANT", utc_offset_minutes=330),))
    centre = Centre(tmp_path / "half", plan=plan, now_ns=TEN + HOUR + MINUTE)
    centre.register(gateway)
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR + MINUTE))
    centre.take_bundle(gateway.bundle)
    async with working(centre) as made:
        await until(lambda: bool(values(centre)))
        await until(lambda: not centre.store.dirty_hours(1))
        # Over and complete as a UTC hour, but its second half belongs to an hour that is not.
        assert [one.value.is_provisional for one in values(centre)] == [False, True]
        made.wake()
        await asyncio.sleep(0.1)
        assert centre.store.dirty_hours(1) == ()
        end_ns = TEN + HOUR + 30 * MINUTE
        centre.take(gateway.batch(rows([(end_ns, 1, 1)]), wall_ns=end_ns))
        centre.clock.now_ns = end_ns
        made.wake()
        await until(lambda: not values(centre)[1].value.is_provisional)
    centre.close()


@pytest.mark.asyncio
async def test_a_store_that_cannot_be_written_postpones_the_work(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    assert isinstance(centre.store, EmbeddedStore)
    writer = centre.store._db._writer
    writer.execute("pragma query_only=on")
    async with working(centre) as made:
        await asyncio.sleep(0.1)
        assert values(centre) == []
        writer.execute("pragma query_only=off")
        made.wake()
        await until(lambda: bool(values(centre)))


def test_it_sleeps_until_the_next_hour_or_the_next_due_time(centre: Centre) -> None:
    made = Worker(centre.evaluator, now_ns=centre.clock)
    centre.clock.now_ns = TEN + 30 * MINUTE
    assert made._wait_ns() == worker.LONGEST_WAIT_NS
    centre.clock.now_ns = TEN + HOUR - 7 * SECOND
    assert made._wait_ns() == 7 * SECOND
    centre.clock.now_ns = TEN + HOUR - 1
    assert made._wait_ns() == SECOND_NS


def test_a_running_hour_is_computed_ever_more_seldom_and_not_too_seldom() -> None:
    rests = [worker.live_interval_ns(count) for count in range(40)]
    assert rests[0] == worker.LIVE_INTERVAL_NS
    assert rests == sorted(rests)
    assert rests[-1] == worker.LONGEST_LIVE_INTERVAL_NS
    assert sum(rests[:18]) >= HOUR > sum(rests[:17])


@pytest.mark.asyncio
async def test_an_hour_that_raises_what_nobody_foresaw_stops_no_other_hour(
    centre: Centre, gateway: SigningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
    centre.take(gateway.batch(rows(quarters(TEN + HOUR)), wall_ns=TEN + 2 * HOUR))
    centre.take_bundle(gateway.bundle)
    evaluate = Evaluator.evaluate

    def poisoned(evaluator: Evaluator, hour: DirtyHour, *, now_ns: int) -> Evaluation:
        if hour.hour_ns == TEN:
            raise OverflowError("no such number")
        return evaluate(evaluator, hour, now_ns=now_ns)

    monkeypatch.setattr(Evaluator, "evaluate", poisoned)
    async with working(centre):
        await until(lambda: bool(values(centre)))
    assert [one.value.hour_ns for one in values(centre)] == [TEN + HOUR]
    assert [one.hour_ns for one in centre.store.dirty_hours(10)] == [TEN]


@pytest.mark.asyncio
@pytest.mark.parametrize("at_ns", [-1, -(2**63), 2**63 - 1])
async def test_no_time_whatever_keeps_it_busy(
    centre: Centre, gateway: SigningGateway, at_ns: int
) -> None:
    centre.take(gateway.batch(rows([(at_ns, 1, 5), *quarters()]), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    async with working(centre):
        await until(lambda: bool(values(centre)) and not centre.store.dirty_hours(1))


@pytest.mark.asyncio
async def test_hours_wait_while_their_gateway_catches_up(
    centre: Centre, gateway: SigningGateway
) -> None:
    centre.take(gateway.batch(rows(quarters()), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    made = Worker(centre.evaluator, now_ns=centre.clock)
    made.stored(gateway.gateway_id)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(made.run())
        await asyncio.sleep(0.1)
        assert values(centre) == []
        centre.clock.now_ns += worker.QUIET_NS
        made.wake()
        await until(lambda: bool(values(centre)))
        task.cancel()


def test_a_stream_ends_when_it_is_quiet_and_when_it_is_long() -> None:
    streams, one, other = worker.Streams(), UUID(int=1), UUID(int=2)
    assert streams.ends_ns(one, 0) == 0
    assert streams.next_end_ns(0) is None
    step_ns = worker.QUIET_NS // 2
    for now_ns in range(0, worker.LONGEST_STREAM_NS, step_ns):
        streams.stored(one, now_ns)
        end_ns = min(now_ns + worker.QUIET_NS, worker.LONGEST_STREAM_NS)
        assert streams.ends_ns(one, now_ns) == end_ns
        assert streams.ends_ns(one, now_ns - 1) == 0  # the clock was set back
        assert streams.ends_ns(other, now_ns) == 0
    late_ns = worker.LONGEST_STREAM_NS + worker.QUIET_NS
    streams.stored(other, late_ns)
    assert streams.ends_ns(one, late_ns) == 0
    assert streams.next_end_ns(late_ns) == late_ns + worker.QUIET_NS
