"""Values of an outstation as rows of one device: which channel, how good, believed or not. Pure.

What the flags mean follows IEEE 1815-2012, section 11.6: of several the worst counts, and all of
them stay in the status word.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import IntFlag
from typing import Final, NamedTuple

import numpy as np

from edge_agent.config.device import Device, Point
from edge_agent.config.protocols.dnp3 import Dnp3Place, Dnp3Speech, ObjectKind, WithoutFlags
from edge_agent.drivers.dnp3_layouts import BOOL, FLOAT32, FLOAT64, WHOLE
from edge_agent.drivers.dnp3_objects import Values
from edge_agent.wire.vocabulary import NO_VALUE, Int64Array, QualityClass, Reason, UInt32Array

FAILURE: Final = int(QualityClass.FAILURE)
DOUBTED: Final = int(QualityClass.OUT_OF_SPECIFICATION)
# The outstation gave no such point: it is asked for something that it does not have.
MISSING: Final = FAILURE | NO_VALUE | int(Reason.REFUSED)
# What came is of another type than the profile says: it cannot be this point.
IMPOSSIBLE: Final = FAILURE | NO_VALUE | int(Reason.COMMUNICATION)

TYPES: Final = (BOOL, WHOLE, FLOAT32, FLOAT64)


class Flag(IntFlag):
    """Bits of the flag octet (tables 11-6 to 11-10); 5 to 7 depend on the kind of point."""

    ONLINE = 0x01
    RESTART = 0x02
    COMM_LOST = 0x04
    REMOTE_FORCED = 0x08
    LOCAL_FORCED = 0x10
    CHATTER_FILTER = 0x20
    OVER_RANGE = 0x20
    REFERENCE_ERR = 0x40
    DISCONTINUITY = 0x40


class Indication(IntFlag):
    """The internal indications that matter here (section 4.5), the first octet lowest."""

    CLASS_1_EVENTS = 0x0002
    CLASS_2_EVENTS = 0x0004
    CLASS_3_EVENTS = 0x0008
    NEED_TIME = 0x0010
    DEVICE_TROUBLE = 0x0040
    DEVICE_RESTART = 0x0080
    NO_FUNC_CODE_SUPPORT = 0x0100
    OBJECT_UNKNOWN = 0x0200
    PARAMETER_ERROR = 0x0400
    EVENT_BUFFER_OVERFLOW = 0x0800
    ALREADY_EXECUTING = 0x1000


REFUSED: Final = (
    Indication.NO_FUNC_CODE_SUPPORT | Indication.OBJECT_UNKNOWN | Indication.PARAMETER_ERROR
)
HAS_EVENTS: Final = (
    Indication.CLASS_1_EVENTS | Indication.CLASS_2_EVENTS | Indication.CLASS_3_EVENTS
)
# The device says that something is wrong with it, and not with what (section 4.5.7).
TROUBLE: Final = int(QualityClass.MAINTENANCE_REQUEST | Reason.DEVICE_FAULT)

# Flags of every kind of point.
COMMON: Final = (
    (Flag.RESTART, FAILURE | NO_VALUE),
    (Flag.COMM_LOST, FAILURE | int(Reason.COMMUNICATION)),
    (Flag.REMOTE_FORCED, DOUBTED | int(Reason.SUBSTITUTED)),
    (Flag.LOCAL_FORCED, DOUBTED | int(Reason.SUBSTITUTED)),
)
BINARY: Final = (*COMMON, (Flag.CHATTER_FILTER, DOUBTED))
COUNTERS: Final = (*COMMON, (Flag.DISCONTINUITY, DOUBTED))
# A value over range is a placeholder: nothing may be averaged with it.
ANALOG: Final = (
    *COMMON,
    (Flag.OVER_RANGE, FAILURE | int(Reason.SATURATED)),
    (Flag.REFERENCE_ERR, DOUBTED),
)
MEANINGS: Final[Mapping[ObjectKind, Sequence[tuple[Flag, int]]]] = {
    ObjectKind.BINARY_INPUT: BINARY,
    ObjectKind.BINARY_OUTPUT: BINARY,
    ObjectKind.DOUBLE_BIT_INPUT: BINARY,
    ObjectKind.COUNTER: COUNTERS,
    ObjectKind.FROZEN_COUNTER: COUNTERS,
    ObjectKind.ANALOG_INPUT: ANALOG,
    ObjectKind.ANALOG_OUTPUT: ANALOG,
}


def quality_of(kind: ObjectKind, flags: int) -> int:
    """Return the quality bits that a flag octet stands for; 0: nothing is against the value."""
    said = [meaning for flag, meaning in MEANINGS[kind] if flags & flag]
    if not flags & Flag.ONLINE:
        said.append(FAILURE if said else FAILURE | int(Reason.DEVICE_FAULT))
    quality = 0
    for meaning in said:
        quality = both(quality, meaning)
    return quality


def both(word: int, doubts: int) -> int:
    """Return two words of doubts as one: the worse class, all else of both."""
    return max(word & 7, doubts & 7) | (word | doubts) & ~7


_QUALITIES: Final[Mapping[ObjectKind, UInt32Array]] = {
    kind: np.array([quality_of(kind, flags) for flags in range(256)], np.uint32)
    for kind in ObjectKind
}


class Row(NamedTuple):
    """One event as it goes into a scan, and what it says of its time."""

    channel: int
    raw: int
    status: int
    transport: int
    at_ms: int | None
    is_time_doubted: bool


class Points:
    """The points of one device, found by kind and index."""

    def __init__(self, device: Device) -> None:
        self.channel = np.array([point.channel for point in device.points], np.uint32)
        self.channel.flags.writeable = False
        self._types = np.array([TYPES.index(point.raw_type) for point in device.points], np.int64)
        self._rows: dict[ObjectKind, Int64Array] = {}
        for row, point in enumerate(device.points):
            place = place_of(point)
            rows = self._rows.get(place.kind, np.zeros(0, np.int64))
            if place.index >= len(rows):
                longer = np.full(place.index + 1, -1, np.int64)
                longer[: len(rows)] = rows
                self._rows[place.kind] = rows = longer
            rows[place.index] = row
        is_doubted = speech_of(device).without_flags is not WithoutFlags.GOOD
        self._flagless = int(Reason.NO_FLAGS) | (DOUBTED if is_doubted else 0)

    def present(
        self, values: Sequence[Values], indications: int
    ) -> tuple[Int64Array, UInt32Array, UInt32Array]:
        """Return raw, status and transport of all points; events among the values are left out."""
        raw = np.zeros(len(self.channel), np.int64)
        status = np.zeros(len(self.channel), np.uint32)
        transport = np.full(len(self.channel), MISSING, np.uint32)
        for one in values:
            if not one.is_event:
                places, rows = self._found(one)
                transport[rows], raw[rows] = self._judged(one, places, rows)
                status[rows] = 0 if one.flags is None else one.flags[places]
        if indications & Indication.DEVICE_TROUBLE:
            doubted = [both(word, TROUBLE) for word in transport.tolist()]
            transport = np.array(doubted, np.uint32)
        return raw, status, transport

    def events(self, values: Values) -> Iterator[Row]:
        """Yield the events of points that the device has, in their order."""
        places, rows = self._found(values)
        transport, raw = self._judged(values, places, rows)
        status = np.zeros(len(rows), np.uint32) if values.flags is None else values.flags[places]
        times = [None] * len(rows) if values.at_ms is None else values.at_ms[places].tolist()
        columns = (self.channel[rows].tolist(), raw.tolist(), status.tolist(), transport.tolist())
        for channel, word, said, bits, at_ms in zip(*columns, times, strict=True):
            yield Row(channel, word, said, bits, at_ms, values.is_time_doubted)

    def _found(self, values: Values) -> tuple[Int64Array, Int64Array]:
        """Return which of the values are points of the device, and of which rows."""
        known = self._rows.get(values.kind)
        if known is None:
            none = np.zeros(0, np.int64)
            return none, none
        places = np.flatnonzero(values.index < len(known))
        rows = known[values.index[places]]
        has_row = rows >= 0
        return places[has_row], rows[has_row]

    def _judged(
        self, values: Values, places: Int64Array, rows: Int64Array
    ) -> tuple[UInt32Array, Int64Array]:
        """Return transport bits and raw words; a value of another type is none."""
        if values.flags is None:
            transport = np.full(len(rows), self._flagless, np.uint32)
        else:
            transport = _QUALITIES[values.kind][values.flags[places]]
        is_another = self._types[rows] != TYPES.index(values.raw_type)
        transport = np.where(is_another, np.uint32(IMPOSSIBLE), transport)
        return transport, np.where(is_another, np.int64(0), values.raw[places])


def place_of(point: Point) -> Dnp3Place:
    """Return which point of an outstation a channel is; TypeError if it is none."""
    if not isinstance(point.place, Dnp3Place):
        raise TypeError(f"channel {point.channel} is no point of an outstation")
    return point.place


def speech_of(device: Device) -> Dnp3Speech:
    """Return how an outstation is spoken to; TypeError if the device is none."""
    if not isinstance(device.speech, Dnp3Speech):
        raise TypeError(f"{device.name} does not speak DNP3")
    return device.speech
