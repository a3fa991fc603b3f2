"""Long outages: a day of sixty channels caught up, and thirty days of twenty drained.

The buffer is what the product's own buffer made of simulated time; then the real agent is started
beside a plant that goes on, and a real centre takes in what it sends. OUTAGE_DAYS shortens the
thirty days. The floor is the same batches unpacked, verified and inserted by one thread, the
transaction as large as a request, without HTTP, receipts or a look at what is in them.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.identity import load_signing_key
from edge_agent.uplink.state import LARGEST_FRAMES
from edge_agent.wire.compression import decompress
from edge_agent.wire.header import Header
from edge_agent.wire.signing import BATCH_CONTEXT
from tests.bench.agent import agent
from tests.bench.backlog import COMMIT_S, Backlog, backlog
from tests.bench.figure import Figure
from tests.bench.subject import Load, now_s, pause, plant, workplace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge_agent.wire.signing import VerifyingKey

DAY_S: Final = 86_400
DAYS: Final = float(os.environ.get("OUTAGE_DAYS", "30"))
DAY: Final = Load(device_count=6, register_count=10, commit_interval_s=COMMIT_S)
MONTH: Final = Load(device_count=2, register_count=10, commit_interval_s=COMMIT_S)
CATCH_UP_S: Final = 10.0
LEAST_DRAIN: Final = 500.0
START_S: Final = 10.0
FIRST_S: Final = 300.0
GIGABYTE: Final = 1_000_000_000
LOOK_S: Final = 0.1
# A gateway that has just started takes some seconds before it sends, and as long to be through.
LIMIT_S: Final = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One batch as the centre noted it; times in UTC ns."""

    received_ns: int
    wall_ns: int
    readings: int


@dataclass(frozen=True, kw_only=True)
class Drained:
    """How a backlog went."""

    made: Backlog
    started_ns: int
    took_s: float
    arrived: list[Arrived]
    floor_s: float

    @cached_property
    def first_ns(self) -> int:
        """When the first batch was taken in."""
        return min(one.received_ns for one in self.arrived)

    @cached_property
    def live(self) -> list[Arrived]:
        """The batches that were made after the start."""
        return [one for one in self.arrived if one.wall_ns > self.started_ns]

    @cached_property
    def old(self) -> list[Arrived]:
        """The batches of the outage."""
        return [one for one in self.arrived if one.wall_ns <= self.started_ns]


def measure() -> list[Figure]:
    """Return catch-up after a day, and drain, size and live data of a month."""
    return [*_day(), *_month()]


def _day() -> Iterator[Figure]:
    """Yield how long a day of sixty channels takes to be caught up."""
    found = _drained(DAY, DAY_S, LIMIT_S)
    readings_per_s = found.made.readings / found.took_s
    yield Figure(
        name="24 h of 60 channels at 1 s caught up, 10-s batches, centre committing",
        measured=found.took_s,
        unit="s",
        bound=CATCH_UP_S,
        note=f"{found.made.batches} batches, {readings_per_s / 1e6:.2f} M readings/s; from the "
        f"first batch stored to the last; floor {found.floor_s:.1f} s",
    )
    yield _live(found, "24 h")


def _month() -> Iterator[Figure]:
    """Yield what thirty days of twenty channels take, and how fast they go."""
    seconds = int(DAYS * DAY_S)
    found = _drained(MONTH, seconds, FIRST_S)
    name = f"{DAYS:g} days of 20 channels at 1 s"
    yield Figure(
        name=f"{name}, buffer on disk",
        measured=found.made.file_bytes / 1e6,
        unit="MB",
        bound=GIGABYTE / 1e6 * DAYS / 30,
        note=f"{found.made.batches} batches, {found.made.file_bytes / found.made.readings:.2f} "
        "B/reading, free pages included",
    )
    within = [one for one in found.old if one.received_ns - found.first_ns <= FIRST_S * NS_PER_S]
    lasted_s = min(FIRST_S, found.took_s)
    yield Figure(
        name=f"{name}, drained against real time in the first five minutes",
        measured=len(within) * COMMIT_S / lasted_s,
        unit="x",
        sense="at least",
        bound=LEAST_DRAIN,
        note=f"{len(within) / lasted_s:.0f} batches/s over {lasted_s:.0f} s",
    )
    yield Figure(
        name=f"{name}: from the agent's start to the first batch at the centre",
        measured=(found.first_ns - found.started_ns) / NS_PER_S,
        unit="s",
        bound=START_S,
        note="the backlog is looked through before anything is sent",
    )
    yield _live(found, name)


