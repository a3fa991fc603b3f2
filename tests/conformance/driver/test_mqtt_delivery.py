"""That no message is lost or taken twice, and that a silence is missed; against mosquitto."""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.drivers import mqtt_link
from edge_agent.drivers.base import (
    Connection,
    Delivery,
    LinkClosedError,
    LinkLostError,
    Listen,
)
from edge_agent.drivers.mqtt import connect
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import QualityClass, Reason
from tests.conformance.driver.broker import LIMIT_S, MOSQUITTO, Broker, publishing
from tests.conformance.driver.mqtt import (
    CLOCK,
    GAS,
    STACK,
    TIME,
    acknowledge,
    bits,
    device,
    gas,
    heard,
    in_s,
    only_scan,
)

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages"),
]


async def portions(listen: Listen | None, count: int) -> list[list[Delivery]]:
    """Return so many deliveries, those together that one call gave: each call acknowledges."""
    assert listen is not None
    found: list[list[Delivery]] = []
    async with asyncio.timeout(LIMIT_S):
        while sum(map(len, found)) < count:
            found.append(list(await listen(in_s(LIMIT_S))))
    return found


async def test_what_was_not_acknowledged_comes_again_under_the_same_mark(broker: Broker) -> None:
    async with publishing(broker.port) as one:
        async with connect([device(broker.port)], CLOCK) as connection:
            for _ in range(5):
                await one.say(GAS, gas())
            *acknowledged, open_ones = await portions(connection.listen, 5)
        await one.say(GAS, gas())
        async with connect([device(broker.port)], CLOCK) as connection:
            again = await heard(connection.listen, len(open_ones) + 1)
            await acknowledge(connection.listen)
        async with connect([device(broker.port)], CLOCK) as connection:
            await one.say(STACK, '{"on": false}')
            (last,) = await heard(connection.listen, 1)
    first = [delivery for portion in [*acknowledged, open_ones] for delivery in portion]
    # Alike in every byte, they are told apart by their numbers, and by the broker's word.
    assert len({delivery.mark for delivery in first}) == 5
    assert all(delivery.is_new for delivery in first)
    assert [one.mark for one in again[:-1]] == [one.mark for one in open_ones]
    assert [one.is_new for one in again] == [False] * len(open_ones) + [True]
    assert again[-1].mark not in {one.mark for one in first}
    assert only_scan(last).channel.tolist() == [2]


