"""What the Sparkplug driver promises, against an edge node of ours behind Debian's mosquitto."""

import signal
from dataclasses import replace

import pytest

from edge_agent.config.protocols.sparkplug import SparkplugSpeech
from edge_agent.drivers.base import LinkClosedError, LinkLostError
from edge_agent.drivers.sparkplug import connect
from edge_agent.drivers.sparkplug_node import NOT_YET, STALE, UNSURE
from edge_agent.drivers.sparkplug_payload import Metric, Payload, Slot, encoded, float_bits
from edge_agent.wire.vocabulary import QualityClass, Reason
from tests.conformance.driver.broker import MOSQUITTO, Broker
from tests.conformance.driver.edge_node import (
    CLOCK,
    device,
    edge_node,
    next_deliveries,
    until_raw,
    until_value,
)

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages"),
]


async def test_a_scan_holds_the_last_value_of_every_point(broker: Broker) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, edge_node(broker.port) as node:
        before = CLOCK.now()
        node.say(1.5)
        scan = await until_raw(connection, 1.5)
        after = CLOCK.now()
        assert scan.device == "stack node"
        assert scan.channel.tolist() == [1, 2]
        assert scan.status.tolist() == [192, 0]
        assert scan.transport.tolist() == [0, int(NOT_YET)]
        assert before.mono_ns <= scan.mono_ns <= after.mono_ns
        assert before.utc_ns <= scan.at_ns <= after.utc_ns
        node.say(2.5)
        assert (await until_raw(connection, 2.5)).transport.tolist()[0] == 0
        # By exception: the last value stands until another one is said.
        assert (await until_raw(connection, 2.5)).transport.tolist()[0] == 0


async def test_nodes_of_one_broker_share_its_connection(broker: Broker) -> None:
    devices = [device(broker.port, node=name) for name in ("a", "b")]
    async with (
        connect(devices, CLOCK) as connection,
        edge_node(broker.port, "a") as first,
        edge_node(broker.port, "b") as second,
    ):
        first.say(1.0)
        second.say(2.0)
        scans = [await driver.read() for driver in connection.drivers]
    assert [scan and scan.raw.tolist()[0] for scan in scans] == [float_bits(1.0), float_bits(2.0)]


async def test_a_gap_in_the_numbers_is_a_loss_and_what_follows_is_doubted_until_a_birth(
    broker: Broker,
) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, edge_node(broker.port) as node:
        node.say(1.0)
        await until_raw(connection, 1.0)
        node.skip(2.0)
        node.skip(3.0)
        node.say(4.0)
        scan, (delivery,) = await until_value(connection, 4.0)
        (loss,) = delivery.losses
        assert (loss.channels, loss.count) == ((1, 2), 2)
        assert loss.from_ns < loss.to_ns
        assert delivery.scans == ()
        assert scan.transport.tolist() == [UNSURE, NOT_YET | Reason.SAMPLES_LOST]
        node.say(5.0)
        assert (await until_raw(connection, 5.0)).transport.tolist() == [UNSURE, NOT_YET]
        node.session.must_be_born = True
        node.say(6.0)
        assert (await until_raw(connection, 6.0)).transport.tolist()[0] == 0


async def test_a_node_is_asked_to_be_born_again_only_where_that_is_allowed(broker: Broker) -> None:
    async with edge_node(broker.port) as node:
        node.say(1.0)
        await node.heard_by_broker()
        for is_allowed in (False, True):
            own = replace(
                device(broker.port, may_request_rebirth=is_allowed), timeout_s=0.3, period_s=0.5
            )
            async with connect([own], CLOCK) as connection:
                (driver,) = connection.drivers
                with pytest.raises(LinkLostError, match="has not been heard yet"):
                    await driver.read()
                assert node.session.must_be_born is is_allowed
        async with connect([device(broker.port)], CLOCK) as connection:
            node.say(1.0)
            assert (await until_raw(connection, 1.0)).transport.tolist()[0] == 0


async def test_the_death_of_a_device_makes_its_points_stale_and_its_birth_good_again(
    broker: Broker,
) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, edge_node(broker.port) as node:
        (driver,) = connection.drivers
        node.say(1.0)
        await until_raw(connection, 1.0)
        node.say(None)
        (delivery,) = await next_deliveries(connection)
        (scan,) = delivery.scans
        assert scan.raw.tolist() == [float_bits(1.0), 0]
        assert scan.transport.tolist() == [STALE, NOT_YET]
        with pytest.raises(LinkLostError, match="dead"):
            await driver.read()
        node.say(2.0)
        assert (await until_raw(connection, 2.0)).transport.tolist()[0] == 0


