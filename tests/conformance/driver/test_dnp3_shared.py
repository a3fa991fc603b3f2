"""Several outstations on one connection: what is kept of one while another is read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from edge_agent.drivers.base import Connection
from edge_agent.drivers.dnp3 import connect
from edge_agent.simulator.dnp3_outstation import CLASS_0_HEADER, READ, Outstation
from edge_agent.simulator.dnp3_server import listening
from tests.conformance.driver.outstation import (
    ADDRESS,
    CLOCK,
    POINTS,
    device,
    heard,
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
    async with listening(served, host="127.0.0.1", port=0, clock=CLOCK) as (port, _):
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


async def test_events_that_are_in_the_way_of_a_read_are_left_where_they_are() -> None:
    async with two() as (connection, first, _):
        await asked_for_events(connection, first, 0)
        async with asyncio.TaskGroup() as group:
            group.create_task(scan_of(connection.drivers[0]))
            await asyncio.sleep(0.05)
            first.is_slow = False
        found = await heard(connection, 1)
        assert await portion(connection, within_s=0.1) == []
        assert len(found) == 1
        assert not first.events


async def test_what_comes_again_because_its_confirmation_was_cut_off_is_known() -> None:
    async with two() as (connection, _, second):
        # An event is confirmed first, so that this is not about the first of a connection.
        second.hold(state(1.0), is_event=True)
        await scan_of(connection.drivers[1])
        await heard(connection, 1)
        await readied(connection)
        await asked_for_events(connection, second, 1)
        async with asyncio.TaskGroup() as group:
            group.create_task(scan_of(connection.drivers[0]))
            await asyncio.sleep(0.05)
            second.is_slow = False
        # Its present values end the answer that is kept: the confirmation will be for nothing.
        await scan_of(connection.drivers[1])
        (first_time,) = await portion(connection)
        (again,) = await heard(connection, 1)
        await readied(connection)
        assert first_time.is_new
        assert not again.is_new
        assert first_time.mark == again.mark
        assert not second.events
