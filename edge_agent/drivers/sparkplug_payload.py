"""Sparkplug B payloads: the part of their Protocol Buffers that metrics need, both ways.

Pure. Only what a consumer of analyzers uses is read: data sets, templates, metadata and extensions
are passed over. What does not follow the encoding is refused whole, never read halfway.

Source: Sparkplug 3.0.0, section 6.4 (the schema with its field numbers, and the data types).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeAlias

from edge_agent.drivers.protobuf import (
    BYTES,
    FIXED_32,
    FIXED_64,
    MASK_64,
    VARINT,
    MalformedPayloadError,
    bytes_field,
    fields,
    integer,
    number_bytes,
    octets_of,
    text_of,
    varint_field,
)


class DataType(IntEnum):
    """The data types whose values can be read (Sparkplug 3.0.0, section 6.4.16)."""

    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATE_TIME = 13
    TEXT = 14


class Slot(IntEnum):
    """Where a value stands: the field numbers of Metric (Sparkplug 3.0.0, section 6.4.1)."""

    INT = 10
    LONG = 11
    FLOAT = 12
    DOUBLE = 13
    BOOLEAN = 14
    STRING = 15


# A value as it stands in the payload: an unsigned integer, the bits of a float, or a text.
Value: TypeAlias = int | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric; `slot` says which kind of value was sent, None where there is none.

    Attributes:
        properties: name -> value, of those that are whole numbers.
    """

    name: str | None = None
    alias: int | None = None
    timestamp_ms: int | None = None
    datatype: int | None = None
    is_historical: bool = False
    is_null: bool = False
    slot: Slot | None = None
    value: Value = 0
    properties: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """One message."""

    timestamp_ms: int | None = None
    metrics: tuple[Metric, ...] = ()
    seq: int | None = None


_MASK_32: Final = 0xFFFF_FFFF
# Fields of Payload, Metric, PropertySet and PropertyValue, by their numbers.
_PAYLOAD_TIMESTAMP, _PAYLOAD_METRIC, _PAYLOAD_SEQ = 1, 2, 3
_NAME, _ALIAS, _TIMESTAMP, _DATATYPE, _HISTORICAL, _NULL, _PROPERTIES = 1, 2, 3, 4, 5, 7, 9
_SET_KEY, _SET_VALUE = 1, 2
_PROPERTY_TYPE, _PROPERTY_INT, _PROPERTY_LONG = 1, 3, 4
_KINDS: Final = {
    Slot.INT: VARINT,
    Slot.LONG: VARINT,
    Slot.FLOAT: FIXED_32,
    Slot.DOUBLE: FIXED_64,
    Slot.BOOLEAN: VARINT,
    Slot.STRING: BYTES,
}
_WIDTHS: Final[Mapping[int, int]] = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
}
_SIGNED: Final[frozenset[int]] = frozenset(
    {DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64}
)


def decoded(octets: bytes) -> Payload:
    """Return what a message says.

    Raises:
        MalformedPayloadError: it does not follow the encoding.

    """
    timestamp_ms = seq = None
    metrics = []
    for number, kind, value in fields(octets):
        if number == _PAYLOAD_TIMESTAMP:
            timestamp_ms = integer(kind, value)
        elif number == _PAYLOAD_SEQ:
            seq = integer(kind, value)
        elif number == _PAYLOAD_METRIC:
            metrics.append(_metric(octets_of(kind, value)))
    return Payload(timestamp_ms=timestamp_ms, metrics=tuple(metrics), seq=seq)


def whole_number(metric: Metric, datatype: int) -> int | None:
    """Return the integer of a metric of an integer type or DateTime; None if it is not one.

    Signed numbers stand in unsigned slots as their two's complement, sign-extended or not.
    """
    value, slot = metric.value, metric.slot
    if slot not in (Slot.INT, Slot.LONG) or not isinstance(value, int):
        return None
    if datatype == DataType.DATE_TIME:
        return value
    width = _WIDTHS.get(datatype)
    if width is None:
        return None
    if datatype in _SIGNED:
        slot_width, half = 32 if slot is Slot.INT else 64, 1 << width - 1
        if half <= value < 1 << width:
            return value - (1 << width)
        if value >= (1 << slot_width) - half:
            return value - (1 << slot_width)
    return value if value < 1 << width else None


def encoded(payload: Payload) -> bytes:
    """Return the bytes of a message."""
    parts = []
    if payload.timestamp_ms is not None:
        parts.append(varint_field(_PAYLOAD_TIMESTAMP, payload.timestamp_ms))
    parts += [bytes_field(_PAYLOAD_METRIC, _metric_bytes(one)) for one in payload.metrics]
    if payload.seq is not None:
        parts.append(varint_field(_PAYLOAD_SEQ, payload.seq))
    return b"".join(parts)