async def test_a_message_that_was_sent_before_and_has_no_time_is_told_to_be_late(
    broker: Broker,
) -> None:
    async with publishing(broker.port) as one:
        for time, bad in ((None, QualityClass.OUT_OF_SPECIFICATION | Reason.LATE), (TIME, 0)):
            own = device(broker.port, client_id=f"gateway-{bad}", time=time)
            async with connect([own], CLOCK) as connection:
                await one.say(GAS, gas(at=CLOCK.now().utc_ns // 1_000_000))
                await heard(connection.listen, 1)
            async with connect([own], CLOCK) as connection:
                (again,) = await heard(connection.listen, 1)
            assert only_scan(again).transport.tolist() == [bad, bad]


async def test_the_broker_keeps_what_is_said_while_nobody_listens(broker: Broker) -> None:
    async with publishing(broker.port) as one:
        async with connect([device(broker.port)], CLOCK):
            pass
        for number in range(50):
            await one.say(GAS, gas(number))
        async with connect([device(broker.port)], CLOCK) as connection:
            kept = await heard(connection.listen, 50)
    assert [only_scan(one).raw.tolist()[0] for one in kept] == [bits(n) for n in range(50)]


async def test_a_full_queue_loses_nothing(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_link, "QUEUE", 4)
    monkeypatch.setattr(mqtt_link, "PORTION", 3)
    async with connect([device(broker.port)], CLOCK) as connection, publishing(broker.port) as one:
        for number in range(40):
            await one.say(GAS, gas(number))
        found = await heard(connection.listen, 40)
    assert [only_scan(one).raw.tolist()[0] for one in found] == [bits(n) for n in range(40)]


async def test_a_listener_that_is_cancelled_loses_nothing(broker: Broker) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, publishing(broker.port) as one:
        assert connection.listen is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await connection.listen(in_s(LIMIT_S))
        await one.say(GAS, gas(7))
        (found,) = await heard(connection.listen, 1)
    assert only_scan(found).raw.tolist()[0] == bits(7)


async def read_all(connection: Connection) -> Sequence[Scan | None]:
    return [await driver.read() for driver in connection.drivers]


async def test_a_device_that_speaks_is_not_asked_and_one_topic_that_is_silent_is_missed(
    broker: Broker,
) -> None:
    patient = replace(device(broker.port), period_s=30.0, timeout_s=20.0)
    async with connect([patient], CLOCK) as connection, publishing(broker.port) as one:
        await one.say(GAS, gas())
        await one.say(STACK, '{"on": true}')
        assert await read_all(connection) == [None]
        await heard(connection.listen, 2)
        assert await read_all(connection) == [None]
    impatient = replace(device(broker.port, client_id="other"), period_s=0.05, timeout_s=0.2)
    async with connect([impatient], CLOCK) as connection, publishing(broker.port) as one:
        await one.say(GAS, gas())
        with pytest.raises(LinkLostError, match=r"no message on .*plant/stack within 0\.25 s"):
            await read_all(connection)


async def test_a_broker_that_dies_closes_the_link_and_a_new_one_serves_a_new_link(
    broker: Broker,
) -> None:
    async with connect([device(broker.port)], CLOCK) as connection:
        async with publishing(broker.port) as one:
            await one.say(GAS, gas(1))
        await broker.kill()
        # What had come before is still given.
        (found,) = await heard(connection.listen, 1)
        assert only_scan(found).raw.tolist()[0] == bits(1)
        with pytest.raises(LinkClosedError):
            await heard(connection.listen, 1)
        with pytest.raises(LinkClosedError):
            await read_all(connection)
    with pytest.raises(LinkClosedError, match="no connection"):
        async with connect([device(broker.port)], CLOCK):
            pytest.fail("connected to nobody")
    await broker.start()
    async with connect([device(broker.port)], CLOCK) as connection, publishing(broker.port) as one:
        await one.say(GAS, gas(2))
        (found,) = await heard(connection.listen, 1)
    assert (found.is_new, only_scan(found).raw.tolist()[0]) == (True, bits(2))


async def test_a_broker_that_hangs_is_a_silence_and_then_goes_on(broker: Broker) -> None:
    hung = replace(device(broker.port), period_s=0.2, timeout_s=0.1)
    async with connect([hung], CLOCK) as connection, publishing(broker.port) as one:
        broker.signal(signal.SIGSTOP)
        told = one.client.publish(GAS, gas(3), qos=1)
        with pytest.raises(LinkLostError, match="no message"):
            await read_all(connection)
        with pytest.raises(LinkClosedError, match="no session within"):
            async with connect([replace(hung, timeout_s=0.3)], CLOCK):
                pytest.fail("a session at a broker that hangs")
        broker.signal(signal.SIGCONT)
        await asyncio.to_thread(told.wait_for_publish, LIMIT_S)
        try:
            found = await heard(connection.listen, 1)
        except LinkClosedError:
            # The second session, which the broker began late, has ended the first.
            async with connect([hung], CLOCK) as other:
                found = await heard(other.listen, 1)
    assert only_scan(found[0]).raw.tolist()[0] == bits(3)


async def test_a_login_that_the_broker_refuses_is_told(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    async with Broker(tmp_path, extra=(f"password_file {passwords}",)) as strict:
        with pytest.raises(LinkClosedError, match="refuses: Not authorized"):
            async with connect([device(strict.port)], CLOCK):
                pytest.fail("let in")


async def test_a_topic_that_the_broker_withholds_is_a_silence(
    tmp_path: Path,
) -> None:
    rights = tmp_path / "rights"
    rights.write_text(f"topic read {GAS}\n")
    async with (
        Broker(tmp_path, extra=(f"acl_file {rights}",)) as strict,
        connect([device(strict.port)], CLOCK) as connection,
    ):
        # This broker grants the subscription, and sends nothing.
        with pytest.raises(LinkLostError, match="no message on"):
            await read_all(connection)