async def test_the_last_will_of_a_node_makes_its_points_stale(broker: Broker) -> None:
    async with connect([device(broker.port)], CLOCK) as connection:
        (driver,) = connection.drivers
        async with edge_node(broker.port) as node:
            node.say(1.0)
            await until_raw(connection, 1.0)
            # Its connection breaks: the broker says the rest.
            sock = node.publisher.client.socket()
            assert sock is not None
            sock.close()
            (delivery,) = await next_deliveries(connection)
        assert delivery.scans[0].transport.tolist()[0] == STALE
        with pytest.raises(LinkLostError, match="dead"):
            await driver.read()
        async with edge_node(broker.port, bd_seq=1) as node:
            node.say(3.0)
            assert (await until_raw(connection, 3.0)).transport.tolist()[0] == 0


async def test_values_of_the_past_are_stored_at_their_own_times(broker: Broker) -> None:
    for is_trusted in (True, False):
        own = device(broker.port)
        assert isinstance(own.speech, SparkplugSpeech)
        own = replace(own, speech=replace(own.speech, trusts_time=is_trusted))
        async with connect([own], CLOCK) as connection, edge_node(broker.port) as node:
            node.say(1.0)
            await until_raw(connection, 1.0)
            metrics = tuple(
                Metric(
                    alias=0,
                    timestamp_ms=at_ms,
                    is_historical=True,
                    slot=Slot.FLOAT,
                    value=float_bits(at_ms),
                    properties={"Quality": 192},
                )
                for at_ms in (1000, 2000)
            )
            payload = encoded(Payload(seq=2, metrics=metrics))
            node.publisher.say(node.session.topic("DDATA", "stack"), payload)
            (delivery,) = await next_deliveries(connection)
        found = [(scan.channel.tolist(), scan.raw.tolist()) for scan in delivery.scans]
        assert found == [([1], [float_bits(1000)]), ([1], [float_bits(2000)])]
        times = [scan.at_ns for scan in delivery.scans]
        doubts = [scan.transport.tolist() for scan in delivery.scans]
        if is_trusted:
            assert (times, doubts) == ([10**9, 2 * 10**9], [[0], [0]])
        else:
            assert min(times) > 10**18
            late = Reason.LATE | Reason.DEVICE_TIME_NOT_BELIEVED
            assert doubts == [[QualityClass.OUT_OF_SPECIFICATION | late]] * 2


@pytest.mark.parametrize("payload", [b"", b"\xff", b"\x12\xff", b"{}"])
async def test_what_is_no_payload_is_never_a_value(broker: Broker, payload: bytes) -> None:
    async with connect([device(broker.port)], CLOCK) as connection, edge_node(broker.port) as node:
        node.say(1.0)
        await until_raw(connection, 1.0)
        node.publisher.say(node.session.topic("DDATA", "stack"), payload)
        node.say(2.0)
        scan = await until_raw(connection, 2.0)
    assert scan.transport.tolist()[0] in (0, UNSURE)


async def test_a_broker_that_dies_closes_the_link(broker: Broker) -> None:
    async with connect([device(broker.port)], CLOCK) as connection:
        (driver,) = connection.drivers
        async with edge_node(broker.port) as node:
            node.say(1.0)
            await until_raw(connection, 1.0)
        await broker.kill()
        with pytest.raises(LinkClosedError):
            await until_raw(connection, 2.0)
        with pytest.raises(LinkClosedError):
            await driver.read()
    await broker.start()
    async with connect([device(broker.port)], CLOCK) as connection, edge_node(broker.port) as node:
        node.say(2.0)
        await until_raw(connection, 2.0)


async def test_a_broker_that_hangs_is_taken_for_dead_and_its_values_are_not_taken_for_ever(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_agent.drivers.sparkplug.KEEPALIVE_S", 1)
    async with connect([device(broker.port)], CLOCK) as connection, edge_node(broker.port) as node:
        node.say(1.0)
        await until_raw(connection, 1.0)
        broker.signal(signal.SIGSTOP)
        with pytest.raises(LinkClosedError):
            await until_raw(connection, 2.0)
        broker.signal(signal.SIGCONT)
