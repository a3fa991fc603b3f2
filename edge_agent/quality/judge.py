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
from decimal import Decimal
from typing import Final

import numpy as np

from edge_agent.config.device import Device
from edge_agent.quality import checks
from edge_agent.quality.history import History
from edge_agent.quality.words import CLASS, PHASE, combined, marked, status_quality
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Readings, Scan
from edge_agent.wire.vocabulary import (
    NO_VALUE,
    QualityClass,
    Reason,
    UInt32Array,
)

DOUBTED: Final = np.uint32(QualityClass.OUT_OF_SPECIFICATION)
CLASSES: Final = {
    Reason.BELOW_RANGE: QualityClass.OUT_OF_SPECIFICATION,
    Reason.ABOVE_RANGE: QualityClass.OUT_OF_SPECIFICATION,
    Reason.SPIKE: QualityClass.OUT_OF_SPECIFICATION,
    Reason.STUCK: QualityClass.OUT_OF_SPECIFICATION,
    Reason.AFTER_GAP: QualityClass.GOOD,
}
# The driver read no status word, so 0 is not what the device said (drivers.registers).
STATUS_LACKING: Final = np.uint32(NO_VALUE | Reason.NO_FLAGS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """A judged scan; an alarm when a channel has just left good, or changed its phase.

    Attributes:
        readings: the scan with its quality.
        latest: the last reading of every channel of the device, at the time of this scan.
        is_alarm: whether it commits at once.
    """

    readings: Readings
    latest: Readings
    is_alarm: bool


class Judge:
    """Judges the scans of one device, in order of arrival.

    A scan holds every channel of the device, by rising number; of a device that speaks for itself
    it may hold some of them.
    """

    def __init__(self, device: Device, *, simulated: bool) -> None:
        steps = [Decimal(row.resolution) for row in device.channels]
        self._channels = np.array([row.channel for row in device.channels], dtype=np.uint32)
        self._scaling = Scaling(device.channels)
        self._lower = checks.lower_limits([limit.low for limit in device.limits], steps)
        self._upper = checks.upper_limits([limit.high for limit in device.limits], steps)
        self._history = History(device.limits, steps)
        self._rules = device.status_rules
        always = Reason.JUDGED | (Reason.SIMULATED if simulated else Reason(0))
        # Modbus carries no flags: without a status word a channel says nothing of its health.
        self._always = np.array(
            [
                always if row.status_source is not None else always | Reason.NO_FLAGS
                for row in device.channels
            ],
            dtype=np.uint32,
        )
        self._heard = b""
        self._said: UInt32Array = self._always
        self._has_value = self._is_measuring = np.ones(len(steps), dtype=np.bool_)
        self._quality = self._said
        self._latest: Readings | None = None

    def judge(self, scan: Scan) -> Judgement:
        """Return the readings of a scan with their quality.

        Raises:
            ValueError: the scan holds a channel that the device does not have.

        """
        if scan.channel.tobytes() != self._channels.tobytes():
            return self._judge_part(scan)
        self._hear(scan)
        quality = self._checked(scan)
        is_alarm = _has_worsened(self._quality, quality)
        self._quality = quality
        self._latest = readings = _readings(scan, quality)
        return Judgement(readings=readings, latest=readings, is_alarm=is_alarm)

    def _judge_part(self, scan: Scan) -> Judgement:
        """Judge a scan of some channels: nothing is learned about the others."""
        index = np.searchsorted(self._channels, scan.channel)
        is_known = index < len(self._channels)
        if not is_known.any() or not np.array_equal(self._channels[index[is_known]], scan.channel):
            raise ValueError(f"{scan.device}: a scan may only hold channels of its device")
        count = len(self._channels)
        raw, status = np.zeros(count, np.int64), np.zeros(count, np.uint32)
        transport = np.full(count, NO_VALUE, np.uint32)
        quality = transport | self._always
        if self._latest is not None:
            latest_raw, latest_status = self._latest.raw.copy(), self._latest.status.copy()
            quality = self._quality.copy()
        else:
            latest_raw, latest_status = raw.copy(), status.copy()
        raw[index], status[index], transport[index] = scan.raw, scan.status, scan.transport
        whole = replace(scan, channel=self._channels, raw=raw, status=status, transport=transport)
        self._hear(whole)
        judged = self._checked(whole)[index]
        latest_raw[index], latest_status[index] = scan.raw, scan.status
        before = quality.copy()
        quality[index] = judged
        self._quality = quality
        self._latest = _readings(replace(whole, raw=latest_raw, status=latest_status), quality)
        return Judgement(
            readings=_readings(scan, judged),
            latest=self._latest,
            is_alarm=_has_worsened(before, quality),
        )

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
        said = combined(np.where(has_status, by_status, 0), scan.transport) | self._always
        said.flags.writeable = False  # the readings of many scans share it
        self._heard, self._said = heard, said
        self._has_value = (said & np.uint32(NO_VALUE)) == 0
        self._is_measuring = (said & PHASE) == 0

    def _checked(self, scan: Scan) -> UInt32Array:
        integers, is_number = self._scaling.integers(scan.raw)
        numbers = is_number & self._has_value
        past = self._history.step(integers, numbers, self._is_measuring, scan.mono_ns)
        marks = (
            (checks.below(integers, self._lower), Reason.BELOW_RANGE),
            (checks.above(integers, self._upper), Reason.ABOVE_RANGE),
            (past.spike, Reason.SPIKE),
            (past.stuck, Reason.STUCK),
            (past.after_gap, Reason.AFTER_GAP),
        )
        quality = self._said
        for where, reason in marks:
            if np.count_nonzero(where):
                quality = marked(quality, where & numbers, CLASSES[reason], reason)
        lacking = self._has_value & ~is_number
        if np.count_nonzero(lacking):
            quality = marked(quality, lacking, QualityClass.FAILURE, Reason.NOT_A_NUMBER)
        return quality


def _readings(scan: Scan, quality: UInt32Array) -> Readings:
    return Readings(
        at_ns=scan.at_ns,
        mono_ns=scan.mono_ns,
        channel=scan.channel,
        raw=scan.raw,
        status=scan.status,
        quality=quality,
    )


def _has_worsened(before: UInt32Array, after: UInt32Array) -> bool:
    """Return whether a channel has left good, or has changed its phase."""
    if after is before:
        return False
    was_bad = (before & CLASS) >= DOUBTED
    is_bad = (after & CLASS) >= DOUBTED
    return bool((is_bad & ~was_bad | ((before ^ after) & PHASE != 0)).any())
