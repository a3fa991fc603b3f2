"""The one place that paces, retries, reconnects and turns failures into gaps; for every protocol.

One task per endpoint serves its devices in turn, so a link needs no lock and one endpoint never
waits for another. A scan is handed over without an await after it was read.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.config.device import Device, Endpoint
from edge_agent.drivers.base import (
    Connect,
    Connection,
    Delivery,
    DeviceRefusedError,
    Driver,
    LinkClosedError,
    LinkLostError,
    Listen,
)
from edge_agent.drivers.gaps import MissReason
from edge_agent.drivers.polled import Polled, by_endpoint, next_mono_ns
from edge_agent.drivers.reporting import EventSink
from edge_agent.wire.readings import Scan

# Full jitter: a random part of a time that doubles with every attempt that failed, up to a minute.
FIRST_BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 60.0
MAX_DOUBLINGS: Final = 7

# A sleeping task shows at least so often that it lives.
BEAT_NS: Final = 10 * NS_PER_S
# While the intake is full it is looked at so often.
ROOM_NS: Final = NS_PER_S // 10

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Intake(EventSink, Protocol):
    """Where scans and events go; `pipeline.Intake` is the one there is."""

    @property
    def is_full(self) -> bool:
        """Whether there is no room at present."""
        ...

    def room(self) -> AbstractAsyncContextManager[Callable[[Scan], None]]:
        """Return a context that is entered when there is room and yields `hand_over`."""
        ...

    def deliver(self, delivery: Delivery) -> None:
        """Take a delivery, unless it was taken before; never waits."""
        ...

    async def durable(self, until_mono_ns: int) -> bool:
        """Return whether everything that was handed over is on the disk, waiting until then."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a line works with."""

    connect: Connect
    intake: Intake
    clock: Clock
    jitter: Callable[[], float]
    beat: Callable[[], None]


async def poll(  # noqa: PLR0913 - the five things a poller works with, and when it begins
    devices: Sequence[Device],
    *,
    connect: Connect,
    intake: Intake,
    clock: Clock,
    jitter: Callable[[], float],
    beat: Callable[[], None],
    origin_ns: int | None = None,
) -> None:
    """Poll the devices for ever, each on its own grid.

    A stop (cancellation) lets a read in flight come to its end, which the device's own timeouts
    bound, and hands its scan over.

    Args:
        devices: all of one protocol; those with an equal endpoint share a connection.
        connect: opens an endpoint.
        intake: takes the scans and the gap events.
        clock: gives the grid and stamps the events.
        jitter: gives the random part of a back-off, from 0 to below 1.
        beat: is called whenever a line made progress, at least every ten seconds.
        origin_ns: CLOCK_BOOTTIME at which the grid begins; now by default.

    """
    grid_ns = clock.now().mono_ns if origin_ns is None else origin_ns
    around = Surroundings(connect=connect, intake=intake, clock=clock, jitter=jitter, beat=beat)
    lines = [
        Line(endpoint, polled, around)
        for endpoint, polled in by_endpoint(devices, intake, grid_ns).items()
    ]
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(line.serve(), name=str(line)): line for line in lines}
        try:
            await asyncio.Event().wait()
        finally:
            for task, line in tasks.items():
                line.stop(task)
            if tasks:
                await asyncio.wait(tasks)


