"""What an OPC UA server says of a variable, as raw word, status word and quality bits.

Pure, and without the library: the driver takes its objects apart. The status word is the StatusCode
as received; its meaning follows OPC 10000-4 section 7.39 and OPC 10000-8 section 6.3.
"""

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from edge_agent.wire.vocabulary import (
    NO_VALUE,
    BoolArray,
    Int64Array,
    Phase,
    QualityClass,
    Reason,
    UInt32Array,
)

# OPC 10000-4 section 7.39.1: severity in bits 30 and 31; the code in the upper half, what follows
# it are information bits.
SEVERITY: Final = 0xC000_0000
UNCERTAIN: Final = 0x4000_0000
CODE: Final = 0xFFFF_0000
FAILURE: Final = int(QualityClass.FAILURE)
DOUBTED: Final = int(QualityClass.OUT_OF_SPECIFICATION)
BAD_NODE_ID_UNKNOWN: Final = 0x8034_0000
# OPC 10000-4 section 7.39.1: InfoType DataValue (bits 10 and 11 are 01), and its Overflow bit.
INFO_TYPE: Final = 0x0C00
INFO_DATA_VALUE: Final = 0x0400
OVERFLOW: Final = 0x0080
# The server gave something that cannot be this variable.
IMPOSSIBLE: Final = int(QualityClass.FAILURE | NO_VALUE | Reason.COMMUNICATION)

# StatusCodes by their names in OPC 10000-6 annex A.2; a test holds them against the library.
CODES: Final[Mapping[int, tuple[str, int]]] = MappingProxyType(
    {
        0x0096_0000: ("GoodLocalOverride", DOUBTED | Reason.SUBSTITUTED),
        0x408F_0000: ("UncertainNoCommunicationLastUsableValue", DOUBTED | Reason.LATE),
        0x4090_0000: ("UncertainLastUsableValue", DOUBTED | Reason.LATE),
        0x4091_0000: ("UncertainSubstituteValue", DOUBTED | Reason.SUBSTITUTED),
        0x4093_0000: ("UncertainSensorNotAccurate", DOUBTED),
        0x4094_0000: ("UncertainEngineeringUnitsExceeded", DOUBTED | Reason.SATURATED),
        0x8005_0000: ("BadCommunicationError", FAILURE | Reason.COMMUNICATION),
        0x801F_0000: ("BadUserAccessDenied", FAILURE | Reason.REFUSED),
        0x8031_0000: ("BadNoCommunication", FAILURE | Reason.COMMUNICATION),
        0x8032_0000: ("BadWaitingForInitialData", FAILURE | NO_VALUE),
        BAD_NODE_ID_UNKNOWN: ("BadNodeIdUnknown", FAILURE | Reason.REFUSED),
        0x808A_0000: ("BadNotConnected", FAILURE | Reason.COMMUNICATION),
        0x808B_0000: ("BadDeviceFailure", FAILURE | Reason.DEVICE_FAULT),
        0x808C_0000: ("BadSensorFailure", FAILURE | Reason.DEVICE_FAULT),
        0x808D_0000: (
            "BadOutOfService",
            int(QualityClass.FUNCTION_CHECK) | Phase.STANDBY << 4,
        ),
    }
)
# OPC 10000-6 table 1: the built-in types that a raw type may come as.
WHOLE: Final = frozenset({"SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64"})
BUILT_IN: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "bool": frozenset({"Boolean"}),
        "int64": WHOLE,
        "uint64": frozenset({"UInt64"}),
        "float32": frozenset({"Float"}),
        "float64": frozenset({"Double"}),
    }
)

FLOAT32, FLOAT64 = struct.Struct("<f"), struct.Struct("<d")
UINT32, INT64 = struct.Struct("<I"), struct.Struct("<q")


class Word(NamedTuple):
    """One variable as it goes into a scan."""

    raw: int
    status: int
    transport: int


class Words(NamedTuple):
    """Several variables as they go into a scan; each array of shape (n,)."""

    raw: Int64Array
    status: UInt32Array
    transport: UInt32Array


def words_of(words: Sequence[Word]) -> Words:
    """Return words as arrays."""
    raw, status, transport = zip(*words, strict=True) if words else ((), (), ())
    return Words(
        np.array(raw, np.int64), np.array(status, np.uint32), np.array(transport, np.uint32)
    )


def word_of(raw_type: str, built_in: str | None, value: float | None, status: int) -> Word:
    """Return a variable as raw, status and quality bits.

    Args:
        raw_type: what the profile says.
        built_in: name of the type in which the value came; None where there is none.
        value: a bool, an int or a float; None where there is none.
        status: the StatusCode.

    """
    quality = quality_of(status)
    if value is None or built_in is None:
        return Word(0, status, quality | (NO_VALUE if quality else IMPOSSIBLE))
    if built_in not in BUILT_IN[raw_type]:
        return Word(0, status, quality | IMPOSSIBLE)
    return Word(raw_of(raw_type, value), status, quality)


def quality_of(status: int) -> int:
    """Return the quality bits that a StatusCode stands for; 0: nothing is against the value."""
    named = CODES.get(status & CODE)
    if named is not None:
        return int(named[1])
    severity = status & SEVERITY
    if not severity:
        return 0
    return DOUBTED if severity == UNCERTAIN else FAILURE


def is_overflow(status: UInt32Array) -> BoolArray:
    """Return where a StatusCode says that the server's queue dropped values; same shape."""
    told: BoolArray = (status & (INFO_TYPE | OVERFLOW)) == (INFO_DATA_VALUE | OVERFLOW)
    return told


def raw_of(raw_type: str, value: float) -> int:
    """Return the bits of a value as an int64 (docs/wire-format.md section 6)."""
    if raw_type == "float32":
        return single(value)
    if raw_type == "float64":
        return double(value)
    if raw_type == "uint64":
        return int(struct.unpack("<q", struct.pack("<Q", int(value)))[0])
    return int(value)


def single(value: float) -> int:
    """Return the bits of a float32."""
    raw: int = UINT32.unpack(FLOAT32.pack(value))[0]
    return raw


def double(value: float) -> int:
    """Return the bits of a float64."""
    raw: int = INT64.unpack(FLOAT64.pack(value))[0]
    return raw
