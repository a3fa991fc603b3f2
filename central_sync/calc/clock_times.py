"""The times of readings whose gateway's clock may have been wrong (docs/calculations.md section 9).

Exact integers, UTC nanoseconds. What does not fit into 64 bits stops at their end: a gateway may
sign any number as a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from central_sync.calc.clock_hours import HOUR_NS, SECOND_NS
from central_sync.model import Anchor, Around
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS, BoolArray, Int64Array

ALIKE_NS: Final = SECOND_NS // 10
"""Offsets that differ by less are one setting of the clock: smaller steps are not told."""
DRIFT_PPM: Final = 500
"""How fast an undisciplined clock may run away: linux/timex.h, MAXFREQ."""
SLEWED_NS: Final = SECOND_NS
"""What a source of time may slew without setting the clock."""
ALWAYS_NS: Final = SLEWED_NS + ALIKE_NS
"""Part of every limit."""
CERTAIN_NS: Final = 3 * SECOND_NS
"""Times that are known this well or better are taken as they are."""
WIDEST_NS: Final = 4 * HOUR_NS
"""Limits further apart do not mark the hours between them."""

EARLIEST: Final = int(np.iinfo(np.int64).min)
LATEST: Final = int(np.iinfo(np.int64).max)
"""There is no limit."""

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """How far a wall clock is ahead of CLOCK_BOOTTIME; `error_ns` None: it was not trusted."""

    offset_ns: int
    error_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchClock:
    """What a batch says of the clock that stamped it; `others`: settings told by its events."""

    mono_ns: int
    wall_ns: int
    error_ns: int | None
    received_ns: int
    others: Sequence[Setting] = ()

    @classmethod
    def of(cls, header: Header, *, received_ns: int, others: Sequence[Setting] = ()) -> Self:
        """Return what a header says; received_ns is the centre's UTC ns."""
        return cls(
            mono_ns=header.mono_ns,
            wall_ns=header.wall_ns,
            error_ns=error_ns(header.wall_unc_ms),
            received_ns=received_ns,
            others=others,
        )

    @property
    def own(self) -> Setting:
        """The setting at its end."""
        return Setting(offset_ns=self.wall_ns - self.mono_ns, error_ns=self.error_ns)

    @property
    def is_certain(self) -> bool:
        """Whether its clock was trusted and nobody set it: it needs no anchors."""
        return self.error_ns is not None and not self.others


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Times:
    """The times of some readings; arrays have shape (n,), UTC ns.

    Attributes:
        time: when a reading counts.
        earliest: its true time is not before this.
        latest: and not after this.
        is_moved: whether `time` is not what was signed.

    """

    time: Int64Array
    earliest: Int64Array
    latest: Int64Array
    is_moved: BoolArray

    @property
    def is_loose(self) -> BoolArray:
        """Where the limits are further from the time than CERTAIN_NS."""
        return (self.earliest < plus(self.time, -CERTAIN_NS)) | (
            self.latest > plus(self.time, CERTAIN_NS)
        )

    def is_uncertain_in(self, start_ns: int, end_ns: int) -> BoolArray:
        """Return which may belong to [start, end) and to another hour as well; shape (n,)."""
        is_here = (self.time >= start_ns) & (self.time < end_ns)
        may_be_here = (self.earliest < end_ns) & (self.latest >= start_ns)
        may_be_elsewhere = (self.earliest < start_ns) | (self.latest >= end_ns)
        reaches = is_here | _is_near(self.earliest, self.latest)
        uncertain: BoolArray = self.is_loose & reaches & may_be_here & may_be_elsewhere
        return uncertain


def joined(parts: Sequence[Times]) -> Times:
    """Return the times of several batches, one after the other."""
    return Times(
        time=np.concatenate([one.time for one in parts]),
        earliest=np.concatenate([one.earliest for one in parts]),
        latest=np.concatenate([one.latest for one in parts]),
        is_moved=np.concatenate([one.is_moved for one in parts]),
    )


