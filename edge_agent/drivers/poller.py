"""The one place that paces, retries, reconnects and turns failures into gaps; for every protocol.

One task per endpoint serves its devices in turn, so a link needs no lock and one endpoint never
waits for another. A scan is handed over without an await after it was read.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from edge_agent.clock import NS_PER_S, Clock, Instant
from edge_agent.config.device import Device, Endpoint
from edge_agent.drivers.base import (
    Connect,
    DeviceRefusedError,
    Driver,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.gaps import MissReason
from edge_agent.drivers.reporting import EventSink, GapReporter
from edge_agent.drivers.turns import Turn, turn_of
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a line works with."""

    connect: Connect
    intake: Intake
    clock: Clock
    jitter: Callable[[], float]
    beat: Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Polled:
    """One device of a line: when it is polled, and who tells what was missed."""

    device: Device
    turn: Turn
    reporter: GapReporter


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
        for endpoint, polled in _by_endpoint(devices, intake, grid_ns).items()
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
                    drivers = await self._connected(stack)
                    if drivers is not None:
                        await self._take_turns(drivers)
                if not self._is_stopping:
                    await self._back_off()
        finally:
            now = self._around.clock.now()
            for polled in self._polled:
                polled.reporter.report(polled.turn.ended(now))

    async def _connected(self, stack: AsyncExitStack) -> Sequence[Driver] | None:
        """Return the drivers of a fresh connection; None when there is none, which is counted."""
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

    async def _take_turns(self, drivers: Sequence[Driver]) -> None:
        """Poll the devices, always the one that is due first; return when the link is closed."""
        driver_of = dict(zip(self._polled, drivers, strict=True))
        is_open = True
        while is_open and not self._is_stopping:
            polled = min(self._polled, key=_next_mono_ns) if self._is_shared else self._polled[0]
            await self._sleep_until(polled.turn.next_mono_ns)
            if self._around.intake.is_full:
                await self._wait_for_room()
            is_open = await self._poll(polled, driver_of[polled])
            self._around.beat()

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

    def _lost(self, detail: str) -> None:
        """Take note that there is no connection; said once, until there is one again."""
        if self._is_up is not False:
            log.info("endpoint.lost", endpoint=str(self._endpoint), detail=detail)
        self._is_up = False
        for polled in self._polled:
            polled.turn.skip_reason = MissReason.LINK_CLOSED


def _by_endpoint(
    devices: Sequence[Device], sink: EventSink, origin_ns: int
) -> Mapping[Endpoint, list[Polled]]:
    """Return the devices of each endpoint, the turns of all spread evenly over the period."""
    lines: dict[Endpoint, list[Polled]] = {}
    for index, device in enumerate(devices):
        polled = Polled(
            device=device,
            turn=turn_of(device, origin_ns=origin_ns, phase=index / len(devices)),
            reporter=GapReporter(device.name, sink),
        )
        lines.setdefault(device.endpoint, []).append(polled)
    return lines


def _next_mono_ns(polled: Polled) -> int:
    return polled.turn.next_mono_ns


def _fault(where: str, error: Exception, *, is_new: bool) -> str:
    """Return in short what a driver was not meant to raise; log it in full where it is new."""
    if is_new:
        log.error("driver.failed", where=where, exc_info=error)
    return f"{type(error).__name__}: {error}"
