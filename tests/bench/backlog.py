"""A buffer as a long outage leaves it, made by the product's own buffer in simulated time.

One scan of each device a second, ten seconds to a commit, signed with the gateway's own key and
under its own configuration: the agent that is then started finds nothing but its own past.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from edge_agent.buffer.records import Boot
from edge_agent.buffer.store import open_buffer
from edge_agent.clock import NS_PER_S, Instant, Trust
from edge_agent.config.loading import load_plan
from edge_agent.configured import Configured, documents_kept
from edge_agent.identity import load_signing_key
from edge_agent.wire.readings import Readings
from tests.faults.buffer_workload import Portion

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from edge_agent.config.plan import Plan

COMMIT_S: Final = 10
# Of the noise; a batch is compressed by itself, so that nothing is won by its coming again.
PERIOD_S: Final = 3_600
JITTER_NS: Final = 3_000_000
# The agent says this of what it judged, and finds nothing wrong.
JUDGED: Final = 1 << 31


@dataclass(slots=True)
class PastClock:
    """A clock of an earlier boot that stands still until it is told."""

    started_ns: int
    mono_ns: int = NS_PER_S

    def now(self) -> Instant:
        """Return the simulated moment."""
        return Instant(utc_ns=self.started_ns + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        """Return what a gateway with NTP says."""
        return Trust(state=1, error_ms=12)

    async def sleep_until(self, mono_ns: int) -> None:
        """Nobody sleeps here."""

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Nobody waits here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What was made."""

    batches: int
    readings: int
    file_bytes: int


def backlog(config: Path, *, seconds: int, until_ns: int) -> Backlog:
    """Fill the buffer of a gateway with so many seconds of readings; return what there is.

    Args:
        config: the gateway's agent.toml.
        seconds: of the outage.
        until_ns: when it ends, UTC ns.

    """
    plan = load_plan(config, environ={}, overrides={})
    return asyncio.run(_filled(plan, seconds, PastClock(until_ns - (seconds + 2) * NS_PER_S)))


async def _filled(plan: Plan, seconds: int, clock: PastClock) -> Backlog:
    settings = plan.settings.buffer
    origin = Configured.of(plan, load_signing_key(plan.settings.gateway.key_file)).origin
    batches = readings = 0
    async with open_buffer(
        settings, origin=origin, clock=clock, boot=Boot(boot_id=UUID(int=7))
    ) as buffer:
        await documents_kept(buffer, plan)
        scans = _scans(plan, clock)
        for _ in range(0, seconds, COMMIT_S):
            part = tuple(scan for _ in range(COMMIT_S) for scan in next(scans))
            for held in await buffer.append(Portion(readings=part)):
                batches += 1
                readings += held.record_count
    # Closed: the log is in the file.
    return Backlog(batches=batches, readings=readings, file_bytes=settings.path.stat().st_size)


def _scans(plan: Plan, clock: PastClock) -> Iterator[list[Readings]]:
    """Yield one scan of each device for every second, for ever."""
    chance = np.random.default_rng(20261121)
    channels = [np.array([point.channel for point in d.points], np.uint32) for d in plan.devices]
    words = [_words(len(numbers), chance) for numbers in channels]
    late_ns = chance.integers(0, JITTER_NS, (PERIOD_S, len(channels))).tolist()
    zeros = [np.zeros(len(numbers), dtype=np.uint32) for numbers in channels]
    quality = [each | np.uint32(JUDGED) for each in zeros]
    while True:
        for second in range(PERIOD_S):
            clock.mono_ns += NS_PER_S
            now = clock.now()
            yield [
                Readings(
                    at_ns=now.utc_ns - JITTER_NS + late_ns[second][device],
                    mono_ns=now.mono_ns - JITTER_NS + late_ns[second][device],
                    channel=numbers,
                    raw=words[device][second],
                    status=zeros[device],
                    quality=quality[device],
                )
                for device, numbers in enumerate(channels)
            ]


def _words(count: int, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return registers of 12 bits with AR(1) noise of 0.4 %; shape (PERIOD_S, count)."""
    offset = np.zeros(count)
    words = np.empty((PERIOD_S, count), dtype=np.int64)
    mean = chance.uniform(800, 3300, count)
    for second, shock in enumerate(chance.normal(0, 16, (PERIOD_S, count))):
        offset = 0.9 * offset + shock
        words[second] = np.clip(np.rint(mean + offset), 0, 4095)
    return words