def error_ns(wall_unc_ms: int) -> int | None:
    """Return an error of the wire in ns; None where it is unknown."""
    return None if wall_unc_ms == UNKNOWN_ERROR_MS else wall_unc_ms * _MILLION


def anchor_of(clock: BatchClock, around: Around) -> Anchor | None:
    """Return the anchor by which a batch's untrusted readings are set right; None: there is none.

    Not for a batch whose own header is trusted: that is its own.
    """
    near = [one for one in (around.before, around.after) if one is not None]
    return min(near, key=lambda one: _error_at(one, clock.mono_ns), default=None)


def anchors_used(clock: BatchClock, around: Around) -> tuple[Anchor, ...]:
    """Return the batches whose clocks the times of a batch depend on, besides its own."""
    if clock.error_ns is not None:
        return ()
    near = anchor_of(clock, around)
    if near is not None:
        return (near,)
    return tuple(one for one in (around.earlier, around.later) if one is not None)


def times(at: Int64Array, mono: Int64Array, clock: BatchClock, around: Around) -> Times:
    """Return the times of the readings of one batch.

    Args:
        at: as signed, UTC ns; shape (n,).
        mono: as signed, CLOCK_BOOTTIME ns; shape (n,).
        clock: of the batch.
        around: the anchors next to it.

    """
    if clock.error_ns is not None and not clock.others:
        within_ns = clock.error_ns + ALWAYS_NS
        nothing = np.zeros(len(at), np.bool_)
        return Times(
            time=at, earliest=plus(at, -within_ns), latest=plus(at, within_ns), is_moved=nothing
        )
    time, is_open = at.copy(), np.ones(len(at), np.bool_)
    earliest, latest = np.full(len(at), EARLIEST), np.full(len(at), LATEST)
    for setting in _known_first((clock.own, *clock.others)):
        mine = is_open & _is_alike(at, mono, setting.offset_ns)
        is_open &= ~mine
        if setting.error_ns is None:
            found = _set_right(at[mine], mono[mine], clock, around)
        else:
            within_ns = setting.error_ns + ALWAYS_NS
            found = at[mine], plus(at[mine], -within_ns), plus(at[mine], within_ns)
        time[mine], earliest[mine], latest[mine] = found
    return Times(time=time, earliest=earliest, latest=latest, is_moved=time != at)


def spans(
    clock: BatchClock, at: tuple[int, int], mono: tuple[int, int], around: Around
) -> tuple[tuple[int, int], ...]:
    """Return the times at which a batch's readings by untrusted settings must be looked for.

    Args:
        clock: of the batch.
        at: smallest and largest `at` of its rows.
        mono: smallest and largest `mono` of its rows.
        around: the anchors next to it.

    Returns:
        Ranges of UTC ns, both ends inclusive.

    """
    anchor = anchor_of(clock, around)
    best_ns = clock.mono_ns if anchor is None else anchor.mono_ns
    # Limits are closest where the time is counted from, and widen on both sides of it.
    probes = np.array((mono[0], max(mono[0], min(mono[1], best_ns)), mono[1]), np.int64)
    time, earliest, latest = _set_right(plus(probes, clock.own.offset_ns), probes, clock, around)
    if _is_near(earliest, latest).any():
        lowest, highest = int(time[0]) - WIDEST_NS, int(time[-1]) + WIDEST_NS
        return ((max(int(earliest[0]), lowest), min(int(latest[-1]), highest)),)
    ranges = [time]
    shown_ns = at[0] - mono[0]
    is_mixed = abs(at[1] - mono[1] - shown_ns) >= ALIKE_NS
    if is_mixed or abs(shown_ns - clock.own.offset_ns) >= ALIKE_NS:
        # Another setting than that of its end: what it showed may lie outside the limits, and
        # counts there.
        ranges += [one for one in (earliest, latest) if not (one == EARLIEST).any()]
    return tuple((int(one[0]), int(one[-1])) for one in ranges)


