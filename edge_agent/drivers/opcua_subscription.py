"""One subscription of one session: messages in order, acknowledged when they are durable.

asyncua waits for `_published` before it asks for the next message, and acknowledges with that
request. So one message is in hand at a time; whatever happens meanwhile is in the queues of the
server, whose size is asked for and checked. Nothing is queued here, so nothing can be dropped here.
"""

import asyncio
from collections.abc import Callable, Sequence
from math import ceil
from typing import Final, NamedTuple, TypeAlias

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.config.protocols.opcua import Sampling
from edge_agent.drivers.base import Delivery, LinkClosedError, LinkLostError
from edge_agent.drivers.opcua_session import SESSION_MS, Session

NS_PER_MS: Final = 1_000_000
# The server speaks so often at least and at most, milliseconds: sooner than a commit is of no use.
SLOWEST_MS: Final = 1_000
FASTEST_MS: Final = 250
# OPC 10000-4 section 5.14.2: the lifetime is at least three times the keep-alive; this is the
# session's.
LIFETIME_MS: Final = SESSION_MS
# One message has so many values at most.
MOST_VALUES: Final = 10_000
# So many missing messages are asked for again.
MOST_REPUBLISHED: Final = 16
# OPC 10000-4 section 7.8: sequence numbers begin with 1, and 1 follows the greatest UInt32.
FIRST_NUMBER: Final = 1
LAST_NUMBER: Final = 0xFFFF_FFFF


class Changed(NamedTuple):
    """What one message says: values by the handles they were asked for with.

    `missing` messages before it never came; `since` is when the server was heard before.
    """

    values: list[tuple[int, ua.DataValue]]
    missing: int
    since: Instant
    arrival: Instant


Hear: TypeAlias = Callable[[Changed], Delivery | None]


class Subscription:
    """One subscription, from `open` to the end of its session; never used twice."""

    def __init__(self, session: Session, hear: Hear, *, clock: Clock, timeout_s: float) -> None:
        self._session = session
        self._hear = hear
        self._clock = clock
        self._timeout_ns = round(timeout_s * NS_PER_S)
        self._keepalive_ns = 0
        self._id = 0
        self._number = FIRST_NUMBER
        self._end: str | None = None
        self._delivery: Delivery | None = None
        self._is_given = False
        self._changed = asyncio.Event()
        self._durable = asyncio.Event()
        self._since_ns = 0
        self.heard = clock.now()
        self.remarks: tuple[str, ...] = ()

    async def open(
        self, nodes: Sequence[ua.NodeId], sampling: Sampling, *, within_ms: float
    ) -> list[int]:
        """Subscribe; return the StatusCode of each variable: a bad one is not monitored.

        Args:
            nodes: the variables; the handle of each is its index.
            sampling: how they are to be monitored.
            within_ms: so often the server has to say at least that nothing has changed.

        Raises:
            LinkClosedError: the server refuses, or does not answer in time.

        """
        asked = parameters(sampling, within_ms)
        items = [_item(handle, node, sampling) for handle, node in enumerate(nodes)]
        try:
            told = await self._session.subscribe(asked, self._published)
            self._id = told.SubscriptionId
            silence_ms = told.RevisedPublishingInterval * told.RevisedMaxKeepAliveCount
            self._keepalive_ns = round(silence_ms * NS_PER_MS)
            results = await self._session.monitor(self._id, items)
        except LinkClosedError:
            raise
        except LinkLostError as error:
            raise LinkClosedError(str(error)) from error
        self._since_ns = self._clock.now().mono_ns
        self.remarks = tuple(_remarks(sampling, results))
        if silence_ms > (slowest := max(within_ms, asked.RequestedPublishingInterval)):
            remark = f"tells only every {silence_ms:g} ms that nothing changed, not {slowest:g} ms"
            self.remarks += (remark,)
        return [result.StatusCode.value for result in results]

    @property
    def end(self) -> str | None:
        """Why the subscription is of no more use; None while it is."""
        held = self._delivery is not None
        limit_ns = self._keepalive_ns * 3 // 2 + self._timeout_ns
        if self._end is None and not held and self._clock.now().mono_ns > self._since_ns + limit_ns:
            self._end = f"the subscription said nothing for {limit_ns / NS_PER_S:g} s"
        return self._end

    async def change(self, until_mono_ns: int) -> None:
        """Return when something came or ended, or at that time."""
        self._changed.clear()
        limit_ns = self._keepalive_ns * 3 // 2 + self._timeout_ns
        until_ns = min(until_mono_ns, self._since_ns + limit_ns + NS_PER_MS)
        await self._clock.wait(self._changed, until_ns)

    async def take(self, until_mono_ns: int) -> Delivery | None:
        """Return what came, or None by that time or at the end; acknowledges what it gave last."""
        if self._is_given:
            self._delivery, self._is_given = None, False
            self._since_ns = self._clock.now().mono_ns
            self._durable.set()
        while self._delivery is None:
            if self.end is not None or self._clock.now().mono_ns >= until_mono_ns:
                return None
            await self.change(until_mono_ns)
        self._is_given = True
        return self._delivery

    async def _published(self, result: ua.PublishResult) -> None:
        """Take one message in, and return when it is durable."""
        is_taken = False
        try:
            await self._take_in(result.NotificationMessage)
            is_taken = True
        finally:
            if not is_taken:
                self._end = self._end or "a message could not be taken in"
                self._changed.set()

    async def _take_in(self, message: ua.NotificationMessage) -> None:
        values, ended = _content(message)
        number = message.SequenceNumber
        if ended is not None:
            # The library itself says so, without a number, when the connection is gone.
            self._end = f"the server ended it: {ended}" if number else "the connection is gone"
            self._changed.set()
        if not number:
            return
        since, self.heard = self.heard, self._clock.now()
        self._since_ns = self.heard.mono_ns
        missing = await self._missing(number, since)
        # A keep-alive has the number of the next message (OPC 10000-4 section 5.14.1.1).
        if message.NotificationData:
            self._number = _after(number)
        self._changed.set()
        if values or missing:
            await self._hold(self._hear(Changed(values, missing, since, self.heard)))

    async def _missing(self, number: int, since: Instant) -> int:
        """Take in what the server still keeps of the messages before a number; count the others."""
        count = (number - self._number) % LAST_NUMBER
        if count > LAST_NUMBER // 2:
            # Of the past: some servers number a keep-alive like the message before it.
            return 0
        if count > MOST_REPUBLISHED:
            self._number = number
            return count
        missing = 0
        for _ in range(count):
            values, _ = _content(await self._session.republished(self._id, self._number))
            self._number = _after(self._number)
            if values:
                await self._hold(self._hear(Changed(values, missing, since, self._clock.now())))
                missing = 0
            else:
                missing += 1
        return missing

    async def _hold(self, delivery: Delivery | None) -> None:
        """Return when a delivery was taken and is durable."""
        if delivery is None:
            return
        self._durable.clear()
        self._delivery = delivery
        self._changed.set()
        await self._durable.wait()


