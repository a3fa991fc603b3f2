"""OPC UA: the variables of the devices behind one server, read at once or subscribed to.

Values come with their StatusCodes. What a subscription tells is acknowledged once it is durable; a
session, or a subscription, that has failed is never used again.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
from asyncua import ua

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.config.device import Device
from edge_agent.config.protocols.opcua import Node, OpcuaSpeech, Sampling
from edge_agent.drivers.base import Connection, Delivery, LinkClosedError, LinkLostError, Loss
from edge_agent.drivers.opcua_data import source_times, word
from edge_agent.drivers.opcua_samples import NOT_BELIEVED, Known, Samples, believed
from edge_agent.drivers.opcua_session import Session
from edge_agent.drivers.opcua_subscription import Changed, Subscription
from edge_agent.drivers.opcua_values import BAD_NODE_ID_UNKNOWN, Word, word_of, words_of
from edge_agent.wire.readings import Scan

MS_PER_S: Final = 1_000


@asynccontextmanager
async def connect(devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
    """Open a session with the server of these devices, and close it at the end.

    Raises:
        LinkClosedError: there was no session, or no subscription, within the longest timeout of
            the devices.

    """
    timeout_s = max(device.timeout_s for device in devices)
    speech = _speech(devices[0])
    session = Session(str(devices[0].endpoint), speech, timeout_s=timeout_s)
    await session.open()
    try:
        if speech.sampling is None:
            yield Connection(drivers=[PolledDevice(device, session, clock) for device in devices])
            return
        listener = Listener(devices, session, clock, timeout_s=timeout_s)
        await listener.open(speech.sampling)
        yield Connection(drivers=listener.drivers, listen=listener.listen, remarks=listener.remarks)
    finally:
        await session.close()


class PolledDevice:
    """The variables of one device, read at each poll."""

    def __init__(self, device: Device, session: Session, clock: Clock) -> None:
        self._device = device
        self._session = session
        self._clock = clock
        self._time = _speech(device).time
        self._last_ns = 0
        self._channel = np.array([point.channel for point in device.points], np.uint32)
        self._channel.flags.writeable = False
        self._raw_types = [point.raw_type for point in device.points]
        nodes = [session.node_of(_node(point.place)) for point in device.points]
        self._is_there = [node is not None for node in nodes]
        self._asked = session.requests([node for node in nodes if node is not None])

    async def read(self) -> Scan:
        """Return the next scan: every variable with the StatusCode that the server gives it.

        Raises:
            LinkLostError: one of its kinds.

        """
        answers = await self._session.read(self._asked, self._device.timeout_s)
        arrival = self._clock.now()
        at_ns, doubts = self._at(answers, arrival)
        rest = iter(answers)
        words = words_of(
            [
                word(raw_type, next(rest))
                if is_there
                else word_of(raw_type, None, None, BAD_NODE_ID_UNKNOWN)
                for raw_type, is_there in zip(self._raw_types, self._is_there, strict=True)
            ]
        )
        return Scan(
            device=self._device.name,
            at_ns=at_ns,
            mono_ns=arrival.mono_ns,
            channel=self._channel,
            raw=words.raw,
            status=words.status,
            transport=words.transport | np.uint32(doubts),
        )

    def _at(self, answers: Sequence[ua.DataValue], arrival: Instant) -> tuple[int, int]:
        """Return when all of these values stood, and what is to be said against that.

        That is so at the newest source timestamp among them; if it is that of the scan before,
        nothing has changed since, and everything stands on arrival.
        """
        if self._time is None or not answers:
            return arrival.utc_ns, 0
        newest = source_times(answers).max(keepdims=True)
        if not believed(newest, arrival, self._time).all():
            return arrival.utc_ns, NOT_BELIEVED
        at_ns = int(newest[0]) if newest[0] > self._last_ns else arrival.utc_ns
        self._last_ns = max(self._last_ns, at_ns)
        return at_ns, 0


class Listener:
    """One subscription for all devices of a server, and what they told as deliveries."""

    def __init__(
        self, devices: Sequence[Device], session: Session, clock: Clock, *, timeout_s: float
    ) -> None:
        self._session = session
        self._clock = clock
        self._url = str(devices[0].endpoint)
        self._within_ms = min(device.period_s for device in devices) * MS_PER_S / 2
        self._subscription = Subscription(session, self._hear, clock=clock, timeout_s=timeout_s)
        self._known = [Known(device, _speech(device).time) for device in devices]
        # By the handle of the variable: whose it is, its place among the points, its raw type.
        self._places: list[tuple[Known, int, str]] = []
        self._nodes: list[ua.NodeId] = []
        for device, known in zip(devices, self._known, strict=True):
            for index, point in enumerate(device.points):
                node = session.node_of(_node(point.place))
                if node is None:
                    known.refuse(index, BAD_NODE_ID_UNKNOWN)
                    continue
                self._places.append((known, index, point.raw_type))
                self._nodes.append(node)
        self._is_told = False
        self.remarks: tuple[str, ...] = ()
        self.drivers = [
            SubscribedDevice(device, known, self._subscription, clock)
            for device, known in zip(devices, self._known, strict=True)
        ]

    async def open(self, sampling: Sampling) -> None:
        """Subscribe to all variables.

        Raises:
            LinkClosedError: the server refuses, or does not answer in time.

        """
        codes = await self._subscription.open(self._nodes, sampling, within_ms=self._within_ms)
        for code, (known, index, _) in zip(codes, self._places, strict=True):
            if not ua.StatusCode(ua.UInt32(code)).is_good():
                known.refuse(index, code)
        self.remarks = self._subscription.remarks

    async def listen(self, until_mono_ns: int) -> list[Delivery]:
        """Return what came; calling it again says that all of that is durable.

        Raises:
            LinkClosedError: the subscription has ended; what that cost has been told.

        """
        delivery = await self._subscription.take(until_mono_ns)
        if delivery is not None:
            return [delivery]
        end = self._subscription.end
        if end is None:
            return []
        if self._is_told:
            raise LinkClosedError(f"{self._url}: {end}")
        self._is_told = True
        return [Delivery(scans=(), losses=(self._loss(self._subscription.heard, 0, end),))]

    def _hear(self, changed: Changed) -> Delivery:
        losses = []
        if changed.missing:
            for known in self._known:
                known.lose()
            losses.append(self._loss(changed.since, 0, f"{changed.missing} messages never came"))
        scans: list[Scan] = []
        for known, samples in self._samples(changed):
            told, lost = known.hear(samples, changed.arrival)
            scans += told
            losses += lost
        return Delivery(scans=tuple(scans), losses=tuple(losses))

    def _samples(self, changed: Changed) -> Iterator[tuple[Known, Samples]]:
        """Yield what a message says, device by device."""
        values: dict[Known, list[ua.DataValue]] = {}
        places: dict[Known, list[int]] = {}
        words: dict[Known, list[Word]] = {}
        for handle, value in changed.values:
            known, place, raw_type = self._places[handle]
            if known not in values:
                values[known], places[known], words[known] = [], [], []
            values[known].append(value)
            places[known].append(place)
            words[known].append(word(raw_type, value))
        for known, some in values.items():
            index = np.array(places[known], np.intp)
            yield known, Samples(index, words_of(words[known]), source_times(some))

    def _loss(self, since: Instant, count: int, detail: str) -> Loss:
        return Loss(
            channels=tuple(sorted(channel for known in self._known for channel in known.channels)),
            from_ns=since.utc_ns,
            to_ns=self._clock.now().utc_ns,
            count=count,
            detail=detail,
        )


class SubscribedDevice:
    """One device whose variables are subscribed to: it speaks for itself where something changes.

    Where nothing does, its last values stand, if the server said so since the last poll.
    """

    def __init__(
        self, device: Device, known: Known, subscription: Subscription, clock: Clock
    ) -> None:
        self._device = device
        self._known = known
        self._subscription = subscription
        self._clock = clock
        self._is_first = True
        self._last_mono_ns = 0

    async def read(self) -> Scan | None:
        """Return the values that stand; None if all have spoken, or the server has not meanwhile.

        They are dated when the server was last heard. The first time, all values are waited for.

        Raises:
            LinkClosedError: the subscription has ended.
            LinkLostError: no value has come yet.

        """
        device, subscription = self._device, self._subscription
        if self._is_first:
            until_ns = self._clock.now().mono_ns + round(device.timeout_s * NS_PER_S)
            while not self._known.is_complete and subscription.end is None:
                if self._clock.now().mono_ns >= until_ns:
                    break
                await subscription.change(until_ns)
            self._is_first = False
        if subscription.end is not None:
            raise LinkClosedError(f"{device.endpoint}: {subscription.end}")
        if not self._known.has_values:
            raise LinkLostError(f"{device.endpoint}: no value has come yet")
        heard = subscription.heard
        if heard.mono_ns <= self._last_mono_ns:
            return None
        self._last_mono_ns = heard.mono_ns
        return self._known.standing(heard)


def _speech(device: Device) -> OpcuaSpeech:
    if not isinstance(device.speech, OpcuaSpeech):
        raise TypeError(f"{device.name} is not behind an OPC UA server")
    return device.speech


def _node(place: object) -> Node:
    if not isinstance(place, Node):
        raise TypeError(f"{type(place).__name__} is no variable of an OPC UA server")
    return place
