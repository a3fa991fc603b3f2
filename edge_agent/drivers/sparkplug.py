"""Sparkplug B, as a consumer: the last values of a live edge node as scans.

Every node is polled on its grid for what it last said; what it says of earlier times is stored at
those times. Gaps in its sequence numbers are told as losses, its death makes every point stale. The
agent publishes nothing, except the request to be born again where the device's settings allow it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.config.device import Device, Point
from edge_agent.config.protocols.sparkplug import Metric as Place
from edge_agent.config.protocols.sparkplug import SparkplugSpeech
from edge_agent.drivers.base import Connection, Delivery, LinkClosedError, LinkLostError, Loss
from edge_agent.drivers.mqtt_link import Link, Message
from edge_agent.drivers.protobuf import MalformedPayloadError
from edge_agent.drivers.sparkplug_node import Change, Held, Kind, NameOf, Node, reading_of
from edge_agent.drivers.sparkplug_payload import DataType, Metric, Payload, Slot, decoded, encoded
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import QualityClass, Reason

NAMESPACE: Final = "spBv1.0"
# A node that is silent and a broker that is dead look alike for twice this time.
KEEPALIVE_S: Final = 5
# A node is asked to be born again so often at most.
REBIRTH_NS: Final = 10 * NS_PER_S
NS_PER_MS: Final = 1_000_000
# A value of the past whose time is not trusted: it is not of the time at which it came.
UNDATED: Final = QualityClass.OUT_OF_SPECIFICATION | Reason.LATE | Reason.DEVICE_TIME_NOT_BELIEVED


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Hear the nodes behind one broker until the end of the block.

    Args:
        devices: at least one, all of one endpoint and one login; each is one edge node.
        clock: stamps what comes.

    Raises:
        LinkClosedError: there was no session within the longest timeout of the devices.

    """
    # [message-flow-phid-sparkplug-clean-session-311]: what was said before is not news.
    link = Link(
        devices[0].endpoint,
        _speech(devices[0]).login,
        clock=clock,
        timeout_s=max(device.timeout_s for device in devices),
        is_persistent=False,
        keepalive_s=KEEPALIVE_S,
    )
    listener = Listener(link)
    nodes = [EdgeNode(device, clock, link, listener.take) for device in devices]
    listener.nodes = nodes
    try:
        await link.open([topic for node in nodes for topic in node.topics])
        for node in nodes:
            node.ask_for_birth()
        yield Connection(drivers=nodes, listen=listener.listen)
    finally:
        await link.close()


class Listener:
    """Gives each message to its node, and keeps what is to be stored until asked for it."""

    def __init__(self, link: Link) -> None:
        self.nodes: Sequence[EdgeNode] = ()
        self._link = link
        self._deliveries: list[Delivery] = []

    def take(self) -> None:
        """Let the nodes know what has come."""
        while messages := self._link.take():
            self._hear(messages)

    async def listen(self, until_mono_ns: int) -> list[Delivery]:
        """Return losses, deaths and values of the past; the last values wait for `read`.

        Raises:
            LinkClosedError: the connection is gone.

        """
        if not self._deliveries:
            self._hear(await self._link.messages(until_mono_ns))
        deliveries, self._deliveries = self._deliveries, []
        return deliveries

    def _hear(self, messages: Sequence[Message]) -> None:
        told = (node.hear(message) for message in messages for node in self.nodes)
        self._deliveries += [delivery for delivery in told if delivery is not None]


