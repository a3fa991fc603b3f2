"""The encoding of Protocol Buffers, as far as messages need it that are read field by field. Pure.

Source: Protocol Buffers, Encoding (protobuf.dev/programming-guides/encoding).
"""

from collections.abc import Iterator
from typing import Final

VARINT: Final = 0
FIXED_64: Final = 1
BYTES: Final = 2
FIXED_32: Final = 5

MASK_64: Final = (1 << 64) - 1


class MalformedPayloadError(ValueError):
    """The bytes do not follow the encoding."""


def fields(octets: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield field number, wire type, and the integer or the bytes of each field."""
    place = 0
    while place < len(octets):
        key, place = _varint(octets, place)
        number, kind = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise MalformedPayloadError(f"field number {number}")
        if kind == VARINT:
            value, place = _varint(octets, place)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, place = _varint(octets, place)
        elif kind in (FIXED_64, FIXED_32):
            size = 8 if kind == FIXED_64 else 4
        else:
            raise MalformedPayloadError(f"wire type {kind}")
        part = octets[place : place + size]
        if len(part) < size:
            raise MalformedPayloadError("the message ends inside a field")
        place += size
        yield number, kind, part if kind == BYTES else int.from_bytes(part, "little")


def _varint(octets: bytes, place: int) -> tuple[int, int]:
    """Return an integer of at most 64 bits and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(octets):
            raise MalformedPayloadError("the message ends inside a number")
        octet = octets[place]
        place += 1
        value |= (octet & 0x7F) << shift
        if octet < 0x80:
            return value & (1 << 64) - 1, place
    raise MalformedPayloadError("a number of more than ten bytes")


def varint_field(number: int, value: int) -> bytes:
    """Return a field that holds an unsigned integer."""
    return number_bytes(number << 3 | VARINT) + number_bytes(value)


def bytes_field(number: int, octets: bytes) -> bytes:
    """Return a field that holds bytes, a text or a message."""
    return number_bytes(number << 3 | BYTES) + number_bytes(len(octets)) + octets


def number_bytes(value: int) -> bytes:
    """Return an unsigned integer in groups of seven bits, least significant first."""
    octets = bytearray()
    while value > 0x7F:
        octets.append(value & 0x7F | 0x80)
        value >>= 7
    octets.append(value)
    return bytes(octets)


def integer(kind: int, found: int | bytes) -> int:
    """Return a field as an integer; MalformedPayloadError if it is none."""
    if kind != VARINT or isinstance(found, bytes):
        raise MalformedPayloadError(f"wire type {kind} where a number is due")
    return found


def octets_of(kind: int, found: int | bytes) -> bytes:
    """Return a field as bytes; MalformedPayloadError if it is none."""
    if not isinstance(found, bytes):
        raise MalformedPayloadError(f"wire type {kind} where bytes are due")
    return found


def text_of(octets: bytes) -> str:
    """Return bytes as a text; MalformedPayloadError if they are not UTF-8."""
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedPayloadError("a text that is not UTF-8") from error
