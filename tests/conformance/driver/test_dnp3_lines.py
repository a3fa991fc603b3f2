"""DNP3 on serial lines, several outstations on one, and outstations in processes of their own."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from dnp3.core.flags import AnalogQuality
from dnp3.database.database import Database, DatabaseConfig
from dnp3.outstation.config import OutstationConfig
from dnp3.outstation.outstation import Outstation as TheirOutstation
from dnp3.outstation.tcp_runner import OutstationTcpRunner

from edge_agent.config.device import Endpoint, Point
from edge_agent.config.protocols.dnp3 import Dnp3Place, Events
from edge_agent.drivers.base import LinkClosedError, LinkLostError
from edge_agent.drivers.dnp3 import connect
from edge_agent.simulator.dnp3_outstation import Outstation
from edge_agent.simulator.dnp3_server import listening
from tests.conformance.driver.outstation import (
    ADDRESS,
    AI,
    CLOCK,
    LINE,
    bits,
    connected,
    device,
    filled,
    heard,
    now_ms,
    on_a_terminal,
    only_scan,
    portion,
    serving,
    state,
)
from tests.conformance.driver.subject import scan_of
from tests.system.installation import free_port

pytestmark = pytest.mark.asyncio
ROOT = Path(__file__).parents[3]
HELD = [bits(0.5), bits(1.5), 1, 1]


@pytest.mark.parametrize("events", [Events.POLLED, Events.UNSOLICITED])
async def test_a_serial_line_carries_values_and_events(events: Events) -> None:
    own = filled()
    async with on_a_terminal(own) as (path, server):
        endpoint = Endpoint(scheme="serial", path=path, line=LINE)
        async with connected(replace(device(1, events), endpoint=endpoint)) as connection:
            assert await portion(connection, within_s=0.3) == []
            own.hold(state(7.0, at_ms=now_ms()), is_event=True)
            server.look()
            await asyncio.sleep(0.05)
            scan = await connection.drivers[0].read()
            found = await heard(connection, 1 if scan else 2)
            assert await portion(connection, within_s=0.2) == []
            again = await scan_of(connection.drivers[0])
    assert again.raw.tolist() == [bits(7.0), *HELD[1:]]
    assert [bits(7.0)] in [only_scan(one).raw.tolist() for one in found]
    assert not own.events


async def test_a_port_that_is_not_there_is_a_closed_link(tmp_path: Path) -> None:
    endpoint = Endpoint(scheme="serial", path=str(tmp_path / "ttyUSB0"), line=LINE)
    with pytest.raises(LinkClosedError):
        async with connected(replace(device(1), endpoint=endpoint)):
            pytest.fail("opened nothing")


async def test_a_line_that_goes_away_is_a_closed_link() -> None:
    own = filled()
    stack = on_a_terminal(own)
    path, _ = await stack.__aenter__()
    endpoint = Endpoint(scheme="serial", path=path, line=LINE)
    async with connected(replace(device(1), endpoint=endpoint)) as connection:
        await scan_of(connection.drivers[0])
        await stack.__aexit__(None, None, None)
        with pytest.raises(LinkLostError):
            await scan_of(connection.drivers[0])


@asynccontextmanager
async def two_on_a_port() -> AsyncIterator[tuple[int, Outstation, Outstation]]:
    first, second = filled(), filled()
    served = {ADDRESS: first, ADDRESS + 1: second}
    async with listening(served, host="127.0.0.1", port=0, clock=CLOCK) as (port, _):
        yield port, first, second


def silent(request: bytes, now_ns: int) -> list[bytes]:
    """Say nothing."""
    assert request
    assert now_ns
    return []


async def test_a_dead_outstation_does_not_cost_the_others_of_its_line_anything() -> None:
    async with two_on_a_port() as (port, first, second):
        second.heard = silent  # type: ignore[method-assign]  # it is dead
        alive = device(port)
        dead = replace(device(port, address=ADDRESS + 1), name="dead")
        async with connect([alive, dead], CLOCK) as connection:
            good, bad = connection.drivers
            for number in range(3):
                with pytest.raises(LinkLostError, match=r"outstation 11: no answer within 0\.4 s"):
                    await bad.read()
                first.hold(state(number, at_ms=now_ms()), is_event=True)
                assert (await scan_of(good)).raw.tolist()[0] == bits(number)
                (event,) = await heard(connection, 1)
                assert only_scan(event).device == "outstation"


async def test_an_outstation_that_is_dead_for_long_ends_the_link_before_a_number_comes_round() -> (
    None
):
    async with serving(filled()) as (port, server):
        server.is_silent = True
        async with connected(replace(device(port), timeout_s=0.1)) as connection:
            for _ in range(7):
                with pytest.raises(LinkLostError) as told:
                    await connection.drivers[0].read()
                assert not isinstance(told.value, LinkClosedError)
            for _ in range(2):
                with pytest.raises(LinkClosedError):
                    await connection.drivers[0].read()


@contextmanager
def process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run an outstation in a process of its own."""
    program = (
        "import asyncio, tests.conformance.driver.outstation as t\n"
        "async def main():\n"
        f" async with t.serving(t.filled(), {port}):\n"
        "  print('ready', flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        yield started
    finally:
        started.kill()
        started.communicate()


async def test_an_outstation_that_is_killed_closes_the_link_and_a_new_one_is_read() -> None:
    port = free_port()
    with process(port) as started:
        stack = connected(device(port))
        connection = await stack.__aenter__()
        assert (await scan_of(connection.drivers[0])).raw.tolist() == HELD
        started.kill()
        started.wait()
        for _ in range(2):
            with pytest.raises(LinkClosedError):
                await scan_of(connection.drivers[0])
        await stack.__aexit__(None, None, None)
    with process(port):
        async with connected(device(port)) as connection:
            assert (await scan_of(connection.drivers[0])).raw.tolist() == HELD


async def test_an_outstation_that_stands_still_costs_the_deadline_and_then_goes_on() -> None:
    port = free_port()
    with process(port) as started:
        async with connected(device(port)) as connection:
            started.send_signal(signal.SIGSTOP)
            for _ in range(3):
                with pytest.raises(LinkLostError, match=r"within 0\.4 s"):
                    await scan_of(connection.drivers[0])
            started.send_signal(signal.SIGCONT)
            # What it answers now to what it was asked before is not taken.
            assert (await scan_of(connection.drivers[0])).raw.tolist() == HELD


async def test_a_thousand_points_come_in_many_fragments_from_the_server_of_dnp3py() -> None:
    database = Database(config=DatabaseConfig(max_analog_inputs=1000))
    for index in range(1000):
        database.add_analog_input(index, value=index * 3.0, quality=AnalogQuality.ONLINE)
    config = OutstationConfig(address=ADDRESS, master_address=1, time_sync_required=False)
    outstation = TheirOutstation(config=config, database=database)
    port = free_port()
    runner = OutstationTcpRunner(outstation, host="127.0.0.1", port=port)
    points = tuple(
        Point(
            channel=index + 1,
            place=Dnp3Place(kind=AI, index=index),
            raw_type="int64",
            status=None,
        )
        for index in range(1000)
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(runner.run())
        async with asyncio.timeout(10):
            while not runner.is_running:  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0)
        own = replace(device(port), points=points, timeout_s=5)
        async with connected(own) as connection:
            for _ in range(3):
                scan = await scan_of(connection.drivers[0])
                assert scan.raw.tolist() == [index * 3 for index in range(1000)]
                assert not scan.transport.any()
        await runner.stop()
        running.cancel()
