"""Values in JSON messages: found by a path, and turned into raw words, status words and times.

Pure. Numbers are kept as the decimal text says them until their type is known; what is no value is
None, never a number that happens to be convenient.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final, TypeAlias

from edge_agent.config.protocols.mqtt import TimeFormat

JsonValue: TypeAlias = (
    bool | Decimal | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
)

MAX_PAYLOAD: Final = 262_144
"""Bytes of one message at most: a larger one is malformed."""

UNKNOWN_WORD: Final = 0xFFFF_FFFF
"""Stands in a status word for a text that the profile does not know."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS_BEHIND_S: Final = {
    TimeFormat.UNIX_S: 9,
    TimeFormat.UNIX_MS: 6,
    TimeFormat.UNIX_US: 3,
    TimeFormat.UNIX_NS: 0,
}
# Beyond these no number is a time or an integer of 64 bits: nothing large is computed with.
_MOST_DIGITS: Final = 40


class MalformedMessageError(ValueError):
    """The message is no JSON document that says one thing."""


def document(payload: bytes) -> JsonValue:
    """Return a message as JSON values, its numbers as decimals.

    Raises:
        MalformedMessageError: it is too large, no JSON, or names a member twice.

    """
    if len(payload) > MAX_PAYLOAD:
        raise MalformedMessageError(f"{len(payload)} bytes, at most {MAX_PAYLOAD} are read")
    try:
        found: JsonValue = json.loads(
            payload.decode("utf-8"),
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=Decimal,
            object_pairs_hook=_members,
        )
    except (ValueError, InvalidOperation, RecursionError) as error:
        raise MalformedMessageError(f"no JSON: {error}") from error
    return found


def _members(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def found_at(root: JsonValue, pointer: str) -> JsonValue:
    """Return what a JSON Pointer leads to; None where it leads nowhere.

    Source: RFC 6901, sections 3 and 4.
    """
    value = root
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str):
            is_index = key.isascii() and key.isdigit() and (key == "0" or key[0] != "0")
            value = value[int(key)] if is_index and int(key[:9]) < len(value) else None
        else:
            return None
    return value


def raw_word(value: JsonValue, raw_type: str) -> int | None:
    """Return the raw word of a value (docs/wire-format.md section 6); None if it is not one.

    Args:
        value: a number, true, false, or a text that holds a JSON number.
        raw_type: float64: the 64 bits of the nearest binary64; bool: 0 or 1; an integer type: the
            integer itself, unsigned ones of 64 bits as the same bits.

    """
    number = _number(value)
    if number is None:
        return None
    if raw_type == "float64":
        bits: int = struct.unpack(">q", struct.pack(">d", float(number)))[0]
        return bits
    whole = _whole(number)
    if whole is None:
        return None
    if raw_type == "bool":
        return whole if whole in (0, 1) else None
    size = int(raw_type.removeprefix("u").removeprefix("int"))
    low, high = (0, 1 << size) if raw_type.startswith("u") else (-1 << size - 1, 1 << size - 1)
    if not low <= whole < high:
        return None
    return whole - (1 << 64) if whole >= 1 << 63 else whole


def status_word(value: JsonValue, words: Mapping[str, int]) -> int | None:
    """Return the status word that a value stands for; None where there is none.

    Args:
        value: a text, a number of 32 bits, true or false.
        words: text -> its number; a text that is not in it is UNKNOWN_WORD.

    """
    if isinstance(value, str):
        return words.get(value, UNKNOWN_WORD)
    number = _number(value)
    whole = None if number is None else _whole(number)
    if number is not None and (whole is None or not 0 <= whole <= UNKNOWN_WORD):
        return UNKNOWN_WORD
    return whole


def utc_ns(value: JsonValue, written: TimeFormat) -> int | None:
    """Return a time in UTC nanoseconds; None if it is none, or does not say its offset."""
    if written is TimeFormat.RFC_3339:
        try:
            at = datetime.fromisoformat(value if isinstance(value, str) else "")
            return (at - _EPOCH) // timedelta(microseconds=1) * 1000
        except (ValueError, TypeError, OverflowError):
            return None
    number = _number(value)
    if number is None or isinstance(value, bool) or not _is_moderate(number):
        return None
    return int(number.scaleb(_DIGITS_BEHIND_S[written]))


def _number(value: JsonValue) -> Decimal | None:
    if isinstance(value, bool):
        return Decimal(int(value))
    if isinstance(value, str):
        try:
            parsed = json.loads(value, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
        except (ValueError, InvalidOperation, RecursionError):
            return None
        return parsed if isinstance(parsed, Decimal) else None
    return value if isinstance(value, Decimal) else None


def _whole(number: Decimal) -> int | None:
    """Return a number as an integer; None if it has a fraction or is far too large."""
    if not _is_moderate(number) or number != number.to_integral_value():
        return None
    return int(number)


def _is_moderate(number: Decimal) -> bool:
    """Return whether a number can be computed with at no cost."""
    return (
        number.is_finite()
        and abs(number.adjusted()) < _MOST_DIGITS
        and len(number.as_tuple().digits) <= 2 * _MOST_DIGITS
    )