class Line:
    """One endpoint: its connection, and its devices in turn."""

    def __init__(self, endpoint: Endpoint, polled: Sequence[Polled], around: Surroundings) -> None:
        self._endpoint = endpoint
        self._polled = polled
        self._around = around
        self._is_shared = len(polled) > 1
        self._attempts = 0
        self._is_up: bool | None = None  # None: not known yet
        self._remarks: Sequence[str] = ()
        self._is_reading = False
        self._is_stopping = False

    def __str__(self) -> str:
        return f"poll {self._endpoint}"

    def stop(self, task: asyncio.Task[None]) -> None:
        """End the task of this line: after its read in flight, or now."""
        self._is_stopping = True
        if not self._is_reading:
            task.cancel()

    async def serve(self) -> None:
        """Connect, poll, and connect again, until stopped."""
        try:
            while not self._is_stopping:
                async with AsyncExitStack() as stack:
                    connection = await self._connected(stack)
                    if connection is not None:
                        await self._take_turns(connection)
                if not self._is_stopping:
                    await self._back_off()
        finally:
            now = self._around.clock.now()
            for polled in self._polled:
                polled.reporter.report(polled.turn.ended(now))

    async def _connected(self, stack: AsyncExitStack) -> Connection | None:
        """Return a fresh connection; None when there is none, which is counted."""
        around = self._around
        devices = [polled.device for polled in self._polled]
        try:
            return await stack.enter_async_context(around.connect(devices, around.clock))
        except LinkClosedError as error:
            reason, detail = error.reason, str(error)
        except Exception as error:  # noqa: BLE001 - a driver's surprise must not end the agent
            reason = MissReason.DRIVER_FAULT
            detail = _fault(str(self._endpoint), error, is_new=self._is_up is not False)
        self._lost(detail)
        now = around.clock.now()
        for polled in self._polled:
            polled.reporter.report(polled.turn.unreachable(now, reason), detail)
        around.beat()
        return None

    async def _take_turns(self, connection: Connection) -> None:
        """Poll the devices, always the one that is due first; return when the link is closed."""
        self._remark(connection.remarks)
        driver_of = dict(zip(self._polled, connection.drivers, strict=True))
        is_open = True
        while is_open and not self._is_stopping:
            polled = min(self._polled, key=next_mono_ns) if self._is_shared else self._polled[0]
            if connection.listen is None:
                await self._sleep_until(polled.turn.next_mono_ns)
            else:
                is_open = await self._hear(connection.listen, polled.turn.next_mono_ns)
            if self._around.intake.is_full:
                await self._wait_for_room()
            is_open = is_open and await self._poll(polled, driver_of[polled])
            self._around.beat()

    async def _hear(self, listen: Listen, until_mono_ns: int) -> bool:
        """Take what the devices send unasked until then; return whether the link can still be used.

        Nothing is awaited between hearing and handing over. A stop may fall into the waiting: what
        was not acknowledged will be sent again.
        """
        around = self._around
        while (now_ns := around.clock.now().mono_ns) < until_mono_ns:
            if around.intake.is_full:
                await self._wait_for_room()
            try:
                deliveries = await listen(min(until_mono_ns, now_ns + BEAT_NS))
            except (LinkLostError, DeviceRefusedError) as error:
                self._lost(str(error))
                return False
            except Exception as error:  # noqa: BLE001 - a driver's surprise must not end the agent
                self._lost(_fault(str(self._endpoint), error, is_new=self._is_up is not False))
                return False
            for delivery in deliveries:
                around.intake.deliver(delivery)
            around.beat()
            while deliveries and not await around.intake.durable(now_ns + BEAT_NS):
                now_ns = around.clock.now().mono_ns
                around.beat()
        return True

    async def _poll(self, polled: Polled, driver: Driver) -> bool:
        """Read one device and hand its scan over; return whether the link can still be used."""
        turn, report, clock = polled.turn, polled.reporter.report, self._around.clock
        async with self._around.intake.room() as hand_over:
            report(turn.skipped(clock.now()))
            self._is_reading = True
            try:
                scan = await driver.read()
            except (LinkLostError, DeviceRefusedError) as error:
                must_spare = self._is_shared or isinstance(error, DeviceRefusedError)
                missed = turn.failed(clock.now(), error.reason, must_spare=must_spare)
                report(missed, str(error))
                if isinstance(error, LinkClosedError):
                    self._lost(str(error))
                    return False
            except Exception as error:  # noqa: BLE001 - a driver's surprise must not end the agent
                detail = _fault(polled.device.name, error, is_new=not turn.gap.is_open)
                report(turn.failed(clock.now(), MissReason.DRIVER_FAULT, must_spare=True), detail)
            else:
                if scan is None:
                    report(turn.answered(clock.now()))
                else:
                    hand_over(scan)
                    report(turn.answered(Instant(utc_ns=scan.at_ns, mono_ns=scan.mono_ns)))
                if not self._is_up:
                    self._is_up = True
                    log.info("endpoint.connected", endpoint=str(self._endpoint))
            finally:
                self._is_reading = False
        # The peer held the connection for a whole exchange: the next loss is a new one.
        self._attempts = 0
        return True

    async def _wait_for_room(self) -> None:
        """Wait until the intake has room; what is due meanwhile is missed."""
        around = self._around
        while around.intake.is_full:
            now = around.clock.now()
            for polled in self._polled:
                polled.turn.skip_reason = MissReason.BUFFER_FULL
                polled.reporter.report(polled.turn.skipped(now), "the buffer is full")
            around.beat()
            await around.clock.sleep_until(now.mono_ns + ROOM_NS)

    async def _back_off(self) -> None:
        """Wait before the next attempt to connect."""
        limit_s = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2**self._attempts)
        self._attempts = min(self._attempts + 1, MAX_DOUBLINGS)
        pause_ns = int(self._around.jitter() * limit_s * NS_PER_S)
        await self._sleep_until(self._around.clock.now().mono_ns + pause_ns)

    async def _sleep_until(self, mono_ns: int) -> None:
        """Sleep, and show every ten seconds that this task lives."""
        clock = self._around.clock
        while (now_ns := clock.now().mono_ns) + BEAT_NS < mono_ns:
            await clock.sleep_until(now_ns + BEAT_NS)
            self._around.beat()
        await clock.sleep_until(mono_ns)

    def _remark(self, remarks: Sequence[str]) -> None:
        """Tell what the other side does less than it was asked for, where that is new."""
        if remarks and remarks != self._remarks:
            log.warning("endpoint.limited", endpoint=str(self._endpoint), detail="; ".join(remarks))
        self._remarks = remarks

    def _lost(self, detail: str) -> None:
        """Take note that there is no connection; said once, until there is one again."""
        if self._is_up is not False:
            log.info("endpoint.lost", endpoint=str(self._endpoint), detail=detail)
        self._is_up = False
        for polled in self._polled:
            polled.turn.skip_reason = MissReason.LINK_CLOSED


def _fault(where: str, error: Exception, *, is_new: bool) -> str:
    """Return in short what a driver was not meant to raise; log it in full where it is new."""
    if is_new:
        log.error("driver.failed", where=where, exc_info=error)
    return f"{type(error).__name__}: {error}"
