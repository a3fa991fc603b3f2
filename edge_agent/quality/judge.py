"""The judge of one device: a fold over its scans that gives every reading its quality word.

Pure but for what it remembers: the last number of each channel, since when it stands, and the last
verdict. Raw words pass through untouched, and every row leaves with the bit JUDGED.

How the checks are classed, and why (docs/configuration.md, judging):
a number that the arithmetic cannot give is a FAILURE, because there is no reading;
a value outside its limits, one that jumped and one that stands still are OUT_OF_SPECIFICATION:
each may be the truth (a trip, a purge, a quiet stack), so the value is kept and doubted, not lost;
the first value after a gap is as good as any other and only carries the reason.
"""

from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.config.device import Device
from edge_agent.quality import checks
from edge_agent.quality.calibration import Calibrations
from edge_agent.quality.criteria import criteria_of
from edge_agent.quality.history import History
from edge_agent.quality.sentinels import Sentinels
from edge_agent.quality.words import CLASS, PHASE, STATUS_LACKING, combined, marked, status_quality
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings, Scan
from edge_agent.wire.vocabulary import (
    NO_VALUE,
    BoolArray,
    Int64Array,
    QualityClass,
    Reason,
    UInt32Array,
)

IndexArray: TypeAlias = npt.NDArray[np.intp]

