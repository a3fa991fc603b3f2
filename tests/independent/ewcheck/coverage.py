"""Whether a poll that was served and is nowhere is excused: by a gap event or by a kill.

A gap excuses the polls of its channels and its time, no others; an unclosed one lasts until the
next reading of the channel (docs/wire-format.md section 10: the return closes it).
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ewcheck.events import Event, Value, nanoseconds
from ewcheck.faults import InputError, InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FOR_EVER = 1 << 63
HOUR_NS = 3_600_000_000_000
Span: TypeAlias = tuple[int, int]  # from_ns, to_ns, both inclusive


@dataclass(slots=True)
class Gaps:
    """Every gap and loss seen, by channel: closed spans, and the starts of those left open."""

    seen: set[tuple[tuple[Value, ...], int]] = field(default_factory=set)
    given_up: list[tuple[frozenset[Value], Span]] = field(default_factory=list)
    closed: dict[int, set[Span]] = field(default_factory=lambda: defaultdict(set))
    open: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    begun: dict[tuple[tuple[Value, ...], int], int] = field(default_factory=dict)

    def add(self, event: Event, utc_minus_boottime_ns: int | None = None) -> None:
        """Take one gap event; InvalidError if its fields are not what the format says.

        Where the wall clock is not to be believed, a gap ends at the CLOCK_BOOTTIME of the event
        that closes it, and begins so long before the event that opens it as that says: both times
        are of one clock, unless it was set between them.
        """
        channels = event["channels"]
        if not isinstance(channels, list):
            raise InvalidError("event: the channels of a gap are no list")
        start = nanoseconds(event, "from_ns")
        end = None if event["to_ns"] is None else nanoseconds(event, "to_ns")
        if (end is None) == (event["state"] == "closed"):
            raise InvalidError("event: to_ns of a gap is null exactly while it is open")
        named = (tuple(channels), start)
        self.seen.add(named)
        if utc_minus_boottime_ns is not None:
            told = nanoseconds(event, "mono_ns") + utc_minus_boottime_ns
            early = nanoseconds(event, "at_ns") - start
            start = self.begun.setdefault(named, told - (early if 0 <= early < HOUR_NS else 0))
            end = None if end is None else told
        for channel in channels:
            if not isinstance(channel, int):
                raise InvalidError(f"event: a gap of channel {channel!r}")
            if end is None:
                self.open[channel].add(start)
            else:
                self.closed[channel].add((start, end))

    def add_loss(self, event: Event) -> None:
        """Take one loss event: what it gives up is lost, but not silently."""
        channels = event["channels"]
        if not isinstance(channels, list):
            raise InvalidError("event: the channels of a loss are no list")
        span = nanoseconds(event, "from_ns"), nanoseconds(event, "to_ns")
        self.given_up.append((frozenset(channels), span))

    def losses(self, channel: int) -> list[Span]:
        """Return the spans in which readings of a channel were given up; no channels = all."""
        return [span for channels, span in self.given_up if not channels or channel in channels]

    def spans(self, channel: int, readings_at: Sequence[int]) -> list[Span]:
        """Return the gaps of a channel whose readings came at `readings_at` (rising, ns)."""
        ended = {start for start, _ in self.closed[channel]}
        spans = list(self.closed[channel])
        for start in self.open[channel] - ended:
            index = bisect_right(readings_at, start)
            returned = readings_at[index] if index < len(readings_at) else FOR_EVER
            spans.append((start, returned))
        return spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One kill of a gateway: when, and the span in which what was served may not have been kept."""

    from_ns: int
    at_ns: int
    to_ns: int

    def excuses(self, missing_ns: int, found_ns: Sequence[int]) -> bool:
        """Return whether this kill explains a missing poll.

        A kill loses the end of what was served, never a piece from the middle: a poll behind which
        another of the same device was kept, before the kill, is not excused.

        Args:
            missing_ns: when the missing poll was served.
            found_ns: when the polls of the device that were kept were served, rising.

        """
        if not self.from_ns <= missing_ns <= self.to_ns:
            return False
        behind = bisect_right(found_ns, missing_ns)
        return behind == len(found_ns) or found_ns[behind] > self.at_ns


def kills_of(path: Path | None) -> list[Kill]:
    """Return the kills of a file of JSON lines {"from_ns", "at_ns", "to_ns"}."""
    if path is None:
        return []
    try:
        return [Kill(**json.loads(line)) for line in path.read_text().splitlines()]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a list of kills: {error!r}") from error


def is_within(at_ns: int, spans: Iterable[Span], slack_ns: int) -> bool:
    """Return whether a time lies in one of the spans, each widened by `slack_ns`."""
    return any(start - slack_ns <= at_ns <= end + slack_ns for start, end in spans)
