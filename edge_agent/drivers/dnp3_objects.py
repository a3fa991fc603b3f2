"""Objects in the responses of a DNP3 outstation, as raw words, flags and times. Pure.

An object header bears no length (IEEE 1815-2012, section 4.2.2.7): behind an object whose length is
not known nothing can be read, and nothing is.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from edge_agent.config.protocols.dnp3 import ObjectKind
from edge_agent.drivers.dnp3_layouts import (
    ABSOLUTE,
    BOOL,
    COMMON_TIME,
    FLOAT32,
    FLOAT64,
    LAYOUTS,
    RELATIVE,
    STATE,
    STRINGS,
    SYNCHRONISED,
    WHOLE,
    Layout,
)
from edge_agent.wire.vocabulary import Int64Array, UInt32Array

OctetArray = npt.NDArray[np.uint8]

_RAW_TYPES: Final = {
    "i2": WHOLE,
    "i4": WHOLE,
    "u2": WHOLE,
    "u4": WHOLE,
    "f4": FLOAT32,
    "f8": FLOAT64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The objects of one header, in their order; arrays of one shape (n,).

    Attributes:
        kind: what they are of.
        is_event: whether they tell changes.
        raw_type: bool, int64, float32 or float64.
        index: of each point.
        raw: docs/wire-format.md section 6.
        flags: as received; None: they came without.
        at_ms: UTC, milliseconds; None: they came without a time.
        is_time_doubted: whether the outstation says that its clock was not set.

    """

    kind: ObjectKind
    is_event: bool
    raw_type: str
    index: Int64Array
    raw: Int64Array
    flags: UInt32Array | None
    at_ms: Int64Array | None = None
    is_time_doubted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonTime:
    """What later relative times count from."""

    at_ms: int
    is_synchronised: bool


class Range(NamedTuple):
    """What the qualifier of a header says about its objects.

    Attributes:
        object_count: how many there are.
        first: index of the first; they follow one another where they bear none.
        index_size: octets of the index before each; 0: none.
        start: where they begin.

    """

    object_count: int
    first: int
    index_size: int
    start: int


class UnreadableError(ValueError):
    """From here on the objects of a response cannot be read."""


def values_of(objects: bytes) -> tuple[list[Values], str]:
    """Return the values in the objects of a response, and why the rest cannot be read, if it can't.

    What stands before it is good: it was delimited by its own headers.
    """
    found: list[Values] = []
    common: CommonTime | None = None
    at = 0
    while at < len(objects):
        try:
            group, variation, span = _header(objects, at)
            layout = LAYOUTS.get((group, variation))
            if layout is None:
                layout = _string(group, variation)
            end = _end(layout, span, len(objects))
        except UnreadableError as fault:
            return found, f"{fault} (octet {at})"
        if group == COMMON_TIME and span.object_count:
            at_ms = int.from_bytes(objects[end - ABSOLUTE : end], "little")
            common = CommonTime(at_ms=at_ms, is_synchronised=variation == SYNCHRONISED)
        elif layout.kind is not None and span.object_count:
            values = _packed if layout.bits else _in_octets
            found.append(values(objects, layout, layout.kind, span, common))
        at = end
    return found, ""


def _header(objects: bytes, at: int) -> tuple[int, int, Range]:
    """Return group, variation and range of the header at an octet (section 4.2.2.7, table 4-6)."""
    if at + 3 > len(objects):
        raise UnreadableError("an object header is cut off")
    group, variation, qualifier = objects[at], objects[at + 1], objects[at + 2]
    prefix, code, start = qualifier >> 4, qualifier & 0xF, at + 3
    if code in (0, 1, 2) and prefix == 0:
        size = 1 << code
        first, last = _number(objects, start, size), _number(objects, start + size, size)
        if last < first:
            raise UnreadableError(f"group {group} counts from {first} to {last}")
        return group, variation, Range(last - first + 1, first, 0, start + 2 * size)
    if code in (7, 8, 9) and prefix <= 3:
        size = 1 << code - 7
        index_size = (0, 1, 2, 4)[prefix]
        return group, variation, Range(_number(objects, start, size), 0, index_size, start + size)
    raise UnreadableError(f"group {group} has qualifier {qualifier:#04x}")