DOUBTED: Final = np.uint32(QualityClass.OUT_OF_SPECIFICATION)
CLASSES: Final = {
    Reason.BELOW_RANGE: QualityClass.OUT_OF_SPECIFICATION,
    Reason.ABOVE_RANGE: QualityClass.OUT_OF_SPECIFICATION,
    Reason.SPIKE: QualityClass.OUT_OF_SPECIFICATION,
    Reason.STUCK: QualityClass.OUT_OF_SPECIFICATION,
    Reason.AFTER_GAP: QualityClass.GOOD,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A judged scan; an alarm when a channel has just left good, or changed its phase.

    `events` tell the zero and span checks that end and begin with it.
    """

    readings: Readings
    is_alarm: bool
    events: tuple[Event, ...] = ()


class Judge:
    """Judges the scans of one device, in order of arrival.

    A scan holds every channel of the device or, where the device speaks unasked, some of them; by
    rising number.
    """

    def __init__(self, device: Device, *, simulated: bool) -> None:
        self._channels = np.array([row.channel for row in device.channels], dtype=np.uint32)
        self._criteria = criteria_of(device.channels, device.limits, simulated=simulated)
        self._whole = self._channels.tobytes()
        self._history = History(self._criteria)
        self._rules = device.status_rules
        self._heard = b""
        self._said: UInt32Array = self._criteria.always
        self._has_value = self._is_measuring = np.ones(len(self._channels), dtype=np.bool_)
        self._quality = self._said
        self._sentinels = Sentinels.of(device)
        self._calibrations = Calibrations(device) if device.calibrations else None

    @property
    def scaling(self) -> Scaling:
        """How the raw words of the device's channels become values."""
        return self._criteria.scaling

    def judge(self, scan: Scan) -> Judgement:
        """Return the readings of a scan with their quality.

        Raises:
            ValueError: the scan holds a channel that is not the device's.

        """
        if self._is_whole(scan):
            quality, is_alarm, events = self._judged(scan, None)
        else:
            where = self._places(scan)
            quality, is_alarm, events = self._judged(self._widened(scan, where), where)
            quality = quality[where]
        readings = Readings(
            at_ns=scan.at_ns,
            mono_ns=scan.mono_ns,
            channel=scan.channel,
            raw=scan.raw,
            status=scan.status,
            quality=quality,
        )
        return Judgement(readings=readings, is_alarm=is_alarm, events=events)

    def _judged(
        self, scan: Scan, where: IndexArray | None
    ) -> tuple[UInt32Array, bool, tuple[Event, ...]]:
        """Return the quality of every channel, whether one of them has worsened, and checks.

        Args:
            scan: of every channel.
            where: the places of the channels that it is really of; None: all.

        """
        self._hear(scan)
        quality, integers, numbers = self._checked(scan, where)
        if where is not None:
            kept = self._quality.copy()
            kept[where] = quality[where]
            quality = kept
        is_alarm = _has_worsened(self._quality, quality)
        self._quality = quality
        if self._calibrations is None:
            return quality, is_alarm, ()
        return quality, is_alarm, self._calibrations.step(quality, integers, numbers, scan)

    def _is_whole(self, scan: Scan) -> bool:
        """Return whether a scan holds every channel."""
        # A twentieth of what numpy's own comparison takes, at every scan.
        return scan.channel.tobytes() == self._whole

    def _places(self, scan: Scan) -> IndexArray:
        """Return where the channels of a scan stand among those of the device; shape (k,)."""
        places = np.searchsorted(self._channels, scan.channel)
        if not np.array_equal(self._channels.take(places, mode="clip"), scan.channel):
            raise ValueError(f"{scan.device}: a scan may hold only channels of its device")
        return places

    def _widened(self, scan: Scan, where: IndexArray) -> Scan:
        """Return a scan of every channel, with nothing in those that the scan does not hold."""
        raw = np.zeros(len(self._channels), np.int64)
        status, transport = (np.zeros(len(self._channels), np.uint32) for _ in range(2))
        raw[where], status[where], transport[where] = scan.raw, scan.status, scan.transport
        return replace(scan, channel=self._channels, raw=raw, status=status, transport=transport)

    def _hear(self, scan: Scan) -> None:
        """Take in what the device and the way to it say: status words and transport bits.

        They seldom change from one scan to the next, so what they mean is kept.
        """
        heard = scan.status.tobytes() + scan.transport.tobytes()
        if heard == self._heard:
            return
        words = zip(scan.status.tolist(), self._rules, strict=True)
        by_status = np.array([status_quality(*pair) for pair in words], dtype=np.uint32)
        has_status = (scan.transport & STATUS_LACKING) == 0
        said = combined(np.where(has_status, by_status, 0), scan.transport) | self._criteria.always
        said.flags.writeable = False  # the readings of many scans share it
        self._heard, self._said = heard, said
        self._has_value = (said & np.uint32(NO_VALUE)) == 0
        self._is_measuring = (said & PHASE) == 0

    def _checked(
        self, scan: Scan, where: IndexArray | None
    ) -> tuple[UInt32Array, Int64Array, BoolArray]:
        """Return quality, values in steps of the resolution, and where there is one."""
        integers, is_number = self._criteria.scaling.integers(scan.raw)
        is_none = self._sentinels.among(integers) if self._sentinels is not None else None
        if is_none is not None:
            is_number = is_number & ~is_none
        numbers = is_number & self._has_value
        if where is not None:
            is_there = np.zeros(len(numbers), np.bool_)
            is_there[where] = True
            numbers &= is_there
        past = self._history.step(integers, numbers, self._is_measuring, scan.mono_ns)
        marks = (
            (checks.below(integers, self._criteria.lower), Reason.BELOW_RANGE),
            (checks.above(integers, self._criteria.upper), Reason.ABOVE_RANGE),
            (past.spike, Reason.SPIKE),
            (past.stuck, Reason.STUCK),
            (past.after_gap, Reason.AFTER_GAP),
        )
        quality = self._said
        for is_marked, reason in marks:
            if np.count_nonzero(is_marked):
                quality = marked(quality, is_marked & numbers, CLASSES[reason], reason)
        lacking = self._has_value & ~is_number
        if np.count_nonzero(lacking):
            quality = marked(quality, lacking, QualityClass.FAILURE, Reason.NOT_A_NUMBER)
        if is_none is not None and np.count_nonzero(is_none):
            quality = np.where(is_none, quality | np.uint32(NO_VALUE), quality)
        return quality, integers, numbers


def _has_worsened(before: UInt32Array, after: UInt32Array) -> bool:
    """Return whether a channel has left good, or has changed its phase."""
    if after is before:
        return False
    was_bad = (before & CLASS) >= DOUBTED
    is_bad = (after & CLASS) >= DOUBTED
    return bool((is_bad & ~was_bad | ((before ^ after) & PHASE != 0)).any())
