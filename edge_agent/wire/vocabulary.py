"""The words and numbers that every part of the wire shares: clock states, flags, quality bits.

Only names, and functions that take a quality word apart. Numbers never change their meaning,
because they are signed.
"""

from enum import IntEnum, IntFlag
from typing import Final, NewType, TypeAlias

import numpy as np
import numpy.typing as npt

BoolArray: TypeAlias = npt.NDArray[np.bool_]
Int64Array: TypeAlias = npt.NDArray[np.int64]
UInt32Array: TypeAlias = npt.NDArray[np.uint32]

Hash = NewType("Hash", bytes)
"""A SHA-256, 32 bytes."""

HASH_SIZE: Final = 32
NO_HASH: Final = Hash(bytes(HASH_SIZE))
"""Thirty-two zero bytes: the batch before a genesis, the software of a development build."""

UNKNOWN_ERROR_MS: Final = 0xFFFF_FFFF
"""The wall clock's error is not known (docs/wire-format.md section 2, wall_unc_ms)."""


class ClockState(IntEnum):
    """Where the wall clock comes from (docs/wire-format.md section 2, clock_state)."""

    UNSET = 0
    NTP = 1
    PTP = 2
    RTC = 3
    HOLDOVER = 4
    MANUAL = 5


class BatchFlag(IntFlag):
    """The signed flags of a batch (docs/wire-format.md section 2, flags)."""

    GENESIS = 1
    LOSS = 2
    CLOCK_UNTRUSTED = 4
    LAST_BEFORE_STOP = 8


class Verdict(IntEnum):
    """What the centre did with a batch (docs/wire-format.md section 13)."""

    ACCEPTED = 0
    QUARANTINED = 1
    BRANCH = 2
    HEADSTONE = 3


class QualityClass(IntEnum):
    """Bits 0-2 of a quality word, by severity (docs/wire-format.md section 7, NAMUR NE 107)."""

    GOOD = 0
    MAINTENANCE_REQUEST = 1
    OUT_OF_SPECIFICATION = 2
    FUNCTION_CHECK = 3
    FAILURE = 4


NO_VALUE: Final = 1 << 3
"""Bit 3 of a quality word: raw says nothing (docs/wire-format.md section 7)."""


class Phase(IntEnum):
    """Bits 4-7 of a quality word (docs/wire-format.md section 7)."""

    MEASURING = 0
    ZERO_CHECK = 1
    SPAN_CHECK = 2
    OTHER_CHECK_GAS = 3
    PURGE = 4
    WARM_UP = 5
    MAINTENANCE = 6
    STANDBY = 7
    UNKNOWN = 15


class Reason(IntFlag):
    """Bits 8-25 and 31 of a quality word (docs/wire-format.md section 7)."""

    BELOW_RANGE = 1 << 8
    ABOVE_RANGE = 1 << 9
    SPIKE = 1 << 10
    STUCK = 1 << 11
    AFTER_GAP = 1 << 12
    DEVICE_FAULT = 1 << 13
    LATE = 1 << 14
    DRIFT = 1 << 15
    SATURATED = 1 << 16
    DEVICE_TIME_NOT_BELIEVED = 1 << 17
    UNCONFIRMED = 1 << 18
    SIMULATED = 1 << 19
    COMMUNICATION = 1 << 20
    SUBSTITUTED = 1 << 21
    REFUSED = 1 << 22
    NO_FLAGS = 1 << 23
    NOT_A_NUMBER = 1 << 24
    SAMPLES_LOST = 1 << 25
    JUDGED = 1 << 31


_CLASS_MASK = np.uint32(0x7)
_PHASE_SHIFT = np.uint32(4)
_PHASE_MASK = np.uint32(0xF)


def quality_class(quality: UInt32Array) -> UInt32Array:
    """Return the class of each quality word as a QualityClass number; same shape.

    The unused classes 5-7 read as failure (docs/wire-format.md section 7).
    """
    classes: UInt32Array = np.minimum(quality & _CLASS_MASK, np.uint32(QualityClass.FAILURE))
    return classes


def phase(quality: UInt32Array) -> UInt32Array:
    """Return the phase of each quality word as a number, see Phase; same shape."""
    return (quality >> _PHASE_SHIFT) & _PHASE_MASK


def has_value(quality: UInt32Array) -> BoolArray:
    """Return where raw says something: quality bit 3 is not set; same shape."""
    has: BoolArray = (quality & np.uint32(NO_VALUE)) == 0
    return has
