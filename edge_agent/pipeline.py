"""The hand-over between reading and storing: judged readings wait here until a commit is due.

What waits has no number, no hash and no signature yet (docs/wire-format.md section 11). A full
intake makes the pollers wait, and what they then miss becomes a gap event. Only a stop gives up
what cannot be stored in its time, and says so.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol, Self

from edge_agent.clock import NS_PER_S, Clock
from edge_agent.clock_steps import ClockWatch
from edge_agent.drivers.base import Delivery
from edge_agent.quality.judge import Judgement
from edge_agent.recent import Recent
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings, Scan

# A batch takes 65,536 rows (docs/wire-format.md section 2); half of that makes a commit due, all
# of it makes the pollers wait, so that a commit in progress never stops the reading.
ROWS_DUE: Final = 32_768
ROWS_FULL: Final = 65_536
# Events commit at once, at most one extra commit a second (docs/wire-format.md section 11).
URGENT_PAUSE_NS: Final = NS_PER_S
# A device that waits for an acknowledgement gets it so soon, and the time of a commit.
AWAITED_PAUSE_NS: Final = NS_PER_S // 5
# Whoever waits without a limit asks again so often.
DURABLE_LOOK_NS: Final = 60 * NS_PER_S
# So many deliveries are remembered: more than every device together sends before one commit.
MARKS_KEPT: Final = 16_384
# Events never wait, so they count as well: pollers that wait tell one gap a device, and then one
# an hour. Eight batches take so many lines (docs/wire-format.md section 2).
EVENTS_FULL: Final = 8_192


class Judge(Protocol):
    """What the intake needs of the judge of a device; `quality.judge.Judge` is the one there is."""

    def judge(self, scan: Scan) -> Judgement:
        """Return the scan with a quality for every reading."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one commit makes durable: judged scans in order of arrival, and events.

    `marks` name the deliveries among them, which are not taken a second time.
    """

    readings: tuple[Readings, ...]
    events: tuple[Event, ...]
    is_last: bool
    marks: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What the decision when to commit looks at."""

    rows: int
    event_count: int
    is_urgent: bool
    has_ended: bool
    is_awaited: bool = False


def commit_due_at(waiting: Waiting, *, last_ns: int, now_ns: int, interval_ns: int) -> int | None:
    """Return the CLOCK_BOOTTIME at which a commit is due; None while nothing waits.

    Args:
        waiting: what is in the intake.
        last_ns: when the last commit was taken.
        now_ns: the present.
        interval_ns: the configured commit interval.

    """
    if not waiting.rows and not waiting.event_count:
        return now_ns if waiting.has_ended else None
    if waiting.has_ended or waiting.rows >= ROWS_DUE:
        return now_ns
    pause_ns = URGENT_PAUSE_NS if waiting.is_urgent else interval_ns
    if waiting.is_awaited:
        pause_ns = AWAITED_PAUSE_NS
    return last_ns + min(pause_ns, interval_ns)


