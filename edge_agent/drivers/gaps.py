"""Missed polls of one device, told as `gap` events (docs/wire-format.md section 10).

Pure: the times are handed in. Every poll that was due is either answered or counted in exactly one
gap, whose events tell the count so far; `missed` of its last event is the whole count.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from edge_agent.wire.events import Event

# docs/wire-format.md section 10: an open gap is repeated once an hour.
REPEAT_NS: Final = 3_600_000_000_000


class MissReason(StrEnum):
    """Why a poll that was due brought no readings."""

    NO_ANSWER = "no_answer"
    LINK_CLOSED = "link_closed"
    IMPOSSIBLE_ANSWER = "impossible_answer"
    REFUSED = "refused"
    BUSY = "busy"
    DEVICE_FAILURE = "device_failure"
    DRIVER_FAULT = "driver_fault"
    OVERRUN = "overrun"
    BUFFER_FULL = "buffer_full"
    SAMPLES_LOST = "samples_lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The time of an event, and the time of the poll it is about.

    Attributes:
        at_ns: UTC, nanoseconds.
        mono_ns: CLOCK_BOOTTIME at the same moment, nanoseconds.
        due_mono_ns: CLOCK_BOOTTIME at which the poll was due, nanoseconds.

    """

    at_ns: int
    mono_ns: int
    due_mono_ns: int

    @property
    def due_ns(self) -> int:
        """UTC at which the poll was due, by the wall clock of now, nanoseconds."""
        return self.at_ns - (self.mono_ns - self.due_mono_ns)


@dataclass(slots=True, kw_only=True)
class Gap:
    """The present gap of one device, if there is one.

    Attributes:
        channels: the channels of the device, rising.
        missed_count: polls missed since the gap opened; 0 while there is none.
        reason: why the first of them was missed.

    """

    channels: tuple[int, ...]
    missed_count: int = 0
    reason: MissReason = MissReason.NO_ANSWER
    _from_ns: int = 0
    _told_mono_ns: int = 0
    _told_count: int = 0
    _count_by_reason: dict[str, int] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether polls are being missed."""
        return self.missed_count > 0

    def missed(self, when: When, reason: MissReason, *, count: int = 1) -> Event | None:
        """Count polls that brought nothing; return the event to record, if one is due.

        Args:
            when: now, and when the first of these polls was due.
            reason: why they were missed.
            count: how many polls in a row, at least 1.

        """
        state: Literal["open", "still"] = "still"
        if not self.is_open:
            state = "open"
            self.reason = reason
            self._from_ns = when.due_ns
            self._count_by_reason = {}
        self.missed_count += count
        self._count_by_reason[reason.value] = self._count_by_reason.get(reason.value, 0) + count
        if state == "still" and when.mono_ns - self._told_mono_ns < REPEAT_NS:
            return None
        return self._told(state, when, to_ns=None)

    def returned(self, when: When) -> Event | None:
        """Return the event that closes the gap; None when there is none.

        Args:
            when: now, and when the poll that was answered was due: the gap ends just before it.

        """
        if not self.is_open:
            return None
        closed = self._told("closed", when, to_ns=when.due_ns)
        self.missed_count = 0
        return closed

    def left_open(self, when: When) -> Event | None:
        """Return what an orderly stop must still tell: the count so far, if it was not told."""
        if self.missed_count in (0, self._told_count):
            return None
        return self._told("still", when, to_ns=None)

    def _told(
        self, state: Literal["open", "still", "closed"], when: When, *, to_ns: int | None
    ) -> Event:
        self._told_mono_ns = when.mono_ns
        self._told_count = self.missed_count
        return Event(
            type="gap",
            at_ns=when.at_ns,
            mono_ns=when.mono_ns,
            fields={
                "state": state,
                "channels": list(self.channels),
                "from_ns": self._from_ns,
                "to_ns": to_ns,
                "missed": self.missed_count,
                "reason": self.reason.value,
                "reasons": dict(self._count_by_reason),
            },
        )
