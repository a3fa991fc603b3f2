"""Plain MQTT: JSON messages of declared topics as scans, acknowledged once they are durable.

A message is stored once. The broker marks what it sends again (DUP), with the packet identifier of
the first time (MQTT 3.1.1, sections 3.3.1.1 and 4.4): so a message without that mark is always new,
also when every byte of it was there before, and one with it is dropped exactly if identifier, topic
and payload are known. A broker that lost the session has nothing to send again, and begins with
messages that bear no mark. What it never sent here is not known here; the silence is a gap.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Final

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.device import Device
from edge_agent.drivers.base import (
    Connection,
    Delivery,
    DeviceRefusedError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.mqtt_link import Link, Message
from edge_agent.drivers.mqtt_reading import TopicReader, by_topic, speech_of

MARK_SIZE: Final = 16


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Resume the session that the devices of one broker share, and leave it at the end.

    Args:
        devices: at least one, all of one endpoint and one login.
        clock: stamps the messages.

    Raises:
        LinkClosedError: there was no session within the longest timeout of the devices.

    """
    timeout_s = max(device.timeout_s for device in devices)
    readers = [[TopicReader(device, *part) for part in by_topic(device)] for device in devices]
    login = speech_of(devices[0]).login
    link = Link(
        devices[0].endpoint,
        login,
        clock=clock,
        timeout_s=timeout_s,
        is_persistent=not login.is_visitor,
    )
    try:
        refused = await link.open([reader.topic for part in readers for reader in part])
        drivers = [
            MqttDevice(device, [reader.topic for reader in part], link, clock, refused)
            for device, part in zip(devices, readers, strict=True)
        ]
        listener = Listener(link, [reader for part in readers for reader in part])
        yield Connection(drivers=drivers, listen=listener.listen)
    finally:
        await link.close()


class Listener:
    """Turns what the link hears into deliveries, message by message."""

    def __init__(self, link: Link, readers: Sequence["TopicReader"]) -> None:
        self._link = link
        self._readers: dict[str, list[TopicReader]] = {}
        for reader in readers:
            self._readers.setdefault(reader.topic, []).append(reader)

    async def listen(self, until_mono_ns: int) -> list[Delivery]:
        """Return what came; calling it again says that all of that is durable.

        Raises:
            LinkClosedError: the connection is gone.

        """
        messages = await self._link.messages(until_mono_ns)
        return [
            Delivery(
                scans=tuple(
                    reader.scan(message.payload, message.arrival, is_repeat=message.is_repeat)
                    for reader in self._readers[message.topic]
                ),
                mark=mark_of(self._link.name, message),
                is_new=not message.is_repeat,
            )
            for message in messages
            if message.topic in self._readers and not message.is_retained
        ]


class MqttDevice:
    """One device behind a broker: it speaks for itself, and is missed when it does not."""

    def __init__(
        self,
        device: Device,
        topics: Sequence[str],
        link: Link,
        clock: Clock,
        refused: frozenset[str],
    ) -> None:
        self._device = device
        self._topics = topics
        self._link = link
        self._clock = clock
        self._refused = sorted(refused.intersection(topics))
        self._is_first = True

    async def read(self) -> None:
        """Return if every topic of the device has spoken in its time.

        That is its period, and its timeout on top: a message may come a little late. The first
        time, the timeout is waited for.

        Raises:
            LinkClosedError: the connection is gone.
            LinkLostError: a topic is silent.
            DeviceRefusedError: the broker refuses a topic.

        """
        if self._refused:
            raise DeviceRefusedError(f"the broker refuses {', '.join(self._refused)}")
        device = self._device
        if self._is_first:
            until_ns = self._clock.now().mono_ns + round(device.timeout_s * NS_PER_S)
            while self._silent(device.timeout_s) and self._link.end is None:
                if self._clock.now().mono_ns >= until_ns:
                    break
                await self._link.change(until_ns)
            self._is_first = False
        if self._link.end is not None:
            raise LinkClosedError(f"{device.endpoint}: {self._link.end}")
        within_s = device.period_s + device.timeout_s
        if silent := self._silent(within_s):
            raise LinkLostError(f"no message on {', '.join(silent)} within {within_s:g} s")

    def _silent(self, within_s: float) -> list[str]:
        since_ns = self._clock.now().mono_ns - round(within_s * NS_PER_S)
        heard = ((topic, self._link.heard_mono_ns(topic)) for topic in self._topics)
        return [topic for topic, at_ns in heard if at_ns is None or at_ns < since_ns]


def mark_of(session: str, message: Message) -> bytes:
    """Return the name of a message: the same when the broker sends it again; empty with QoS 0."""
    if not message.qos:
        return b""
    digest = blake2b(message.number.to_bytes(2, "big"), digest_size=MARK_SIZE)
    for part in (session.encode(), message.topic.encode(), message.payload):
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.digest()