class EdgeNode:
    """One edge node: what it said, as scans of one device."""

    def __init__(self, device: Device, clock: Clock, link: Link, take: Callable[[], None]) -> None:
        self._device = device
        self._take = take
        self._speech = _speech(device)
        self._clock = clock
        self._link = link
        self._node = Node()
        self._places = [(_name(point), point) for point in device.points]
        self._devices = {name[0] for name, _ in self._places}
        self._channels = tuple(point.channel for point in device.points)
        self._is_first = True
        self._has_lost = False
        self._asked_mono_ns = -REBIRTH_NS
        self._last_ns = 0
        group, node = self._speech.group, self._speech.node
        self._prefix = f"{NAMESPACE}/{group}/"
        self._suffix = f"/{node}"

    @property
    def topics(self) -> list[str]:
        """Where the node speaks (Sparkplug 3.0.0, section 4.1)."""
        return [
            f"{self._prefix}{kind}{self._suffix}{'/+' if kind.startswith('D') else ''}"
            for kind in Kind
        ]

    async def read(self) -> Scan:
        """Return the last value of every point; the first time, a birth is waited for.

        Raises:
            LinkClosedError: the connection is gone.
            LinkLostError: the node is dead, or nothing is known of it yet.

        """
        if self._is_first:
            self._is_first = False
            await self._first_birth()
        self._take()
        if self._link.end is not None:
            raise LinkClosedError(f"{self._device.endpoint}: {self._link.end}")
        node = self._speech.node
        if all(self._node.is_dead(device) for device in self._devices):
            raise LinkLostError(f"edge node {node} is dead, or has not been heard yet")
        if not self._knows_values:
            raise LinkLostError(f"edge node {node} sends aliases, and its birth was not heard")
        rows = [self._row(name, point) for name, point in self._places]
        return self._scan(self._clock.now(), self._places, rows)

    def hear(self, message: Message) -> Delivery | None:
        """Take a message in; return what is to be stored of it at once."""
        kind, device = self._kind(message.topic)
        if kind is None or message.is_retained:
            return None
        try:
            payload = decoded(message.payload)
        except MalformedPayloadError:
            # Its number is missing when the next one comes: that is how it is told.
            return None
        change = self._node.heard(kind, device, payload)
        if change.is_lost_in:
            self.ask_for_birth()
        delivery = self._delivery(change, message.arrival)
        self._last_ns = message.arrival.utc_ns
        return delivery

    def ask_for_birth(self) -> None:
        """Ask the node to be born again, where that is allowed and was not just done."""
        now = self._clock.now()
        if not self._speech.may_request_rebirth or now.mono_ns - self._asked_mono_ns < REBIRTH_NS:
            return
        self._asked_mono_ns = now.mono_ns
        at_ms = now.utc_ns // NS_PER_MS
        self._link.request_rebirth(f"{self._prefix}NCMD{self._suffix}", rebirth_request(at_ms))

    async def _first_birth(self) -> None:
        until_ns = self._clock.now().mono_ns + round(self._device.timeout_s * NS_PER_S)
        self._take()
        while not self._knows_values and self._link.end is None:
            if self._clock.now().mono_ns >= until_ns:
                return
            await self._link.change(until_ns)
            self._take()

    @property
    def _knows_values(self) -> bool:
        return any(name in self._node.values for name, _ in self._places)

    def _row(self, name: NameOf, point: Point) -> tuple[int, int, int]:
        raw, status, doubts = self._node.reading(name, point.raw_type)
        return raw, status if point.status is not None else 0, doubts

    def _kind(self, topic: str) -> tuple[Kind | None, str]:
        """Return what a topic of this node says and of which device; None: it is of another."""
        if not topic.startswith(self._prefix):
            return None, ""
        kind, _, rest = topic.removeprefix(self._prefix).partition("/")
        node, _, device = rest.partition("/")
        if node != self._speech.node or kind not in set(Kind):
            return None, ""
        return Kind(kind), device

    def _delivery(self, change: Change, arrival: Instant) -> Delivery | None:
        scans = [*self._past(change, arrival)]
        losses = []
        if change.lost is not None:
            self._has_lost = True
            losses.append(
                Loss(
                    channels=self._channels,
                    from_ns=self._last_ns,
                    to_ns=arrival.utc_ns,
                    count=change.lost,
                    detail=f"edge node {self._speech.node} skipped sequence numbers",
                )
            )
        if change.died is not None:
            places = [(name, point) for name, point in self._places if name[0] in change.died]
            rows = [self._row(name, point) for name, point in places]
            scans += [self._scan(arrival, places, rows)] if rows else []
        return Delivery(scans=tuple(scans), losses=tuple(losses)) if scans or losses else None

    def _past(self, change: Change, arrival: Instant) -> list[Scan]:
        """Return the values of earlier times, those of one time together."""
        by_time: dict[int | None, dict[NameOf, Held]] = {}
        for at_ms, name, held in change.past:
            by_time.setdefault(at_ms, {})[name] = held
        scans = []
        for at_ms, values in by_time.items():
            places = [(name, point) for name, point in self._places if name in values]
            rows = [reading_of(values[name], point.raw_type) for name, point in places]
            if not rows:
                continue
            is_dated = self._speech.trusts_time and at_ms is not None
            at = arrival
            if is_dated and at_ms is not None:
                at = Instant(utc_ns=at_ms * NS_PER_MS, mono_ns=arrival.mono_ns)
            scans.append(self._scan(at, places, rows, doubts=0 if is_dated else int(UNDATED)))
        return scans

    def _scan(
        self,
        at: Instant,
        places: Sequence[tuple[NameOf, Point]],
        rows: Sequence[tuple[int, int, int]],
        *,
        doubts: int = 0,
    ) -> Scan:
        raw, status, transport = zip(*rows, strict=True)
        lost = int(Reason.SAMPLES_LOST) if self._has_lost else 0
        self._has_lost = False
        bits = [max(word & 7, doubts & 7) | (word | doubts | lost) & ~7 for word in transport]
        return Scan(
            device=self._device.name,
            at_ns=at.utc_ns,
            mono_ns=at.mono_ns,
            channel=np.array([point.channel for _, point in places], np.uint32),
            raw=np.array(raw, np.int64),
            status=np.array(status, np.uint32),
            transport=np.array(bits, np.uint32),
        )


def rebirth_request(at_ms: int) -> bytes:
    """Return the command to be born again (Sparkplug 3.0.0, section 6.4.21)."""
    metric = Metric(
        name="Node Control/Rebirth",
        timestamp_ms=at_ms,
        datatype=DataType.BOOLEAN,
        slot=Slot.BOOLEAN,
        value=1,
    )
    return encoded(Payload(timestamp_ms=at_ms, metrics=(metric,)))


def _name(point: Point) -> NameOf:
    if not isinstance(point.place, Place):
        raise TypeError(f"channel {point.channel} is no metric")
    return point.place.device, point.place.name


def _speech(device: Device) -> SparkplugSpeech:
    if not isinstance(device.speech, SparkplugSpeech):
        raise TypeError(f"{device.name} does not speak Sparkplug")
    return device.speech