def float_bits(value: float) -> int:
    """Return the 32 bits of the nearest binary32."""
    bits: int = struct.unpack("<I", struct.pack("<f", value))[0]
    return bits


def double_bits(value: float) -> int:
    """Return the 64 bits of a binary64."""
    bits: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return bits


def _metric(octets: bytes) -> Metric:
    numbers: dict[int, int] = {}
    name: str | None = None
    slot: Slot | None = None
    value: Value = 0
    properties: dict[str, int] = {}
    for number, kind, found in fields(octets):
        if number == _NAME:
            name = text_of(octets_of(kind, found))
        elif number in _METRIC_NUMBERS:
            numbers[number] = integer(kind, found)
        elif number == _PROPERTIES:
            properties |= _property_set(octets_of(kind, found))
        elif number in _KINDS:
            slot = Slot(number)
            value = _slot_value(slot, kind, found)
        elif number in _OTHER_VALUES:
            slot, value = None, 0  # of a oneof the last one counts, also one that is not read
    datatype = numbers.get(_DATATYPE)
    return Metric(
        name=name,
        alias=numbers.get(_ALIAS),
        timestamp_ms=numbers.get(_TIMESTAMP),
        datatype=None if datatype is None else datatype & _MASK_32,
        is_historical=bool(numbers.get(_HISTORICAL)),
        is_null=bool(numbers.get(_NULL)),
        slot=slot,
        value=value,
        properties=properties,
    )


_METRIC_NUMBERS: Final = {_ALIAS, _TIMESTAMP, _DATATYPE, _HISTORICAL, _NULL}
# bytes, data set, template and extension: members of the same oneof as the slots.
_OTHER_VALUES: Final = range(16, 20)


def _slot_value(slot: Slot, kind: int, found: int | bytes) -> Value:
    if kind != _KINDS[slot]:
        raise MalformedPayloadError(f"field {slot.value} has wire type {kind}")
    if isinstance(found, bytes):
        return text_of(found)
    if slot is Slot.INT:
        return found & _MASK_32
    return int(bool(found)) if slot is Slot.BOOLEAN else found


def _property_set(octets: bytes) -> dict[str, int]:
    """Return the properties that are whole numbers; keys and values stand in two lists."""
    keys, values = [], []
    for number, kind, found in fields(octets):
        if number == _SET_KEY:
            keys.append(text_of(octets_of(kind, found)))
        elif number == _SET_VALUE:
            values.append(_property(octets_of(kind, found)))
    if len(keys) != len(values):
        raise MalformedPayloadError(f"{len(keys)} property names, {len(values)} values")
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}


def _property(octets: bytes) -> int | None:
    """Return a property that is a whole number; a signed one as its two's complement says."""
    kind_of, slot, value = 0, None, 0
    for number, kind, found in fields(octets):
        if number == _PROPERTY_TYPE:
            kind_of = integer(kind, found) & _MASK_32
        elif number in (_PROPERTY_INT, _PROPERTY_LONG):
            slot = Slot.INT if number == _PROPERTY_INT else Slot.LONG
            value = integer(kind, found) & (_MASK_32 if slot is Slot.INT else MASK_64)
    return None if slot is None else whole_number(Metric(slot=slot, value=value), kind_of)


def _metric_bytes(metric: Metric) -> bytes:
    numbers = {
        _ALIAS: metric.alias,
        _TIMESTAMP: metric.timestamp_ms,
        _DATATYPE: metric.datatype,
        _HISTORICAL: metric.is_historical or None,
        _NULL: metric.is_null or None,
    }
    parts = [varint_field(number, found) for number, found in numbers.items() if found is not None]
    if metric.name is not None:
        parts.insert(0, bytes_field(_NAME, metric.name.encode()))
    if metric.properties:
        parts.append(bytes_field(_PROPERTIES, _property_set_bytes(metric.properties)))
    if metric.slot is not None:
        parts.append(_slot_bytes(metric.slot, metric.value))
    return b"".join(parts)


def _slot_bytes(slot: Slot, value: Value) -> bytes:
    if isinstance(value, str):
        return bytes_field(slot, value.encode())
    kind = _KINDS[slot]
    if kind == VARINT:
        return varint_field(slot, value)
    return number_bytes(slot << 3 | kind) + value.to_bytes(4 if kind == FIXED_32 else 8, "little")


def _property_set_bytes(properties: Mapping[str, int]) -> bytes:
    """Return properties, each an Int32 as its two's complement."""
    keys = [bytes_field(_SET_KEY, name.encode()) for name in properties]
    values = [
        bytes_field(
            _SET_VALUE,
            varint_field(_PROPERTY_TYPE, DataType.INT32)
            + varint_field(_PROPERTY_INT, value & _MASK_32),
        )
        for value in properties.values()
    ]
    return b"".join(keys + values)
