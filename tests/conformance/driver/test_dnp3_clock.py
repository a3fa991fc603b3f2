"""Clocks of outstations are set where that is allowed, and in no other case."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.clock import SystemClock, Trust
from edge_agent.config.device import Endpoint
from edge_agent.drivers.base import Connection
from edge_agent.drivers.dnp3 import connect
from tests.conformance.driver.outstation import (
    LINE,
    bits,
    device,
    filled,
    now_ms,
    on_a_terminal,
    portion,
    serving,
)
from tests.conformance.driver.subject import scan_of

pytestmark = pytest.mark.asyncio
ROOT = Path(__file__).parents[3]
HELD = [bits(0.5), bits(1.5), 1, 1]


class Synchronised(SystemClock):
    """A clock whose error is known."""

    def trust(self) -> Trust:
        return Trust(state=1, error_ms=3)


async def settled(connection: Connection) -> None:
    await scan_of(connection.drivers[0])
    assert await portion(connection, within_s=0.2) == []


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_a_clock_is_set_only_where_that_is_allowed(*, is_allowed: bool) -> None:
    own = filled()
    own.needs_time = True
    async with (
        serving(own) as (port, _),
        connect([device(port, may_set_time=is_allowed)], Synchronised()) as connection,
    ):
        await settled(connection)
        await settled(connection)
    assert len(own.time_set) == is_allowed
    assert own.needs_time is not is_allowed
    for variation, at_ms in own.time_set:
        assert variation == 3  # the time at which the request before was sent
        assert abs(at_ms - now_ms()) < 2_000


async def test_a_clock_is_not_copied_while_its_own_error_is_unknown() -> None:
    class Unsure(SystemClock):
        def trust(self) -> Trust:
            return Trust(state=3, error_ms=None)

    own = filled()
    own.needs_time = True
    async with (
        serving(own) as (port, _),
        connect([device(port, may_set_time=True)], Unsure()) as connection,
    ):
        await settled(connection)
    assert own.time_set == []


async def test_on_a_line_the_delay_is_measured_and_the_time_of_arrival_written() -> None:
    own = filled()
    own.needs_time = True
    async with on_a_terminal(own) as (path, _):
        endpoint = Endpoint(scheme="serial", path=path, line=LINE)
        line = replace(device(1, may_set_time=True), endpoint=endpoint)
        async with connect([line], Synchronised()) as connection:
            await settled(connection)
    ((variation, at_ms),) = own.time_set
    assert variation == 1
    assert abs(at_ms - now_ms()) < 2_000