class Intake:
    """Takes scans and events, judges each scan, and gives out portions when they are due."""

    def __init__(
        self, judges: Mapping[str, Judge], *, clock: Clock, commit_interval_s: float
    ) -> None:
        self.recent = Recent()
        self._judges = judges
        self._clock = clock
        self.clock_watch = ClockWatch(clock, self.record)
        self._interval_ns = round(commit_interval_s * NS_PER_S)
        # The first reading after a start commits at once: it proves that the line works.
        self._last_ns = clock.now().mono_ns - self._interval_ns
        self._readings: list[Readings] = []
        self._events: list[Event] = []
        self._rows = 0
        self._is_urgent = False
        self._has_ended = False
        self._is_orderly = True
        self._wake = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._marks: dict[bytes, None] = {}
        self._fresh_marks: list[bytes] = []
        self._taken_count = self._stored_count = self._awaited_count = 0
        self._stored = asyncio.Event()

    @property
    def is_full(self) -> bool:
        """Whether pollers have to wait."""
        return not self._has_room.is_set()

    @property
    def waiting(self) -> Waiting:
        """What has not been taken yet."""
        return Waiting(
            rows=self._rows,
            event_count=len(self._events),
            is_urgent=self._is_urgent,
            has_ended=self._has_ended,
            is_awaited=self._awaited_count > self._taken_count,
        )

    def room(self) -> "Room":
        """Return a context that is entered when there is room, and yields `hand_over`."""
        return Room(self._has_room, self.hand_over)

    def hand_over(self, scan: Scan) -> None:
        """Judge one scan and hold it; a plain call, so that no stop can come between.

        Room is asked for beforehand. The pollers that were let in together may overshoot the
        limit by one scan each.
        """
        self.clock_watch.glance()
        judgement = self._judges[scan.device].judge(scan)
        for event in judgement.events:
            self.record(event)
        is_first = not self._rows
        self._readings.append(judgement.readings)
        self.recent.took(scan.device, judgement.readings)
        self._rows += len(judgement.readings.channel)
        if self._rows >= ROWS_FULL:
            self._has_room.clear()
        if is_first or judgement.is_alarm or self._rows >= ROWS_DUE:
            self._is_urgent |= judgement.is_alarm
            self._wake.set()

    def remember(self, marks: Iterable[bytes]) -> None:
        """Take no delivery of these marks: they are on the disk."""
        self._marks.update(dict.fromkeys(marks))
        for mark in islice(list(self._marks), max(0, len(self._marks) - MARKS_KEPT)):
            del self._marks[mark]

    def deliver(self, delivery: Delivery) -> None:
        """Hold what a device sent unasked, unless it was held before."""
        if delivery.mark in self._marks and not delivery.is_new:
            return
        if delivery.mark:
            self._marks.pop(delivery.mark, None)  # the newest are kept longest
            self.remember((delivery.mark,))
            self._fresh_marks.append(delivery.mark)
        for loss in delivery.losses:
            self.record(loss.event(self._clock.now()))
        for scan in delivery.scans:
            self.hand_over(scan)

    async def durable(self, until_mono_ns: int) -> bool:
        """Return whether everything that was handed over is durable, waiting until then for it."""
        portion_count = self._taken_count + 1
        if not self._rows and not self._events:
            portion_count = self._taken_count
        self._awaited_count = max(self._awaited_count, portion_count)
        self._wake.set()
        while self._stored_count < portion_count:
            if self._clock.now().mono_ns >= until_mono_ns:
                return False
            self._stored.clear()
            await self._clock.wait(self._stored, until_mono_ns)
        return True

    def stored(self) -> None:
        """Say that the portion that was taken last is durable."""
        self._stored_count = self._taken_count
        self._stored.set()

    def record(self, event: Event) -> None:
        """Hold one event; it commits at once and never waits for room."""
        self._events.append(event)
        if len(self._events) >= EVENTS_FULL:
            self._has_room.clear()
        self.recent.heard(event)
        self._is_urgent = True
        self._wake.set()

    async def told(self, events: Iterable[Event]) -> None:
        """Hold events and return once they are durable."""
        for event in events:
            self.record(event)
        while not await self.durable(self._clock.now().mono_ns + DURABLE_LOOK_NS):
            continue

    def end(self, *, is_orderly: bool = True) -> None:
        """Say that nothing more will come: the last portion is due now.

        After an orderly stop it holds something always: the next `boot` event calls the stop clean
        only if a batch says that it is the last before it. A crash of ours is not signed as one.
        """
        self._is_orderly = is_orderly
        if is_orderly and not self._rows and not self._events:
            now = self._clock.now()
            fields = {"who": "agent", "text": "stopped with nothing left to store"}
            self.record(Event(type="note", at_ns=now.utc_ns, mono_ns=now.mono_ns, fields=fields))
        self._has_ended = True
        self._wake.set()

    def judge_by(self, judges: Mapping[str, Judge]) -> None:
        """Judge later scans by other limits; what already waits keeps its verdict."""
        self._judges = judges

    async def pause(self, pause_ns: int) -> None:
        """Let some time pass."""
        await self._clock.sleep_until(self._clock.now().mono_ns + pause_ns)

    async def due(self) -> None:
        """Return when a portion should be taken."""
        while True:
            now_ns = self._clock.now().mono_ns
            at_ns = commit_due_at(
                self.waiting, last_ns=self._last_ns, now_ns=now_ns, interval_ns=self._interval_ns
            )
            if at_ns is not None and at_ns <= now_ns:
                return
            self._wake.clear()
            await self._clock.wait(self._wake, at_ns)

    def take(self) -> Portion:
        """Return what waits, and a step of the wall clock since the last time; make room."""
        self.clock_watch.look()
        portion = Portion(
            readings=tuple(self._readings),
            events=tuple(self._events),
            is_last=self._has_ended and self._is_orderly,
            marks=tuple(self._fresh_marks),
        )
        self._readings, self._events, self._rows = [], [], 0
        self._fresh_marks = []
        self._taken_count += 1
        self._is_urgent = False
        self._last_ns = self._clock.now().mono_ns
        self._has_room.set()
        return portion


class Room:
    """Entered when the intake has room; yields the plain call that hands a scan over."""

    __slots__ = ("_hand_over", "_has_room")

    def __init__(self, has_room: asyncio.Event, hand_over: Callable[[Scan], None]) -> None:
        self._has_room = has_room
        self._hand_over = hand_over

    async def __aenter__(self) -> Callable[[Scan], None]:
        while not self._has_room.is_set():
            await self._has_room.wait()
        return self._hand_over

    async def __aexit__(self, *_: object) -> None:
        return None


class Ending:
    """Ends an intake when the block is left, however it is left."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._intake.end(is_orderly=kind is None)
