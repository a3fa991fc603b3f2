"""What the OPC UA driver promises of a subscription, against asyncua's server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.common.node import Node as ServerNode
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.server import Server

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.protocols.opcua import Node, SourceTime
from edge_agent.drivers.base import Connection, Delivery, LinkClosedError
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.opcua import (
    RAW,
    URI,
    as_raw,
    filled,
    reading,
    reset,
    subscribed,
)
from tests.system.installation import free_port

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]

CLOCK = SystemClock()
LIMIT_S = 8
TRUSTED = SourceTime(ahead_s=2, behind_s=3600)
LOST = int(Reason.SAMPLES_LOST)
FLOAT = ua.VariantType.Float


@dataclass(frozen=True)
class Served:
    """A server that runs for all tests of the module, and its variables."""

    server: Server
    port: int
    variables: dict[str, ServerNode]

    async def say(
        self, value: float, *, name: str = "NOx", status: int = 0, at: datetime | None = None
    ) -> None:
        """Change a variable."""
        said = ua.DataValue(
            Value=ua.Variant(value, FLOAT),
            StatusCode=ua.StatusCode(ua.UInt32(status)),
            SourceTimestamp=at,  # type: ignore[arg-type]  # a datetime, in spite of its types
        )
        await self.variables[name].write_value(said)

    @property
    def subscription(self) -> InternalSubscription:
        """What the server holds of the one subscription there is."""
        (one,) = self.server.iserver.subscription_service.subscriptions.values()
        return one


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def running() -> AsyncIterator[Served]:
    """Run the server."""
    server, port = Server(), free_port()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    variables = await filled(server)
    async with server:
        yield Served(server, port, variables)


@pytest_asyncio.fixture(loop_scope="module")
async def served(running: Served) -> Served:
    """Return the server with its first values."""
    await reset(running.variables)
    return running


@pytest.fixture(autouse=True, scope="module")
def quiet_library() -> Iterator[None]:
    """Keep what asyncua says of connections that end out of the test's output."""
    library = logging.getLogger("asyncua")
    level = library.level
    library.setLevel(logging.CRITICAL)
    yield
    library.setLevel(level)


async def heard(connection: Connection) -> Delivery:
    """Return the next delivery; what was heard before is acknowledged."""
    assert connection.listen is not None
    until_ns = CLOCK.now().mono_ns + LIMIT_S * NS_PER_S
    while CLOCK.now().mono_ns < until_ns:
        for delivery in await connection.listen(until_ns):
            return delivery
    pytest.fail("nothing was heard")