def _live(found: Drained, name: str) -> Figure:
    """Return how old live batches were when they arrived."""
    return Figure(
        name=f"{name}: oldest live batch on arrival",
        measured=max((one.received_ns - one.wall_ns) / NS_PER_S for one in found.live),
        unit="s",
        bound=15.0,
        note=f"{len(found.live)} made since the start, commit and upload every 10 s; the first "
        f"was there {(found.live[0].received_ns - found.first_ns) / NS_PER_S:.1f} s after contact",
    )


def _drained(load: Load, seconds: int, limit_s: float) -> Drained:
    """Make a backlog, start the agent on it, and watch the centre until all of it is there."""
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        folder = Path(name)
        with plant(folder, load.device_count), agent(folder / "subject", load) as subject:
            made = backlog(subject.config, seconds=seconds, until_ns=SystemClock().now().utc_ns)
            started_ns = SystemClock().now().utc_ns
            subject.start()
            centre = subject.folder / "centre" / "centre.db"
            took_s = _watched(centre, made.batches, limit_s)
            # One more upload interval, so that there are live batches behind the backlog.
            pause(12.0)
        arrived = list(_arrived(centre))
        key = load_signing_key(subject.folder / "gateway.key").verifying_key
        floor_s = _floor(centre, folder / "floor.db", key)
    return Drained(
        made=made, started_ns=started_ns, took_s=took_s, arrived=arrived, floor_s=floor_s
    )


def _watched(centre: Path, count: int, limit_s: float) -> float:
    """Return the seconds from the first batch until there are so many, or until the limit."""
    first_s: float | None = None
    with closing(sqlite3.connect(f"file:{centre}?mode=ro", uri=True, timeout=10.0)) as record:
        began_s = now_s()
        while now_s() - began_s < LIMIT_S:
            (found,) = record.execute("SELECT max(id) FROM batch").fetchone()
            if found and first_s is None:
                first_s = now_s()
            if first_s is not None and ((found or 0) >= count or now_s() - first_s > limit_s):
                return now_s() - first_s
            pause(LOOK_S)
    raise TimeoutError(f"not within {LIMIT_S:g} s")


def _arrived(centre: Path) -> Iterator[Arrived]:
    """Yield what the centre has, in order of arrival."""
    with closing(sqlite3.connect(f"file:{centre}?mode=ro", uri=True)) as record:
        for received_ns, header in record.execute(
            "SELECT received_ns, header FROM batch ORDER BY id"
        ):
            found = Header.unpack(header)
            yield Arrived(
                received_ns=received_ns, wall_ns=found.wall_ns, readings=found.record_count
            )


def _floor(centre: Path, path: Path, key: VerifyingKey) -> float:
    """Return the seconds that bare unpacking, verifying and inserting take for the same batches."""
    with (
        closing(sqlite3.connect(f"file:{centre}?mode=ro", uri=True)) as record,
        closing(sqlite3.connect(path, isolation_level=None)) as floor,
    ):
        floor.execute("PRAGMA journal_mode = WAL")
        floor.execute("PRAGMA synchronous = FULL")
        floor.execute("CREATE TABLE batch (number INTEGER PRIMARY KEY, header, signature, body)")
        rows = record.execute("SELECT header, signature, body FROM batch").fetchall()
        began_s = now_s()
        for start in range(0, len(rows), LARGEST_FRAMES):
            floor.execute("BEGIN IMMEDIATE")
            for header, signature, body in rows[start : start + LARGEST_FRAMES]:
                key.verify(BATCH_CONTEXT, header, signature)
                decompress(body, int.from_bytes(header[112:120], "little"))
                floor.execute(
                    "INSERT INTO batch (header, signature, body) VALUES (?, ?, ?)",
                    (header, signature, body),
                )
            floor.execute("COMMIT")
        return now_s() - began_s
