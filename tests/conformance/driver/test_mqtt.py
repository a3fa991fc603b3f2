"""What the MQTT driver promises, against Debian's mosquitto on loopback."""

import asyncio
import json
import signal
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.mqtt import (
    DeviceTime,
    Login,
    MqttPlace,
    MqttSpeech,
    TimeFormat,
)
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
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.broker import LIMIT_S, MOSQUITTO, Broker, publishing

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages"),
]
CLOCK = SystemClock()
GAS, STACK = "plant/gas", "plant/stack"
TIME = DeviceTime(path="/at", format=TimeFormat.UNIX_MS)


def bits(value: float) -> int:
    found: int = struct.unpack(">q", struct.pack(">d", value))[0]
    return found


def device(port: int, *, client_id: str = "gateway", time: DeviceTime | None = None) -> Device:
    """Return a device with two topics: a number with a status, and a switch."""
    status = MqttPlace(topic=GAS, path="/state", words=(("good", 1), ("bad", 2)))
    places = [
        (MqttPlace(topic=GAS, path="/nox"), "float64", status),
        (MqttPlace(topic=STACK, path="/on"), "bool", None),
        (MqttPlace(topic=GAS, path="/o2"), "float64", None),
    ]
    return Device(
        name="analyzer",
        protocol="mqtt",
        endpoint=Endpoint(scheme="mqtt", host="127.0.0.1", port=port),
        speech=MqttSpeech(login=Login(client_id=client_id), time=time),
        period_s=0.5,
        timeout_s=0.2,
        points=tuple(
            Point(channel=number, place=place, raw_type=raw_type, status=at)
            for number, (place, raw_type, at) in enumerate(places, 1)
        ),
        channels=(),
        limits=(),
        status_rules=(),
    )


def gas(nox: object = 5.25, **more: object) -> str:
    return json.dumps({"nox": nox, "o2": 21, "state": "good"} | more)


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    async with Broker(tmp_path) as one:
        yield one


def in_s(seconds: float) -> int:
    return CLOCK.now().mono_ns + round(seconds * NS_PER_S)


async def heard(listen: Listen | None, count: int) -> list[Delivery]:
    """Return so many deliveries."""
    assert listen is not None
    found: list[Delivery] = []
    async with asyncio.timeout(LIMIT_S):
        while len(found) < count:
            found += await listen(in_s(LIMIT_S))
    return found


async def acknowledge(listen: Listen | None) -> None:
    """Say that everything is durable; nothing else is waited for."""
    assert listen is not None
    await listen(in_s(0))


def only_scan(delivery: Delivery) -> Scan:
    (scan,) = delivery.scans
    return scan


async def test_a_message_is_a_scan_of_the_channels_of_its_topic(broker: Broker) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, publishing(broker.port) as one:
        before = CLOCK.now()
        await one.say(GAS, gas(5.3))
        await one.say(STACK, '{"on": true}')
        first, second = map(only_scan, await heard(connection.listen, 2))
        after = CLOCK.now()
    assert first.device == "analyzer"
    assert first.channel.tolist() == [1, 3]
    assert first.raw.tolist() == [bits(5.3), bits(21)]
    assert first.status.tolist() == [1, 0]
    assert not first.transport.any()
    assert (second.channel.tolist(), second.raw.tolist()) == ([2], [1])
    assert before.mono_ns <= first.mono_ns <= second.mono_ns <= after.mono_ns
    assert before.utc_ns <= first.at_ns <= after.utc_ns


async def test_a_time_of_the_device_is_taken_where_it_can_be_believed(broker: Broker) -> None:
    now_ms = CLOCK.now().utc_ns // 1_000_000
    times = [now_ms - 3_600_000, now_ms + 60_000, now_ms - 90_000_000, "yesterday"]
    async with (
        connect([device(broker.port, time=TIME)], CLOCK) as connection,
        publishing(broker.port) as one,
    ):
        for at in times:
            await one.say(GAS, gas(at=at))
        scans = list(map(only_scan, await heard(connection.listen, len(times))))
    assert scans[0].at_ns == (now_ms - 3_600_000) * 1_000_000
    assert not scans[0].transport.any()
    for scan in scans[1:]:
        assert abs(scan.at_ns // 1_000_000 - now_ms) < 60_000
        assert scan.transport.tolist() == [Reason.DEVICE_TIME_NOT_BELIEVED] * 2


UNREADABLE = NO_VALUE | QualityClass.FAILURE | Reason.COMMUNICATION
ABSENT = NO_VALUE | QualityClass.FAILURE | Reason.DEVICE_FAULT
UNSAID = QualityClass.OUT_OF_SPECIFICATION | Reason.NO_FLAGS


@pytest.mark.parametrize(
    ("payload", "raw", "transport"),
    [
        ("nonsense", [0, 0], [UNREADABLE, UNREADABLE]),
        ("", [0, 0], [UNREADABLE, UNREADABLE]),
        ('{"nox": 1', [0, 0], [UNREADABLE, UNREADABLE]),
        (gas("high"), [0, bits(21)], [UNREADABLE, 0]),
        (gas(None), [0, bits(21)], [ABSENT, 0]),
        ('{"nox": 1.5, "state": "good"}', [bits(1.5), 0], [0, ABSENT]),
        ('{"nox": 1.5, "o2": 21}', [bits(1.5), bits(21)], [UNSAID, 0]),
    ],
)
async def test_what_cannot_be_read_costs_only_itself_and_is_told(
    broker: Broker, payload: str, raw: list[int], transport: list[int]
) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, publishing(broker.port) as one:
        await one.say(GAS, payload)
        await one.say(GAS, gas())
        bad, good = map(only_scan, await heard(connection.listen, 2))
    assert (bad.raw.tolist(), bad.transport.tolist()) == (raw, transport)
    assert not good.transport.any()


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


async def test_what_the_broker_kept_for_newcomers_is_not_news(broker: Broker) -> None:
    async with publishing(broker.port) as one:
        await one.say(GAS, gas(1), retain=True)
        async with connect([device(broker.port)], CLOCK) as connection:
            await one.say(GAS, gas(2), retain=True)
            (found,) = await heard(connection.listen, 1)
    assert only_scan(found).raw.tolist()[0] == bits(2)


async def test_two_devices_may_hear_the_same_message(broker: Broker) -> None:
    both = [device(broker.port), replace(device(broker.port), name="other")]
    async with connect(both, CLOCK) as connection, publishing(broker.port) as one:
        await one.say(GAS, gas(2))
        (found,) = await heard(connection.listen, 1)
    assert [scan.device for scan in found.scans] == ["analyzer", "other"]


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
