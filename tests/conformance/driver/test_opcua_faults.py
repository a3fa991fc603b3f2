"""A subscription whose server stands still, dies, comes back or answers late; and the poller."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device
from edge_agent.drivers.base import Connection, Delivery, LinkClosedError
from edge_agent.drivers.opcua import connect
from edge_agent.drivers.poller import poll
from edge_agent.wire.vocabulary import Reason
from tests.conformance.driver.intake import Intake
from tests.conformance.driver.opcua import RAW, process, reading, subscribed
from tests.system.installation import free_port

pytestmark = [pytest.mark.asyncio, pytest.mark.filterwarnings("default::DeprecationWarning")]

CLOCK = SystemClock()
LIMIT_S = 10
LOST = int(Reason.SAMPLES_LOST)


async def heard_within(connection: Connection, limit_s: float) -> list[Delivery]:
    """Return the next deliveries, or none; what was heard before is acknowledged."""
    assert connection.listen is not None
    return list(await connection.listen(CLOCK.now().mono_ns + round(limit_s * NS_PER_S)))


async def test_a_server_that_stands_still_is_waited_for_and_then_dead() -> None:
    port = free_port()
    with process(port) as server:
        async with reading(subscribed(port)) as connection:
            await heard_within(connection, LIMIT_S)
            server.send_signal(signal.SIGSTOP)
            assert not await heard_within(connection, 1)
            server.send_signal(signal.SIGCONT)
            assert not await heard_within(connection, 1.5)  # it goes on, and nothing was lost
            server.send_signal(signal.SIGSTOP)
            (delivery,) = await heard_within(connection, LIMIT_S)
            (loss,) = delivery.losses
            assert "said nothing" in loss.detail
            assert loss.to_ns - loss.from_ns >= NS_PER_S
            with pytest.raises(LinkClosedError):
                await heard_within(connection, 1)
            server.send_signal(signal.SIGCONT)


async def test_a_server_that_is_killed_is_a_loss_and_the_next_one_begins_after_it() -> None:
    port = free_port()
    with process(port) as server:
        async with reading(subscribed(port)) as connection:
            await heard_within(connection, LIMIT_S)
            server.kill()
            server.wait()
            (delivery,) = await heard_within(connection, LIMIT_S)
            assert [loss.channels for loss in delivery.losses] == [(1, 2, 3, 4, 5)]
            with pytest.raises(LinkClosedError):
                await heard_within(connection, 1)
    with process(port):
        async with reading(subscribed(port)) as connection:
            (delivery,) = await heard_within(connection, LIMIT_S)
    (scan,) = delivery.scans
    assert scan.raw.tolist() == RAW
    assert scan.transport.tolist() == [LOST] * 5


@asynccontextmanager
async def polling(own: Device) -> AsyncIterator[Intake]:
    intake = Intake()
    async with asyncio.TaskGroup() as group:
        polled = poll(
            [own],
            connect=connect,
            intake=intake,
            clock=CLOCK,
            jitter=lambda: 0.1,
            beat=lambda: None,
        )
        task = group.create_task(polled)
        yield intake
        task.cancel()


async def test_a_server_that_restarts_is_a_gap_that_ends() -> None:
    port = free_port()
    async with polling(subscribed(port)) as intake:
        with process(port):
            await intake.until(lambda: len(intake.scans) >= 2)
        await intake.until(lambda: ("open", "link_closed") in intake.gaps())
        count = len(intake.scans)
        with process(port):
            await intake.until(lambda: len(intake.scans) >= count + 2)
            await intake.until(lambda: intake.gaps()[-1] == ("closed", "link_closed"))
    assert intake.scans[count].transport.tolist() == [LOST] * 5
    assert all(scan.raw.tolist() == RAW for scan in intake.scans)


@asynccontextmanager
async def late(target: int, by_s: float) -> AsyncIterator[int]:
    """Be between a client and a server, and let everything pass so much later; yields the port."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65_536):
                await CLOCK.sleep_until(CLOCK.now().mono_ns + round(by_s * NS_PER_S))
                writer.write(some)
            writer.write_eof()

    carried: list[asyncio.Task[None]] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward, answering = await asyncio.open_connection("127.0.0.1", target)
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(carry(reader, answering))
                ways.create_task(carry(onward, writer))
        finally:
            for each in (writer, answering):
                each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async with asyncio.TaskGroup() as group:

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            carried.append(group.create_task(connected(reader, writer)))

        async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
        for task in carried:
            task.cancel()


async def test_a_server_that_answers_late_is_heard_and_one_that_is_too_late_is_not() -> None:
    port = free_port()
    with process(port):
        async with late(port, 0.05) as slow, reading(subscribed(slow)) as connection:
            (delivery,) = await heard_within(connection, LIMIT_S)
            assert delivery.scans[0].raw.tolist() == RAW
            assert not await heard_within(connection, 3)
        async with late(port, 0.4) as slower:
            with pytest.raises(LinkClosedError):
                async with reading(subscribed(slower)):
                    pytest.fail("waited longer than the timeout")
