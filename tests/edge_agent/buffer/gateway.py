"""A gateway for tests of the buffer: its own clock, keys and folder, and a centre's signature."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import copy
from typing import Final
from uuid import UUID

import numpy as np

from edge_agent.buffer.records import Boot, Held
from edge_agent.buffer.store import Buffer, open_buffer
from edge_agent.clock import Instant, SystemClock, Trust
from edge_agent.config.model import BufferSettings
from edge_agent.config.vocabulary import OnFull
from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import Origin, open_body
from edge_agent.wire.events import Event, parse_event
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.readings import Readings
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, Hash, Verdict

GATEWAY: Final = UUID("11111111-2222-4333-8444-555555555555")
KEY: Final = SigningKey.from_seed(bytes(range(32)))
CENTRE: Final = SigningKey.from_seed(bytes(range(32, 64)))
CONFIG: Final = Hash(b"c" * 32)
MS: Final = 1_000_000


class TestClock(SystemClock):
    """A clock that moves a millisecond each time it is read."""

    __test__ = False

    def __init__(self) -> None:
        self.mono_ns = 1_000 * MS
        self.utc_ns = 1_795_000_000_000 * MS
        self.error_ms: int | None = 10

    def now(self) -> Instant:
        """Return the next millisecond."""
        self.mono_ns += MS
        self.utc_ns += MS
        return Instant(utc_ns=self.utc_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        """Return NTP, or RTC when the error is unknown."""
        return Trust(state=3 if self.error_ms is None else 1, error_ms=self.error_ms)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Portion:
    """What one commit takes."""

    readings: tuple[Readings, ...] = ()
    events: tuple[Event, ...] = ()
    is_last: bool = False
    marks: tuple[bytes, ...] = ()


class Gateway:
    """One gateway in one folder; `boot` and `origin` may be changed between openings."""

    def __init__(
        self,
        folder: Path,
        *,
        quota_mb: int = 1024,
        room_pages: int | None = None,
        on_full: OnFull = OnFull.EVICT_OLDEST,
    ) -> None:
        self._room_pages = room_pages
        self.settings = BufferSettings(path=folder / "buffer.db", on_full=on_full)
        # Below what the settings allow, so that a test fills it at once.
        object.__setattr__(self.settings, "quota_mb", quota_mb)
        self.clock = TestClock()
        self.boot = Boot(boot_id=UUID(int=1), software="test", hardware={"machine_id": "m"})
        self.origin = Origin(gateway_id=GATEWAY, config_hash=CONFIG, software_hash=NO_HASH, key=KEY)
        self._noise = np.random.default_rng(1)

    @property
    def path(self) -> Path:
        """The database file."""
        return self.settings.path

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Buffer]:
        """Yield the buffer, opened by a newly started agent."""
        async with open_buffer(
            self.settings, origin=self.origin, clock=self.clock, boot=self.boot
        ) as buffer:
            if self._room_pages is not None:
                buffer._writer.quota._page_limit = self._room_pages
            yield buffer

    def reboot(self) -> None:
        """Let the machine start anew: another boot id, and its clock from zero."""
        self.boot = replace(self.boot, boot_id=UUID(int=self.boot.boot_id.int + 1))
        self.clock.mono_ns = 0

    def crash_to(self, folder: Path) -> None:
        """Go on with a copy of the files as they are now, as after a kill."""
        folder.mkdir()
        for suffix in ("", "-wal"):
            file = self.path.with_name(self.path.name + suffix)
            if file.exists():
                copy(file, folder / file.name)
        quota_mb, on_full = self.settings.quota_mb, self.settings.on_full
        self.settings = BufferSettings(path=folder / "buffer.db", on_full=on_full)
        object.__setattr__(self.settings, "quota_mb", quota_mb)

    def scan(self, rows: int = 3) -> Readings:
        """Return a judged scan of so many channels, its values 64 random bits each."""
        now = self.clock.now()
        zeros = np.zeros(rows, dtype=np.uint32)
        return Readings(
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            channel=np.arange(1, rows + 1, dtype=np.uint32),
            raw=self._noise.integers(-(2**63), 2**63 - 1, rows, dtype=np.int64),
            status=zeros,
            quality=zeros,
        )

    def portion(self, *rows: int, is_last: bool = False) -> Portion:
        """Return a portion with a scan of each size."""
        return Portion(readings=tuple(map(self.scan, rows)), is_last=is_last)

    def note(self, text: str) -> Event:
        """Return an event."""
        now = self.clock.now()
        fields = {"who": "a test", "text": text}
        return Event(type="note", at_ns=now.utc_ns, mono_ns=now.mono_ns, fields=fields)


def receipts(held: Iterable[Held], verdict: Verdict = Verdict.ACCEPTED) -> list[Receipt]:
    """Return the centre's receipts for these batches."""
    return [
        sign_receipt(
            CENTRE,
            BatchPlace(
                gateway_id=GATEWAY,
                chain_id=one.chain_id,
                batch_no=one.batch_no,
                batch_hash=one.batch_hash,
            ),
            verdict=verdict,
            received_ns=1,
        )
        for one in held
    ]


def numbers(held: Sequence[Held]) -> list[int]:
    """Return the numbers of batches."""
    return [one.batch_no for one in held]


def events_of(frame: BatchFrame) -> list[Event]:
    """Return the events in a stored batch or headstone."""
    header = Header.unpack(frame.header_bytes)
    if frame.flags & FrameFlag.HEADSTONE:
        lines = open_headstone(header, frame.body).event_lines
    else:
        lines = open_body(header, frame.body).event_lines
    return [parse_event(line) for line in lines]


def raw_of(frame: BatchFrame) -> list[int]:
    """Return the raw words in a stored batch, in order; none of a headstone."""
    if frame.flags & FrameFlag.HEADSTONE:
        return []
    parts = open_body(Header.unpack(frame.header_bytes), frame.body)
    return [int(raw) for raw in rows_of_stream(parts.readings)["raw"]]