async def acknowledged(connection: Connection) -> None:
    """Say that what was heard is durable, and let the server know."""
    assert connection.listen is not None
    assert not await connection.listen(CLOCK.now().mono_ns + NS_PER_S // 3)


async def standing(connection: Connection) -> Scan:
    """Return what stands, as soon as the server has said once more that it does."""
    async with asyncio.timeout(LIMIT_S):
        while (scan := await connection.drivers[0].read()) is None:
            await acknowledged(connection)
    return scan


async def test_what_stands_at_first_is_told_with_its_arrival_and_as_after_a_loss(
    served: Served,
) -> None:
    before = CLOCK.now()
    async with reading(subscribed(served.port, time=TRUSTED)) as connection:
        (scan,) = (await heard(connection)).scans
        after = CLOCK.now()
    assert scan.channel.tolist() == [1, 2, 3, 4, 5]
    assert scan.raw.tolist() == RAW
    assert scan.transport.tolist() == [LOST] * 5
    assert before.utc_ns <= scan.at_ns <= after.utc_ns


async def test_a_change_is_told_with_its_status_code_and_only_that(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await served.say(2.5, status=0x40900000)
        (scan,) = (await heard(connection)).scans
    assert scan.channel.tolist() == [1]
    assert scan.raw.tolist() == [as_raw("float32", 2.5)]
    assert scan.status.tolist() == [0x40900000]
    assert scan.transport.tolist() == [QualityClass.OUT_OF_SPECIFICATION | Reason.LATE]


async def test_every_change_is_told_at_its_source_time_where_that_is_trusted(
    served: Served,
) -> None:
    second = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the server's clock
    times = [second + timedelta(milliseconds=each) for each in (-500, -400, -300)]
    async with reading(subscribed(served.port, time=TRUSTED)) as connection:
        await heard(connection)
        for number, at in enumerate(times):
            await served.say(number, at=at)
        scans = (await heard(connection)).scans
    assert [scan.at_ns for scan in scans] == [round(at.timestamp() * 1e9) for at in times]
    assert [scan.raw.tolist() for scan in scans] == [[as_raw("float32", each)] for each in range(3)]
    assert not any(scan.transport.any() for scan in scans)


async def test_without_source_times_only_the_last_of_several_changes_is_of_its_arrival(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        before = CLOCK.now()
        for number in range(3):
            await served.say(number)
        scans = (await heard(connection)).scans
    old = QualityClass.OUT_OF_SPECIFICATION | Reason.LATE
    assert [scan.transport.tolist() for scan in scans] == [[old], [old], [0]]
    assert [scan.raw.tolist() for scan in scans] == [[as_raw("float32", each)] for each in range(3)]
    assert all(scan.at_ns >= before.utc_ns for scan in scans)


@pytest.mark.parametrize("away", [timedelta(hours=1), timedelta(hours=-2)])
async def test_a_source_time_that_is_too_far_away_is_not_believed(
    served: Served, away: timedelta
) -> None:
    async with reading(subscribed(served.port, time=TRUSTED)) as connection:
        await heard(connection)
        before = CLOCK.now()
        await served.say(3.5, at=datetime.now(UTC) + away)  # noqa: TID251 - the server's clock
        (scan,) = (await heard(connection)).scans
    assert before.utc_ns <= scan.at_ns <= CLOCK.now().utc_ns
    assert scan.transport.tolist() == [Reason.DEVICE_TIME_NOT_BELIEVED]


async def test_an_overflow_of_the_servers_queue_is_a_loss_before_that_value(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        (first,) = (await heard(connection)).scans
        await served.say(4.5, status=0x480)
        delivery = await heard(connection)
    (loss,), (scan,) = delivery.losses, delivery.scans
    assert loss.channels == (1,)
    assert (loss.from_ns, loss.to_ns) == (first.at_ns, scan.at_ns)
    assert scan.transport.tolist() == [LOST]
    assert scan.status.tolist() == [0x480]


async def test_a_message_that_never_came_is_a_loss_of_every_channel(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await acknowledged(connection)
        served.subscription._notification_seq += 2
        await served.say(5.5)
        delivery = await heard(connection)
        await served.say(6.5)
        assert not (await heard(connection)).losses
    (loss,), (scan,) = delivery.losses, delivery.scans
    assert loss.channels == (1, 2, 3, 4, 5)
    assert loss.from_ns < loss.to_ns
    assert "2 messages" in loss.detail
    assert scan.transport.tolist() == [LOST]


async def test_a_message_that_the_server_still_keeps_is_fetched_and_nothing_is_lost(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await acknowledged(connection)
        item = ua.MonitoredItemNotification(
            ClientHandle=0, Value=ua.DataValue(ua.Variant(7.5, FLOAT))
        )
        kept = ua.PublishResult(NotificationMessage=ua.NotificationMessage(NotificationData=[]))
        kept.NotificationMessage.NotificationData.append(ua.DataChangeNotification([item]))
        subscription = served.subscription
        subscription._not_acknowledged_results[subscription._notification_seq] = kept
        subscription._notification_seq += 1
        await served.say(8.5)
        deliveries = [await heard(connection), await heard(connection)]
    told = [scan.raw.tolist() for delivery in deliveries for scan in delivery.scans]
    assert told == [[as_raw("float32", 7.5)], [as_raw("float32", 8.5)]]
    assert not any(delivery.losses for delivery in deliveries)


async def test_nothing_is_acknowledged_before_it_is_durable(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await served.say(9.5)
        for number in range(3):
            await served.say(number, name="NOx")
            await CLOCK.sleep_until(CLOCK.now().mono_ns + NS_PER_S // 3)
        assert len(served.subscription._not_acknowledged_results) == 1
        await heard(connection)
        await acknowledged(connection)
        assert not served.subscription._not_acknowledged_results


async def test_what_has_not_changed_stands_as_of_when_the_server_was_last_heard(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        driver = connection.drivers[0]
        assert await driver.read() is None  # all of them have spoken
        before = CLOCK.now()
        await served.say(1.25)
        await heard(connection)
        await acknowledged(connection)
        scan = await standing(connection)
        assert scan.channel.tolist() == [2, 3, 4, 5]
        assert scan.raw.tolist() == RAW[1:]
        assert not scan.transport.any()
        assert before.utc_ns < scan.at_ns < CLOCK.now().utc_ns
        again = await standing(connection)
        assert again.at_ns > scan.at_ns
        assert again.channel.tolist() == [1, 2, 3, 4, 5]
        assert again.raw.tolist() == [as_raw("float32", 1.25), *RAW[1:]]


async def test_the_first_poll_waits_for_the_values(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        assert await connection.drivers[0].read() is None
        assert (await heard(connection)).scans


async def test_a_variable_that_the_server_does_not_have_costs_only_itself(served: Served) -> None:
    own = subscribed(served.port)
    gone = replace(own.points[1], place=Node(namespace=URI, identifier="s=gone"))
    own = replace(own, points=(own.points[0], gone, *own.points[2:]))
    async with reading(own) as connection:
        (scan,) = (await heard(connection)).scans
        assert scan.channel.tolist() == [1, 3, 4, 5]
        rest = await connection.drivers[0].read()
    assert rest is not None
    assert rest.channel.tolist() == [2]
    assert rest.status.tolist() == [0x80340000]
    assert rest.transport.tolist() == [QualityClass.FAILURE | Reason.REFUSED | NO_VALUE]


async def test_a_server_that_keeps_less_than_it_was_asked_for_is_remarked_on(
    served: Served,
) -> None:
    async with reading(subscribed(served.port, queue_size=20_000)) as connection:
        assert connection.remarks == ("keeps 10000 changes of a variable, not 20000",)
        assert (await heard(connection)).scans
    async with reading(subscribed(served.port)) as connection:
        assert not connection.remarks


async def test_a_subscription_that_the_server_ends_is_a_loss_and_then_a_closed_link(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await acknowledged(connection)
        code = ua.StatusCode(ua.UInt32(0x800A0000))  # BadTimeout
        await served.subscription.enqueue_statuschange(code)
        await served.say(1.5)
        deliveries = [await heard(connection), await heard(connection)]
        assert [scan.raw.tolist() for scan in deliveries[0].scans] == [[as_raw("float32", 1.5)]]
        (loss,) = deliveries[1].losses
        assert loss.channels == (1, 2, 3, 4, 5)
        with pytest.raises(LinkClosedError, match="BadTimeout"):
            await heard(connection)
        with pytest.raises(LinkClosedError):
            await connection.drivers[0].read()


async def test_a_subscription_that_falls_silent_is_dead(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
        await acknowledged(connection)
        await served.subscription.stop()
        (loss,) = (await heard(connection)).losses
        assert "said nothing for" in loss.detail
        with pytest.raises(LinkClosedError):
            await heard(connection)


async def test_listening_that_is_cut_short_loses_nothing_and_leaves_nothing(
    served: Served,
) -> None:
    async with reading(subscribed(served.port)) as connection:
        assert connection.listen is not None
        await heard(connection)
        told: list[Delivery] = []
        for number in range(6):
            await served.say(number)
            for _ in range(20):
                try:
                    async with asyncio.timeout(0.02):
                        told += await connection.listen(CLOCK.now().mono_ns + NS_PER_S)
                        break
                except TimeoutError:
                    pass
        last = told[-1].scans[-1]
    values = [scan.raw.tolist() for delivery in told for scan in delivery.scans]
    assert values == [[as_raw("float32", each)] for each in range(6)]
    assert last.channel.tolist() == [1]
    for _ in range(3):
        await CLOCK.sleep_until(CLOCK.now().mono_ns)
    names = [str(task.get_coro()) for task in asyncio.all_tasks()]
    assert not [name for name in names if "_publish_loop" in name or "client" in name.lower()]


async def test_an_end_while_something_waits_to_be_durable_ends_everything(served: Served) -> None:
    async with reading(subscribed(served.port)) as connection:
        await heard(connection)
    assert not served.server.iserver.subscription_service.subscriptions
