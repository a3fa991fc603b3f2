"""Zero and span checks of one device as events: a fold over its judged scans; pure.

A check begins when the phase of a channel says so, and is over when the phase changes. At its end
the event tells what the check gave and how far that is from what it should give, in per cent of the
span - where all three are known (docs/wire-format.md section 10).
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

import numpy as np

from edge_agent.config.device import Calibration, Device
from edge_agent.quality.words import STATUS_LACKING
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import BoolArray, Int64Array, Phase, UInt32Array
from edge_agent.wire.vocabulary import phase as phases_of

CALIBRATION: Final = "calibration"
FIRST_CHECK, LAST_CHECK = int(Phase.ZERO_CHECK), int(Phase.OTHER_CHECK_GAS)
DRIFT_DIGITS: Final = 3


class Calibrations:
    """What the channels of one device are checked by, and what the check under way has given."""

    def __init__(self, device: Device) -> None:
        """Take a device with at least one channel that can be in a check."""
        self._known = device.calibrations
        self._channels = [device.channels[one.index].channel for one in self._known]
        self._steps = [Decimal(row.resolution) for row in device.channels]
        self._indices = np.array([one.index for one in self._known], np.intp)
        count = len(self._known)
        self._phases: UInt32Array = np.zeros(count, np.uint32)
        self._last = np.zeros(count, np.int64)
        self._has_last = np.zeros(count, np.bool_)
        self._is_in_check = False
        self._seen: UInt32Array | None = None

    def step(
        self, quality: UInt32Array, integers: Int64Array, numbers: BoolArray, scan: Scan
    ) -> tuple[Event, ...]:
        """Return the checks that end and begin with a scan.

        Args:
            quality: of every channel of the device; shape (n,).
            integers: the values, in steps of each channel's resolution; shape (n,).
            numbers: where the scan has a value that is a number; shape (n,).
            scan: when it was taken.

        """
        if quality is self._seen and not self._is_in_check:
            return ()
        self._seen = quality
        # Without a status word nobody knows the phase: a check does not end because of that.
        has_status = (scan.transport[self._indices] & STATUS_LACKING) == 0
        phases = np.where(has_status, phases_of(quality[self._indices]), self._phases)
        is_check = _is_check(phases)
        if not self._is_in_check and not is_check.any():
            return ()
        changed = phases != self._phases
        ended = np.flatnonzero(changed & _is_check(self._phases))
        begun = np.flatnonzero(changed & is_check)
        fields = [
            *(self._end(int(place), integers, numbers) for place in ended),
            *self._beginnings(begun, phases),
        ]
        self._has_last[begun] = False
        is_new = is_check & numbers[self._indices]
        self._last[is_new] = integers[self._indices][is_new]
        self._has_last |= is_new
        self._phases, self._is_in_check = phases, bool(is_check.any())
        return tuple(
            Event(type=CALIBRATION, at_ns=scan.at_ns, mono_ns=scan.mono_ns, fields=each)
            for each in fields
        )

    def _beginnings(
        self, begun: Int64Array, phases: UInt32Array
    ) -> Iterator[Mapping[str, JsonValue]]:
        """Yield one beginning for all channels that enter the same phase."""
        for phase in sorted(set(phases[begun].tolist())):
            channels = [self._channels[place] for place in begun if phases[place] == phase]
            yield {"state": "begun", "channels": [*channels], "phase": phase}

    def _end(self, place: int, integers: Int64Array, numbers: BoolArray) -> Mapping[str, JsonValue]:
        """Return the end of a check, with what it gave where that is known."""
        known, phase = self._known[place], int(self._phases[place])
        ended: dict[str, JsonValue] = {
            "state": "ended",
            "channels": [self._channels[place]],
            "phase": phase,
        }

        def value_of(index: int) -> Decimal | None:
            return self._steps[index] * int(integers[index]) if numbers[index] else None

        reading_index, reference_index, reference = _facts(known, phase)
        own = self._steps[known.index] * int(self._last[place]) if self._has_last[place] else None
        reading = own if reading_index is None else value_of(reading_index)
        if reference_index is not None:
            reference = value_of(reference_index)
        if reading is not None and reference is not None and known.span is not None:
            drift = (Fraction(reading) - Fraction(reference)) * 100 / Fraction(known.span)
            ended |= {
                "reference": f"{reference:f}",
                "reading": f"{reading:f}",
                "drift_pct_span": f"{_rounded(drift):f}",
            }
        return ended


def _is_check(phases: UInt32Array) -> BoolArray:
    is_check: BoolArray = (phases >= FIRST_CHECK) & (phases <= LAST_CHECK)
    return is_check


def _facts(known: Calibration, phase: int) -> tuple[int | None, int | None, Decimal | None]:
    """Return whose value the check of a phase gave, whose it should give, or what it should."""
    match Phase(phase):
        case Phase.ZERO_CHECK:
            return known.zero_reading_index, known.zero_reference_index, known.zero_reference
        case Phase.SPAN_CHECK:
            return known.span_reading_index, known.span_reference_index, known.span_reference
        case _:
            return None, None, None


def _rounded(number: Fraction) -> Decimal:
    """Return a number with as many digits behind the point as drift is told; half goes to even."""
    return Decimal(round(number * 10**DRIFT_DIGITS)).scaleb(-DRIFT_DIGITS)
