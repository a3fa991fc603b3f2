"""An MQTT device for the tests of the driver, and what is heard of it."""

import asyncio
import json
import struct

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.mqtt import (
    DeviceTime,
    Login,
    MqttPlace,
    MqttSpeech,
    TimeFormat,
)
from edge_agent.drivers.base import Delivery, Listen
from edge_agent.wire.readings import Scan
from tests.conformance.driver.broker import LIMIT_S

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
