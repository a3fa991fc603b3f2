"""What the MQTT driver makes of messages, against Debian's mosquitto on loopback."""

from dataclasses import replace

import pytest

from edge_agent.drivers.mqtt import connect
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.conformance.driver.broker import MOSQUITTO, Broker, publishing
from tests.conformance.driver.mqtt import (
    CLOCK,
    GAS,
    STACK,
    TIME,
    bits,
    device,
    gas,
    heard,
    only_scan,
)

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages"),
]


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
