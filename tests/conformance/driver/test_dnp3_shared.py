"""Several outstations on one connection: what is kept of one while another is read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from edge_agent.drivers.base import Connection, DeviceBusyError, LinkClosedError
from edge_agent.drivers.dnp3 import connect
from edge_agent.simulator.dnp3_outstation import CLASS_0_HEADER, READ, Outstation
from edge_agent.simulator.dnp3_server import listening
from tests.conformance.driver.outstation import (
    ADDRESS,
    CLOCK,
    POINTS,
    device,
    portion,
    readied,
    state,
)
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio


@dataclass
class Slow(Outstation):
    """Answers a question for events once it is let."""

    is_slow: bool = False
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    drop: Callable[[], None] = lambda: None
    _later: list[bytes] = field(default_factory=list)

    def heard(self, request: bytes, now_ns: int) -> list[bytes]:
        """Keep an answer back."""
        answer = super().heard(request, now_ns)
        is_held = self.is_slow and request[1] == READ and CLASS_0_HEADER not in request
        if not is_held:
            return answer
        self._later += answer
        self.is_asked.set()
        return []

    def report(self, now_ns: int) -> list[bytes]:
        """Give what was kept back."""
        if self.is_slow:
            return []
        later, self._later = self._later, []
        return later + super().report(now_ns)


def filled() -> Slow:
    one = Slow()
    for kind, index, _ in POINTS:
        one.hold(state(1, index=index, kind=kind))
    return one


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Connection, Slow, Slow]]:
    """Yield a connection that has begun with two outstations, and both."""
    first, second = filled(), filled()
    served = {ADDRESS: first, ADDRESS + 1: second}
    async with listening(served, host="127.0.0.1", port=0, clock=CLOCK) as (port, server):
        first.drop = second.drop = server.drop
        devices = [
            replace(device(port, address=address), name=str(address), timeout_s=5.0)
            for address in served
        ]
        async with connect(devices, CLOCK) as connection:
            await readied(connection)
            yield connection, first, second


async def asked_for_events(connection: Connection, own: Slow, index: int) -> None:
    """Let an outstation be asked for an event that it has, and keep the answer back."""
    own.hold(state(7.0), is_event=True)
    await scan_of(connection.drivers[index])
    own.is_slow = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await portion(connection)
    assert own.is_asked.is_set()


async def test_what_is_kept_while_another_is_read_is_confirmed_after_it_was_given() -> None:
    async with two() as (connection, _, second):
        await asked_for_events(connection, second, 1)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(scan_of(connection.drivers[0]))
            await asyncio.sleep(0.05)
            assert not reading.done()  # one is asked at a time
            second.is_slow = False
        (event,) = await portion(connection)
        assert event.scans[0].device == str(ADDRESS + 1)
        await asyncio.sleep(0.05)
        assert len(second.events) == 1
        await readied(connection)
        assert not second.events


async def test_events_that_come_while_a_read_waits_go_first_and_its_scan_follows() -> None:
    async with two() as (connection, first, _):
        await asked_for_events(connection, first, 0)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(connection.drivers[0].read())
            await asyncio.sleep(0.05)
            first.is_slow = False
        assert reading.result() is None
        (event,) = await portion(connection)
        assert event.scans[0].channel.tolist() == [1]
        assert len(first.events) == 1
        (present,) = await portion(connection)
        assert present.scans[0].channel.tolist() == [1, 2, 3, 4]
        assert not first.events
        assert await portion(connection, within_s=0.1) == []
        await scan_of(connection.drivers[0])


async def test_what_is_kept_goes_before_the_present_values_of_its_own_outstation() -> None:
    async with two() as (connection, _, second):
        await asked_for_events(connection, second, 1)
        async with asyncio.TaskGroup() as group:
            group.create_task(scan_of(connection.drivers[0]))
            await asyncio.sleep(0.05)
            second.is_slow = False
        assert await connection.drivers[1].read() is None
        with pytest.raises(DeviceBusyError):
            await connection.drivers[1].read()
        (event,) = await portion(connection)
        (present,) = await portion(connection)
        assert [one.scans[0].device for one in (event, present)] == [str(ADDRESS + 1)] * 2
        assert not second.events


async def test_present_values_that_were_waited_for_and_do_not_come_are_told_as_lost() -> None:
    async with two() as (connection, first, _):
        await asked_for_events(connection, first, 0)
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(connection.drivers[0].read())
            await asyncio.sleep(0.05)
            first.is_slow = False
        assert reading.result() is None
        (_event,) = await portion(connection)
        first.drop()
        (lost,) = await portion(connection)
        assert [(loss.count, loss.channels) for loss in lost.losses] == [(1, (1, 2, 3, 4))]
        with pytest.raises(LinkClosedError):
            await portion(connection)
