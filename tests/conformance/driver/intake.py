"""A poller at work, and an intake that keeps what it is given."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from edge_agent.clock import NS_PER_S, Clock, Instant, SystemClock
from edge_agent.config.device import Device
from edge_agent.drivers.base import Connect, Delivery
from edge_agent.drivers.poller import poll
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Scan


class HurriedClock(SystemClock):
    """The machine's clock without the waiting.

    Whoever sleeps finds at once that it is time. Whoever waits for something waits for a fraction
    of the time, because what answers is a real server.
    """

    HURRY = 200

    def __init__(self) -> None:
        super().__init__()
        self._ahead_ns = 0

    def now(self) -> Instant:
        """Return the present moment, by everything that was not waited for ahead of the real."""
        real = super().now()
        return Instant(utc_ns=real.utc_ns + self._ahead_ns, mono_ns=real.mono_ns + self._ahead_ns)

    async def sleep_until(self, mono_ns: int) -> None:
        """Let others have a turn, and be there."""
        self._ahead_ns += max(0, mono_ns - self.now().mono_ns)
        await asyncio.sleep(0)

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Return when the event is set, or be there."""
        if until_mono_ns is None:
            await event.wait()
            return
        left_s = (until_mono_ns - self.now().mono_ns) / NS_PER_S
        try:
            async with asyncio.timeout(left_s / self.HURRY):
                await event.wait()
        except TimeoutError:
            await self.sleep_until(until_mono_ns)


@dataclass
class Intake:
    """Keeps what it is given, and says when there is enough."""

    scans: list[Scan] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    is_full: bool = False
    patience_s: float = 10
    has_changed: asyncio.Event = field(default_factory=asyncio.Event)
    marks: set[bytes] = field(default_factory=set)

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Callable[[Scan], None]]:
        """Give room at once."""
        yield self.hand_over

    def hand_over(self, scan: Scan) -> None:
        """Keep a scan."""
        self.scans.append(scan)
        self.has_changed.set()

    def record(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)
        self.has_changed.set()

    def deliver(self, delivery: Delivery) -> None:
        """Keep the scans of a delivery, once: a device may send again what we did not confirm."""
        if delivery.mark in self.marks:
            return
        self.marks |= {delivery.mark} - {b""}
        for scan in delivery.scans:
            self.hand_over(scan)

    async def durable(self, until_mono_ns: int) -> bool:
        """Say that everything is on the disk."""
        return until_mono_ns > 0

    async def until(self, is_enough: Callable[[], bool]) -> None:
        """Wait until there is enough."""
        async with asyncio.timeout(self.patience_s):
            while not is_enough():
                self.has_changed.clear()
                await self.has_changed.wait()

    def scans_of(self, device: Device) -> list[Scan]:
        """Return the scans of one device."""
        return [scan for scan in self.scans if scan.device == device.name]

    def count(self, state: str) -> int:
        """Return how many gaps were opened, or closed."""
        return sum(event.fields["state"] == state for event in self.events)

    def gaps(self) -> list[tuple[object, object]]:
        """Return state and reason of the gap events."""
        return [(event.fields["state"], event.fields["reason"]) for event in self.events]


@asynccontextmanager
async def polling(
    connect: Connect, *devices: Device, clock: Clock | None = None
) -> AsyncIterator[Intake]:
    """Poll devices for as long as the block lasts."""
    intake = Intake()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            poll(
                devices,
                connect=connect,
                intake=intake,
                clock=clock or SystemClock(),
                jitter=lambda: 0.1,
                beat=lambda: None,
            )
        )
        yield intake
        task.cancel()