def _number(objects: bytes, at: int, size: int) -> int:
    if at + size > len(objects):
        raise UnreadableError("an object header is cut off")
    return int.from_bytes(objects[at : at + size], "little")


def _string(group: int, variation: int) -> Layout:
    if group in STRINGS and variation:
        return Layout(None, variation)
    raise UnreadableError(f"group {group} variation {variation} is of unknown length")


def _end(layout: Layout, span: Range, limit: int) -> int:
    end = span.start + _size(layout, span)
    if end > limit:
        raise UnreadableError(f"{span.object_count} objects do not fit what came")
    return end


def _size(layout: Layout, span: Range) -> int:
    if not layout.bits:
        return span.object_count * (span.index_size + layout.width)
    if span.index_size:
        raise UnreadableError("packed objects cannot have an index each")  # A.2.1, A.4.1
    return (span.object_count * layout.bits + 7) // 8


def _packed(
    objects: bytes, layout: Layout, kind: ObjectKind, span: Range, _: CommonTime | None
) -> Values:
    """Return bits, or pairs of bits, the first of them lowest (A.2.1, A.4.1)."""
    octets = np.frombuffer(objects, np.uint8, _size(layout, span), span.start)
    bits = np.unpackbits(octets, bitorder="little").astype(np.int64)
    raw = bits[: span.object_count]
    if layout.bits == 2:
        raw = bits[0 : 2 * span.object_count : 2] | bits[1 : 2 * span.object_count : 2] << 1
    index = np.arange(span.first, span.first + span.object_count, dtype=np.int64)
    raw_type = WHOLE if layout.bits == 2 else BOOL
    return Values(kind=kind, is_event=False, raw_type=raw_type, index=index, raw=raw, flags=None)


def _in_octets(
    objects: bytes, layout: Layout, kind: ObjectKind, span: Range, common: CommonTime | None
) -> Values:
    """Return objects of a whole number of octets each."""
    size = span.index_size + layout.width
    table = np.frombuffer(objects, np.uint8, span.object_count * size, span.start)
    table = table.reshape(span.object_count, size)
    index = np.arange(span.first, span.first + span.object_count, dtype=np.int64)
    if span.index_size:
        index = _numbers(table[:, : span.index_size], f"u{span.index_size}")
    body = table[:, span.index_size :]
    flags = body[:, 0].astype(np.uint32) if layout.has_flags else None
    raw_type = _RAW_TYPES.get(layout.code, BOOL)
    if flags is not None and layout.code == STATE:
        is_double = kind is ObjectKind.DOUBLE_BIT_INPUT
        raw_type = WHOLE if is_double else BOOL
        raw = (flags >> np.uint32(6 if is_double else 7)).astype(np.int64)
    else:
        value = body[:, int(layout.has_flags) : layout.width - layout.time]
        # The bits of a binary32 are zero-extended, those of a binary64 taken as they are.
        raw = _numbers(value, {"f4": "u4", "f8": "i8"}.get(layout.code, layout.code))
    at_ms, is_doubted = _times(body[:, layout.width - layout.time :], layout.time, common)
    return Values(
        kind=kind,
        is_event=layout.is_event,
        raw_type=raw_type,
        index=index,
        raw=raw,
        flags=flags,
        at_ms=at_ms,
        is_time_doubted=is_doubted,
    )


def _times(
    octets: OctetArray, size: int, common: CommonTime | None
) -> tuple[Int64Array | None, bool]:
    if size == ABSOLUTE:
        low, high = _numbers(octets[:, :4], "u4"), _numbers(octets[:, 4:], "u2")
        return low | high << 32, False
    if size == RELATIVE and common is not None:
        return common.at_ms + _numbers(octets, "u2"), not common.is_synchronised
    return None, False


def _numbers(octets: OctetArray, code: str) -> Int64Array:
    """Return little-endian numbers, one for each row of octets."""
    return np.ascontiguousarray(octets).view(f"<{code}").ravel().astype(np.int64)
