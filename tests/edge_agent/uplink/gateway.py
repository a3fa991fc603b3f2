"""A gateway without devices: a real buffer on disk, a clock that a test moves, a real uplink."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from edge_agent.buffer.records import Boot, Held
from edge_agent.buffer.store import Buffer, open_buffer
from edge_agent.clock import NS_PER_S, Instant
from edge_agent.clock import Trust as ClockTrust
from edge_agent.config.model import BufferSettings, CentreSettings
from edge_agent.uplink.client import Identity, Uplink, open_uplink
from edge_agent.uplink.state import Trust
from edge_agent.wire.batch import Origin
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings
from edge_agent.wire.signing import SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import NO_HASH
from tests.edge_agent.uplink.model_centre import CENTRE_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

GATEWAY = UUID(int=7)
KEY = SigningKey.from_seed(b"g" * 32)
START_NS = 1_800_000_000 * NS_PER_S


@dataclass(slots=True)
class HandClock:
    """A clock that stands still until a test moves it."""

    mono_ns: int = 1_000 * NS_PER_S
    sleepers: list[tuple[int, asyncio.Event]] = field(default_factory=list)
    slept: asyncio.Condition = field(default_factory=asyncio.Condition)

    def now(self) -> Instant:
        """Return the present moment."""
        return Instant(utc_ns=START_NS + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> ClockTrust:
        """Return that the clock is believed."""
        return ClockTrust(state=1, error_ms=10)

    async def sleep_until(self, mono_ns: int) -> None:
        """Return once a test has moved the clock that far."""
        if mono_ns <= self.mono_ns:
            await asyncio.sleep(0)
            return
        until = asyncio.Event()
        self.sleepers.append((mono_ns, until))
        async with self.slept:
            self.slept.notify_all()
        try:
            await until.wait()
        finally:
            self.sleepers = [one for one in self.sleepers if one[1] is not until]

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Return when the event is set; no test lets this time pass."""
        del until_mono_ns
        await event.wait()

    async def asleep(self) -> float:
        """Return for how many seconds somebody sleeps, once somebody does."""
        async with asyncio.timeout(20), self.slept:
            await self.slept.wait_for(lambda: bool(self.sleepers))
        return (min(self.sleepers, key=lambda one: one[0])[0] - self.mono_ns) / NS_PER_S

    async def pass_time(self, seconds: float) -> None:
        """Move the clock once somebody sleeps, and wake those whose time has come."""
        await self.asleep()
        self.mono_ns += round(seconds * NS_PER_S)
        woken = [event for until_ns, event in self.sleepers if until_ns <= self.mono_ns]
        self.sleepers = [one for one in self.sleepers if one[1] not in woken]
        for event in woken:
            event.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one commit makes durable here: events only."""

    events: tuple[Event, ...]
    readings: Sequence[Readings] = ()
    is_last: bool = False
    marks: tuple[bytes, ...] = ()


@dataclass(slots=True, kw_only=True)
class Gateway:
    """All parts of it."""

    buffer: Buffer
    clock: HandClock
    uplink: Uplink[Held]

    async def commit(self, count: int = 1, *, text: str = "", readings: int = 0) -> None:
        """Make so many batches durable, one commit each, with a note and a scan in each."""
        for _ in range(count):
            now = self.clock.now()
            note = Event(
                type="note",
                at_ns=now.utc_ns,
                mono_ns=now.mono_ns,
                fields={"who": "test", "text": text},
            )
            scans = (scan(readings, now),) if readings else ()
            await self.buffer.append(Portion(events=(note,), readings=scans))

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[None]:
        """Upload beside a block."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.uplink.upload())
            try:
                yield
            finally:
                task.cancel()


def scan(count: int, now: Instant) -> Readings:
    """Return one judged scan of so many channels."""
    words = np.zeros(count, dtype=np.uint32)
    return Readings(
        at_ns=now.utc_ns,
        mono_ns=now.mono_ns,
        channel=np.arange(1, count + 1, dtype=np.uint32),
        raw=np.arange(count, dtype=np.int64),
        status=words,
        quality=words,
    )


def identity() -> Identity:
    """Return who uploads here, and whose receipts count."""
    keys: dict[bytes, VerifyingKey] = {CENTRE_KEY.key_id: CENTRE_KEY.verifying_key}
    return Identity(trust=Trust(gateway_id=GATEWAY, receipt_keys=keys), own_key=KEY.verifying_key)


@asynccontextmanager
async def gateway(
    folder: Path, url: str, *, ca_file: Path | None = None, upload_readings: int | None = None
) -> AsyncIterator[Gateway]:
    """Open a gateway; its buffer begins with one batch, the genesis."""
    clock = HandClock()
    origin = Origin(gateway_id=GATEWAY, config_hash=NO_HASH, software_hash=NO_HASH, key=KEY)
    settings = CentreSettings(
        url=url,
        receipt_key_file=folder / "unused.pem",
        ca_file=ca_file,
        upload_readings=upload_readings,
        timeout_s=5.0,
    )
    buffer_settings = BufferSettings(path=folder / "buffer.db")
    boot = Boot(boot_id=UUID(int=9))
    async with (
        open_buffer(buffer_settings, origin=origin, clock=clock, boot=boot) as buffer,
        open_uplink(buffer, settings, identity(), clock=clock, fraction=lambda: 0.5) as uplink,
    ):
        yield Gateway(buffer=buffer, clock=clock, uplink=uplink)
