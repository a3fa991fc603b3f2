"""How well readings fit a way of reading registers: word order and addressing by plausibility.

Pure. A wrong word order makes a plausible number of 0 to 14 % of random values; so many different
readings tell, and one does not. What fits equally well is never decided here: a person compares
with the front panel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from edge_agent.config.device import Device
from edge_agent.config.device_parts import Limits
from edge_agent.technician.candidates import Candidate
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, Int64Array
from edge_agent.wire.words import bit_of, bit_reader, number_reader

FloatArray = npt.NDArray[np.float64]

# A range is taken a little wider: analyzers show somewhat less than zero and more than full scale.
BELOW: Final = 0.05
ABOVE: Final = 0.10
# A float that is smaller is mostly a wrong one; where no range is known, a larger one too.
SMALLEST: Final = 1e-6
LARGEST: Final = 1e6
# A way is decided where so much of what it reads is plausible, and of every other so much less.
PLAUSIBLE: Final = 0.9
MARGIN: Final = 0.5
ENOUGH: Final = 4
# A panel is read a moment later, and may round: 2 % or two steps of the resolution.
PANEL_TOLERANCE: Final = 0.02
PANEL_STEPS: Final = 2
# The low word of a float32 is worth 2^-7 of it at most, and ways are not read at the same moment.
NEAR: Final = Decimal("0.02")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What readings say about one way of reading.

    Attributes:
        way: which one.
        distinct_count: different readings that could tell.
        plausible_count: how many of them are in their range.
        refused_count: points that the device refuses, or all of them where it refuses everything.
        panel_count: points whose value the front panel shows.
        missed_panel_count: points of which the panel shows something else.
        values: the last value of each channel, by its number; None: there is none.

    """

    way: Candidate
    distinct_count: int = 0
    plausible_count: int = 0
    refused_count: int = 0
    panel_count: int = 0
    missed_panel_count: int = 0
    values: Mapping[int, Decimal | None]

    @property
    def fraction(self) -> float:
        """How much of what could tell is plausible; 0 where nothing could."""
        return self.plausible_count / self.distinct_count if self.distinct_count else 0.0

    @property
    def rank(self) -> tuple[int, int, float]:
        """What orders ways: higher fits better."""
        panel = self.panel_count - self.missed_panel_count
        return (panel, -self.refused_count, self.fraction)


def evidence_of(
    way: Candidate, device: Device, scans: Sequence[Scan], panel: Mapping[int, Decimal]
) -> Evidence:
    """Return what some scans of a device say about the way in which it was read.

    Args:
        way: that way.
        device: the device as it is read so.
        scans: at least one; each of every channel.
        panel: what the front panel shows, by channel, in the unit of measure of the channel.

    """
    columns = {
        row.channel: _Column(row, device.limits[index], _words(scans, index))
        for index, row in enumerate(device.channels)
    }
    matches = [columns[channel].shows(value) for channel, value in panel.items()]
    return Evidence(
        way=way,
        distinct_count=sum(len(one.telling) for one in columns.values()),
        plausible_count=sum(one.plausible_count for one in columns.values()),
        refused_count=sum(not one.has_words for one in columns.values()),
        panel_count=sum(matches),
        missed_panel_count=len(matches) - sum(matches),
        values={channel: one.last for channel, one in columns.items()},
    )


def refused_everything(way: Candidate, device: Device, panel: Mapping[int, Decimal]) -> Evidence:
    """Return what it says that a device gives nothing when it is read in some way."""
    return Evidence(
        way=way,
        refused_count=len(device.channels),
        missed_panel_count=len(panel),
        values={row.channel: None for row in device.channels},
    )


