"""The pollers of all endpoints: one task each, started and stopped as the configuration says.

Leaving the context stops them all: a read in flight comes to its end, and its scan is handed over.
"""

import asyncio
import secrets
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.config.plan import Device, Endpoint
from edge_agent.drivers import connector
from edge_agent.drivers.poller import poll
from edge_agent.health.systemd import Progress
from edge_agent.pipeline import Intake
from edge_agent.reload import changes

# A poller shows at least every ten seconds that it lives (drivers.poller.BEAT_NS), except while a
# read lasts; three times that, and the watchdog is no longer fed.
BEAT_WITHIN_S: Final = 30.0
# So many requests may one read take: the largest device there is, block by block.
REQUESTS_AT_MOST: Final = 32


class Pollers:
    """Keeps a poller at every endpoint of the devices it was given last."""

    def __init__(self, intake: Intake, *, clock: Clock, progress: Progress) -> None:
        self._intake = intake
        self._clock = clock
        self._progress = progress
        self._random = secrets.SystemRandom()
        self._devices: tuple[Device, ...] = ()
        self._tasks: dict[Endpoint, asyncio.Task[None]] = {}
        self._stopped_ns: dict[Endpoint, int] = {}
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks.values():
            task.cancel()
        await self._group.__aexit__(kind, error, trace)

    async def apply(self, devices: Sequence[Device]) -> None:
        """Poll these devices from now on; an endpoint without a change keeps its connection."""
        await self.stop_changed(devices)
        self.start_changed(devices)

    async def stop_changed(self, devices: Sequence[Device]) -> None:
        """Stop the pollers of endpoints whose devices are gone or will be others."""
        stops = changes(self._devices, devices).stops
        self._stopped_ns = dict.fromkeys(stops, self._clock.now().mono_ns)
        stopping = [self._tasks.pop(endpoint) for endpoint in stops]
        for task in stopping:
            task.cancel()
        if stopping:
            # A device that takes one connection only must be free before it is asked again.
            await asyncio.wait(stopping)

    def start_changed(self, devices: Sequence[Device]) -> None:
        """Start pollers for endpoints that are new or whose devices are others.

        The polls of those that stopped for it were due from then on: what was missed is a gap.
        """
        starts = changes(self._devices, devices).starts
        now_ns = self._clock.now().mono_ns
        for index, (endpoint, behind) in enumerate(starts.items()):
            # Endpoints start spread over their period: a burst would make them wait for each other.
            phase_ns = round(behind[0].period_s * NS_PER_S * index / len(starts))
            origin_ns = self._stopped_ns.get(endpoint, now_ns) + phase_ns
            poller = self._poll(str(endpoint), behind, origin_ns)
            self._tasks[endpoint] = self._group.create_task(poller, name=f"poll {endpoint}")
        self._devices = tuple(devices)

    async def _poll(self, name: str, devices: Sequence[Device], origin_ns: int) -> None:
        def beat() -> None:
            self._progress.beat(name, now_ns=self._clock.now().mono_ns)

        now_ns = self._clock.now().mono_ns
        longest_read_s = REQUESTS_AT_MOST * max(device.timeout_s for device in devices)
        self._progress.expect(name, within_s=BEAT_WITHIN_S + longest_read_s, now_ns=now_ns)
        try:
            await poll(
                devices,
                connect=connector(devices[0].protocol),
                intake=self._intake,
                clock=self._clock,
                jitter=self._random.random,
                beat=beat,
                origin_ns=origin_ns,
            )
        finally:
            self._progress.forget(name)
