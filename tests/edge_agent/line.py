"""Stand-ins for tests of the line: a clock, a judge and a buffer that do what a test says."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import numpy as np

from edge_agent.buffer.faults import BufferFullError
from edge_agent.clock import NS_PER_S, Instant, Trust
from edge_agent.pipeline import Intake, Portion
from edge_agent.quality.judge import Judgement
from edge_agent.wire.batch import Origin
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings, Scan
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, Hash

S: Final = NS_PER_S


@dataclass
class SteppedClock:
    """A clock that moves only when a test says so; a wait ends when its event does."""

    mono_ns: int = 1_000 * S

    def now(self) -> Instant:
        return Instant(utc_ns=1_800_000_000 * S + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        return Trust(state=0, error_ms=None)

    async def sleep_until(self, mono_ns: int) -> None:
        self.mono_ns = max(self.mono_ns, mono_ns)

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        if until_mono_ns is None:
            await event.wait()
            return
        await asyncio.sleep(0)
        if not event.is_set():
            self.mono_ns = max(self.mono_ns, until_mono_ns)


@dataclass(frozen=True)
class Calm:
    """A judge that finds nothing, or an alarm in every scan."""

    is_alarm: bool = False

    def judge(self, scan: Scan) -> Judgement:
        readings = Readings(
            at_ns=scan.at_ns,
            mono_ns=scan.mono_ns,
            channel=scan.channel,
            raw=scan.raw,
            status=scan.status,
            quality=scan.transport,
        )
        return Judgement(readings=readings, is_alarm=self.is_alarm)


@dataclass
class Shelf:
    """A buffer of portions that can be full, and where among them a new origin began."""

    portions: list[Portion] = field(default_factory=list)
    refusals: int = 0
    switched: list[tuple[int, Origin]] = field(default_factory=list)
    volatile: list[Portion] = field(default_factory=list)
    is_memory_full: bool = False
    error: Exception = field(default_factory=lambda: BufferFullError("full"))

    async def append(self, portion: Portion) -> Sequence[object]:
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise self.error
        self.portions.append(portion)
        return ()

    async def append_volatile(self, portion: Portion) -> bool:
        await asyncio.sleep(0)
        if self.is_memory_full:
            return False
        self.volatile.append(portion)
        return True

    async def has_space(self) -> None:
        await asyncio.sleep(0)

    async def apply(self, origin: Origin) -> None:
        self.switched.append((len(self.portions), origin))


def scan_of(rows: int, raw: int = 0) -> Scan:
    return Scan(
        device="a",
        at_ns=1,
        mono_ns=1,
        channel=np.arange(1, rows + 1, dtype=np.uint32),
        raw=np.full(rows, raw, dtype=np.int64),
        status=np.zeros(rows, dtype=np.uint32),
        transport=np.zeros(rows, dtype=np.uint32),
    )


def intake_of(clock: SteppedClock, *, is_alarm: bool = False, interval_s: float = 10) -> Intake:
    return Intake({"a": Calm(is_alarm)}, clock=clock, commit_interval_s=interval_s)


NOTE = Event(type="note", at_ns=1, mono_ns=1, fields={"who": "test", "text": "hello"})
ORIGIN = Origin(
    gateway_id=UUID(int=1),
    config_hash=Hash(b"c" * 32),
    software_hash=NO_HASH,
    key=SigningKey.from_seed(bytes(32)),
)
