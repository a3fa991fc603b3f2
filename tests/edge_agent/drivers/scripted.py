"""A scripted plant in virtual time: devices that behave as told, an intake that keeps what it gets.

Adapters of ours, not mocks: the poller sees the same `Connect`, `Intake` and `Clock` as ever.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from edge_agent.clock import NS_PER_S, Clock, Instant, Trust
from edge_agent.config.device import Device, Table
from edge_agent.drivers.base import Connection, Delivery, Listen
from edge_agent.drivers.poller import poll
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Scan

MakeDevice = Callable[..., Device]
S = NS_PER_S
START_NS = 1_000 * S


@dataclass
class VirtualClock:
    """Time that jumps to the next sleeper once nobody else can run; sleepers wake in order."""

    mono_ns: int = START_NS
    wall_offset_ns: int = 1_800_000_000 * S
    _sleepers: list[tuple[int, int, asyncio.Future[None]]] = field(default_factory=list)
    _count: int = 0

    def now(self) -> Instant:
        """Return the present of this clock."""
        return Instant(utc_ns=self.wall_offset_ns + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        """Return that nobody disciplines this clock."""
        return Trust(state=0, error_ms=None)

    async def sleep_until(self, mono_ns: int) -> None:
        """Sleep until time has passed so far."""
        awake = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (mono_ns, self._count, awake))
        await awake

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Refuse: no driver waits for an event."""
        raise NotImplementedError

    async def run_until(self, mono_ns: int) -> None:
        """Let time pass up to a moment."""
        while True:
            # A step of a poll takes a few turns of the loop; nothing here waits for I/O.
            for _ in range(25):
                await asyncio.sleep(0)
            if not self._sleepers or self._sleepers[0][0] > mono_ns:
                self.mono_ns = max(self.mono_ns, mono_ns)
                return
            wake_ns, _, awake = heapq.heappop(self._sleepers)
            if not awake.done():
                self.mono_ns = max(self.mono_ns, wake_ns)
                awake.set_result(None)


@dataclass
class Intake:
    """Keeps what it is given; full when told so."""

    scans: list[Scan] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    is_full: bool = False

    @asynccontextmanager
    async def room(self) -> AsyncIterator[Callable[[Scan], None]]:
        """Give room at once."""
        assert not self.is_full, "the poller must not be held up in here"
        yield self.scans.append

    def record(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def deliver(self, delivery: Delivery) -> None:
        """Keep the scans of a delivery."""
        self.scans.extend(delivery.scans)

    async def durable(self, until_mono_ns: int) -> bool:
        """Say that everything is on the disk."""
        return until_mono_ns > 0

    def times(self, device: str) -> list[float]:
        """Return when scans of a device arrived, in seconds since the start."""
        return [(scan.mono_ns - START_NS) / S for scan in self.scans if scan.device == device]

    def gaps(self, channel: int = 1) -> list[tuple[object, ...]]:
        """Return state, missed and reason of the gap events of a device."""
        return [
            (event.fields["state"], event.fields["missed"], event.fields["reason"])
            for event in self.events
            if event.fields["channels"] == [channel]
        ]


@dataclass(frozen=True)
class Outcome:
    """What comes of one read or connect: an error, or success, after a time."""

    after_s: float = 0.01
    error: Exception | None = None


OK = Outcome()


@dataclass
class Plant:
    """Devices that behave as scripted; what a script does not say goes well."""

    reads: dict[str, list[Outcome]] = field(default_factory=dict)
    connects: list[Outcome] = field(default_factory=list)
    connected_s: list[float] = field(default_factory=list)
    read_s: dict[str, list[float]] = field(default_factory=dict)
    closed_ns: dict[str, int] = field(default_factory=dict)
    open_count: int = 0
    listen: Listen | None = None

    @asynccontextmanager
    async def connect(self, devices: Sequence[Device], clock: Clock) -> AsyncIterator[Connection]:
        """Connect as scripted."""
        self.connected_s.append((clock.now().mono_ns - START_NS) / S)
        await self._come_to_pass(self.connects, clock)
        self.open_count += 1
        try:
            drivers = [ScriptedDriver(device, self, clock) for device in devices]
            yield Connection(drivers=drivers, listen=self.listen)
        finally:
            self.open_count -= 1
            self.closed_ns.update({device.name: clock.now().mono_ns for device in devices})

    async def read(self, device: Device, clock: Clock) -> Scan:
        """Return a scan of zeros, as scripted."""
        self.read_s.setdefault(device.name, []).append((clock.now().mono_ns - START_NS) / S)
        await self._come_to_pass(self.reads.get(device.name, []), clock)
        nothing = np.zeros(len(device.points), np.uint32)
        return Scan(
            device=device.name,
            at_ns=clock.now().utc_ns,
            mono_ns=clock.now().mono_ns,
            channel=np.array([point.channel for point in device.points], np.uint32),
            raw=np.zeros(len(device.points), np.int64),
            status=nothing,
            transport=nothing,
        )

    async def _come_to_pass(self, script: list[Outcome], clock: Clock) -> None:
        outcome = script.pop(0) if script else OK
        await clock.sleep_until(clock.now().mono_ns + round(outcome.after_s * S))
        if outcome.error is not None:
            raise type(outcome.error)(*outcome.error.args)


@dataclass(frozen=True)
class ScriptedDriver:
    """A driver on a scripted plant."""

    device: Device
    plant: Plant
    clock: Clock

    async def read(self) -> Scan:
        """Read as scripted."""
        return await self.plant.read(self.device, self.clock)


@asynccontextmanager
async def polling(
    devices: Sequence[Device],
    plant: Plant,
    intake: Intake,
    clock: VirtualClock,
    *,
    jitter: Callable[[], float] = lambda: 1.0,
    beat: Callable[[], None] = lambda: None,
) -> AsyncIterator[asyncio.Task[None]]:
    """Poll in the background; the end of the block stops it, in virtual time."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            poll(
                devices,
                connect=plant.connect,
                intake=intake,
                clock=clock,
                jitter=jitter,
                beat=beat,
            )
        )
        yield task
        task.cancel()
        await clock.run_until(clock.now().mono_ns + 5 * S)
        assert task.done()


async def run(clock: VirtualClock, seconds: float) -> None:
    await clock.run_until(START_NS + round(seconds * S))


def device(make_device: MakeDevice, name: str = "a", channel: int = 1, port: int = 502) -> Device:
    made = make_device((Table.HOLDING, 0, "uint16"), name=name, port=port)
    return replace(made, points=(replace(made.points[0], channel=channel),))