def ranked(found: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return the ways, the one that fits best first; equal ones in their order."""
    return tuple(sorted(found, key=lambda one: one.rank, reverse=True))


def decided(found: Sequence[Evidence]) -> Candidate | None:
    """Return the one way that the readings leave; None where a person has to find out.

    A way whose readings are plausible is never lost against another one, whatever that shows.
    """
    best, *others = ranked(found)
    is_shown = best.panel_count > 0 and not best.missed_panel_count
    if best.missed_panel_count or not (is_shown or best.distinct_count >= ENOUGH):
        return None
    if best.distinct_count and best.fraction < PLAUSIBLE:
        return None
    return best.way if all(_is_out(other, best) for other in others) else None


def equals(found: Sequence[Evidence]) -> tuple[Candidate, ...]:
    """Return the ways whose values are within 2 % of those of the best one, that one included.

    One register off and with the words swapped, a float has the high half of the right value and
    the low half of its neighbour's: it is off by 0.8 % at most, and looks right.
    """
    best, *_ = ranked(found)
    return tuple(one.way for one in ranked(found) if _are_near(one.values, best.values))


def _are_near(values: Mapping[int, Decimal | None], others: Mapping[int, Decimal | None]) -> bool:
    return all(
        value == other
        if value is None or other is None
        else abs(value - other) <= NEAR * max(abs(value), abs(other))
        for value, other in ((values[channel], others[channel]) for channel in values)
    )


def _is_out(other: Evidence, best: Evidence) -> bool:
    if other.panel_count < best.panel_count:
        return True
    return bool(best.distinct_count) and other.fraction <= best.fraction - MARGIN


def _words(scans: Sequence[Scan], index: int) -> Int64Array:
    """Return the raw words of one channel, without what is none; shape (n,)."""
    words = [scan.raw[index] for scan in scans if not int(scan.transport[index]) & NO_VALUE]
    return np.array(words, np.int64)


class _Column:
    """The readings of one channel over some scans.

    Attributes:
        has_words: whether there is any.
        last: the last value, None: there is none.
        telling: different readings that can tell a way from another, as values.

    """

    def __init__(self, row: ChannelRow, limits: Limits, words: Int64Array) -> None:
        self.has_words = bool(len(words))
        self._step = float(row.resolution)
        self._limits = limits
        self._values = _values(row, words)
        is_float = row.raw_type.startswith("float")
        has_range = limits.low is not None or limits.high is not None
        can_tell = (is_float or has_range) and not row.raw_type.startswith("b")
        # 0 is 0 in every order; and what a device says again is no news.
        _, first = np.unique(words, return_index=True)
        kept = [index for index in first.tolist() if words[index]] if can_tell else []
        self.telling = self._values[kept]
        integers, is_number = Scaling([row]).integers(words)
        self.last = (
            Decimal(row.resolution) * int(integers[-1]) if len(words) and is_number[-1] else None
        )

    @property
    def plausible_count(self) -> int:
        """How many of the telling readings are in their range."""
        low, high = _widened(self._limits)
        size = np.abs(self.telling)
        with np.errstate(invalid="ignore"):
            is_in = (self.telling >= low) & (self.telling <= high)
            return int(np.count_nonzero(is_in & ((size >= SMALLEST) | (size == 0))))

    def shows(self, panel: Decimal) -> bool:
        """Return whether one of the readings is what the panel shows."""
        margin = max(abs(float(panel)) * PANEL_TOLERANCE, self._step * PANEL_STEPS)
        with np.errstate(invalid="ignore"):
            return bool((np.abs(self._values - float(panel)) <= margin).any())


def _values(row: ChannelRow, words: Int64Array) -> FloatArray:
    """Return raw words as values, near enough to compare; shape (n,)."""
    bit = bit_of(row.raw_type)
    read = number_reader(row.raw_type, row.word_order) if bit is None else bit_reader([bit])
    with np.errstate(invalid="ignore", over="ignore"):
        values: FloatArray = read(words).astype(np.float64) * float(row.scale) + float(row.offset)
    return values


def _widened(limits: Limits) -> tuple[float, float]:
    """Return the range in which a value is plausible."""
    low = None if limits.low is None else float(limits.low)
    high = None if limits.high is None else float(limits.high)
    if low is not None and high is not None:
        return low - BELOW * (high - low), high + ABOVE * (high - low)
    return -LARGEST if low is None else low, LARGEST if high is None else high
