"""What the OPC UA driver promises of a subscription: acknowledged late, nothing lost in silence."""

import asyncio

import pytest
from asyncua import ua

from edge_agent.clock import NS_PER_S
from edge_agent.drivers.base import Delivery, LinkClosedError
from edge_agent.wire.vocabulary import Reason
from tests.conformance.driver.opcua import as_raw, reading, subscribed
from tests.conformance.driver.opcua_subscribed import CLOCK, FLOAT, Served, acknowledged, heard

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("default::DeprecationWarning"),
]

LOST = int(Reason.SAMPLES_LOST)


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