def parameters(sampling: Sampling, within_ms: float) -> ua.CreateSubscriptionParameters:
    """Return what a server is asked for; it may revise each of them."""
    slowest_ms = max(FASTEST_MS, min(SLOWEST_MS, within_ms))
    publishing_ms = min(slowest_ms, max(FASTEST_MS, sampling.interval_ms))
    return ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=publishing_ms,
        RequestedLifetimeCount=ceil(LIFETIME_MS / publishing_ms),
        RequestedMaxKeepAliveCount=max(1, int(slowest_ms / publishing_ms)),
        MaxNotificationsPerPublish=MOST_VALUES,
        PublishingEnabled=True,
    )


def _item(handle: int, node: ua.NodeId, sampling: Sampling) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=handle,
            SamplingInterval=sampling.interval_ms,
            QueueSize=sampling.queue_size,
            DiscardOldest=True,
        ),
    )


def _remarks(sampling: Sampling, results: Sequence[ua.MonitoredItemCreateResult]) -> list[str]:
    """Return in what the server does less than it was asked for."""
    good = [result for result in results if result.StatusCode.is_good()]
    slowest_ms = max((result.RevisedSamplingInterval for result in good), default=0)
    least = min((result.RevisedQueueSize for result in good), default=sampling.queue_size)
    remarks = []
    if slowest_ms > max(sampling.interval_ms, FASTEST_MS):
        remarks.append(f"samples every {slowest_ms:g} ms, not every {sampling.interval_ms} ms")
    if least < sampling.queue_size:
        remarks.append(f"keeps {least} changes of a variable, not {sampling.queue_size}")
    return remarks


def _content(
    message: ua.NotificationMessage,
) -> tuple[list[tuple[int, ua.DataValue]], str | None]:
    """Return the values of a message with their handles, and how it ends the subscription."""
    values: list[tuple[int, ua.DataValue]] = []
    ended = None
    for part in message.NotificationData or ():
        if isinstance(part, ua.DataChangeNotification):
            values += [(item.ClientHandle, item.Value) for item in part.MonitoredItems]
        elif isinstance(part, ua.StatusChangeNotification):
            ended = part.Status.name
    return values, ended


def _after(number: int) -> int:
    return FIRST_NUMBER if number == LAST_NUMBER else number + 1