def plus(times_ns: Int64Array, more_ns: int) -> Int64Array:
    """Return times moved by a number of ns, as far as 64 bits go."""
    step_ns = max(EARLIEST, min(LATEST, more_ns))
    if step_ns >= 0:
        moved = np.minimum(times_ns, LATEST - step_ns) + step_ns
    else:
        moved = np.maximum(times_ns, EARLIEST - step_ns) + step_ns
    return moved if step_ns == more_ns else plus(moved, more_ns - step_ns)


def _is_near(earliest: Int64Array, latest: Int64Array) -> BoolArray:
    """Return where limits are at most WIDEST_NS apart; shape (n,)."""
    near: BoolArray = (earliest != EARLIEST) & (latest <= plus(earliest, WIDEST_NS))
    return near


def _known_first(settings: Sequence[Setting]) -> list[Setting]:
    return sorted(settings, key=lambda one: one.error_ns is None)


def _is_alike(at: Int64Array, mono: Int64Array, offset_ns: int) -> BoolArray:
    """Return where at - mono is alike an offset; shape (n,). Differences may wrap around."""
    wrapped = (offset_ns - ALIKE_NS + 1) & 0xFFFF_FFFF_FFFF_FFFF
    above = at.view(np.uint64) - mono.view(np.uint64) - np.uint64(wrapped)
    alike: BoolArray = above < np.uint64(2 * ALIKE_NS - 1)
    return alike


def _error_at(anchor: Anchor, mono_ns: int) -> int:
    """Return the error of a time that is set right by an anchor, ns."""
    return anchor.error_ns + ALWAYS_NS + (abs(mono_ns - anchor.mono_ns) // _MILLION + 1) * DRIFT_PPM


def _set_right(
    at: Int64Array, mono: Int64Array, clock: BatchClock, around: Around
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return time, earliest and latest of readings by an untrusted setting; shapes (n,)."""
    if clock.error_ns is not None:
        return _by_anchor(mono, clock.wall_ns, clock.mono_ns, clock.error_ns)
    anchor = anchor_of(clock, around)
    if anchor is not None:
        return _by_anchor(mono, anchor.wall_ns, anchor.mono_ns, anchor.error_ns)
    return _by_other_boots(at, mono, clock, around)


def _by_anchor(
    mono: Int64Array, wall_ns: int, mono_ns: int, error_ns: int
) -> tuple[Int64Array, Int64Array, Int64Array]:
    time = plus(mono, wall_ns - mono_ns)
    error = plus(_drift(plus(mono, -mono_ns)), error_ns + ALWAYS_NS)
    return time, _less(time, error), _more(time, error)


def _by_other_boots(
    at: Int64Array, mono: Int64Array, clock: BatchClock, around: Around
) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return times between the boots before and the boots after; see rule 3."""
    until_ns = clock.received_ns
    if around.later is not None:
        later = around.later
        until_ns = min(until_ns, later.wall_ns - later.mono_ns + _error_at(later, 0))
    left = plus(mono, -clock.mono_ns)
    latest = _more(plus(left, until_ns), _drift(left))
    earliest = np.full(len(at), EARLIEST)
    if around.earlier is not None:
        since_ns = around.earlier.wall_ns - around.earlier.error_ns - ALWAYS_NS
        earliest = _less(plus(mono, since_ns), _drift(mono))
    is_odd = earliest > latest
    earliest, latest = np.where(is_odd, EARLIEST, earliest), np.where(is_odd, LATEST, latest)
    return np.clip(at, earliest, latest), earliest, latest


def _drift(elapsed: Int64Array) -> Int64Array:
    """Return how far a clock may run away in a time, ns; counted in ms, so that it fits."""
    return (np.abs(elapsed // _MILLION) + 1) * DRIFT_PPM


def _less(times_ns: Int64Array, error: Int64Array) -> Int64Array:
    return np.maximum(times_ns, EARLIEST + error) - error


def _more(times_ns: Int64Array, error: Int64Array) -> Int64Array:
    return np.minimum(times_ns, LATEST - error) + error
