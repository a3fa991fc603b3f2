"""The events of a payload: lines of canonical JSON, and what each known type must say.

Rules of docs/wire-format.md sections 4 and 10; canonical form is that of RFC 8785 for the values
that section 4 allows (no fractions, ASCII keys), which the standard library writes as is.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, TypeAlias

from ewcheck.faults import InvalidError
from ewcheck.header import HOLDS_LOSS, Header

if TYPE_CHECKING:
    from collections.abc import Sequence

Value: TypeAlias = "dict[str, Value] | list[Value] | str | int | bool | None"
Event: TypeAlias = dict[str, Value]

MAX_LINES = 1_024
MAX_LINE_BYTES = 16_384
KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
DECIMAL = re.compile(r"0|-?[1-9][0-9]*")
HASH = re.compile(r"[0-9a-f]{64}")
REASONS = {"enrol", "quarantine", "fork", "key_rotation", "reset", "volatile"}
GAP_STATES = {"open", "still", "closed"}
FIELDS = {
    "continue": {"reason", "previous"},
    "boot": {"boot_count", "clean", "software", "hardware"},
    "config_applied": {"config_hash"},
    "clock_step": {"old_ns", "new_ns", "source", "unc_ms"},
    "loss": {
        *("chain", "first_batch", "last_batch", "first_seq", "last_seq"),
        *("channels", "from_ns", "to_ns", "reason"),
    },
    "gap": {"state", "channels", "from_ns", "to_ns", "missed", "reason"},
    "calibration": {"channels", "phase"},
    "confirmation": {"who", "what"},
    "note": {"who", "text"},
    "hardware_changed": {"what", "old", "new"},
    "key_rotated": {"key", "proof"},
}


def lines_of(part: bytes) -> list[bytes]:
    """Return the lines of an events part, without the 0x0A that ends each."""
    if not part:
        return []
    if not part.endswith(b"\n"):
        raise InvalidError("events: the last line is not ended")
    lines = part[:-1].split(b"\n")
    if len(lines) > MAX_LINES:
        raise InvalidError(f"events: {len(lines)} lines")
    return lines


def decoded(line: bytes) -> Event:
    """Return the event a line holds; InvalidError if it is not in its canonical form."""
    if len(line) > MAX_LINE_BYTES:
        raise InvalidError(f"event: {len(line)} bytes")
    try:
        value = json.loads(line, parse_float=_refused, parse_constant=_refused)
        canonical = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        is_canonical = canonical.encode() == line
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"event: {error}") from error
    if not is_canonical:
        raise InvalidError(f"event: not in canonical form: {line[:80]!r}")
    if not isinstance(value, dict):
        raise InvalidError("event: not an object")
    _check_value(value)
    _check_fields(value)
    return value


def _refused(text: str) -> None:
    """Refuse what the format has no place for: fractions, exponents, NaN."""
    raise InvalidError(f"event: the number {text}")


def _check_value(value: Value) -> None:
    """Raise InvalidError for a key or an integer that section 4 does not allow."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not KEY.fullmatch(key):
                raise InvalidError(f"event: the key {key!r}")
            _check_value(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_value(inner)
    elif isinstance(value, int) and abs(value) >= 1 << 53:
        raise InvalidError(f"event: the integer {value}")


def _check_fields(event: Event) -> None:
    """Raise InvalidError unless the fields of the event's type are there, times as strings."""
    kind = event.get("type")
    if not isinstance(kind, str):
        raise InvalidError("event: no type")
    missing = ({"at_ns", "mono_ns"} | FIELDS.get(kind, set())) - event.keys()
    if missing:
        raise InvalidError(f"event: {kind} without {', '.join(sorted(missing))}")
    for name in ("at_ns", "mono_ns"):
        nanoseconds(event, name)
    if kind == "gap" and event["state"] not in GAP_STATES:
        raise InvalidError(f"event: a gap that is {event['state']!r}")
    if kind == "key_rotated" and not HASH.fullmatch(str(event["key"])):
        raise InvalidError(f"event: the next key is {event['key']!r}")
    if kind == "continue" and event["reason"] not in REASONS:
        raise InvalidError(f"event: continue because of {event['reason']!r}")


def nanoseconds(event: Event, name: str) -> int:
    """Return a time of an event, ns; it must be a string of decimal digits within i64."""
    text = event[name]
    if not isinstance(text, str) or not DECIMAL.fullmatch(text):
        raise InvalidError(f"event: {name} is {text!r}, not decimal digits")
    if not -(1 << 63) <= (value := int(text)) < 1 << 63:
        raise InvalidError(f"event: {name} is beyond i64")
    return value


def whole_number(event: Event, name: str) -> int:
    """Return a count of an event, written as an integer or, when wide, as decimal digits."""
    value = event[name]
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return nanoseconds(event, name)


def check_order(header: Header, events: Sequence[Event]) -> None:
    """Raise InvalidError unless the events agree with the header and stand where they must."""
    kinds = [event["type"] for event in events]
    begins = kinds[:1] == ["continue"]
    if begins != header.is_genesis or "continue" in kinds[1:]:
        raise InvalidError("events: continue is not exactly the first event of a genesis")
    if ("loss" in kinds) != bool(header.flags & HOLDS_LOSS):
        raise InvalidError("events: flag 2 does not say whether there is a loss")
    if "key_rotated" in kinds[:-1]:
        raise InvalidError("events: key_rotated is not the last event")
    for event in events:
        named = event.get("config_hash")
        if event["type"] == "config_applied" and named != header.config_hash.hex():
            raise InvalidError("events: config_applied names another configuration")
