"""The fields that each known event type must have, and the form of each.

One table, read from docs/wire-format.md section 10; a form says how a value is written, never
whether it is true.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias, TypeGuard

from edge_agent.wire.vocabulary import Phase

Form: TypeAlias = Callable[[object], bool]

_DIGITS: Final = re.compile(r"0|-?[1-9][0-9]*")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_UUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")
_INT64_DIGITS: Final = 20
_INT64: Final = range(-(2**63), 2**63)


def is_nanoseconds(value: object) -> TypeGuard[str]:
    """Return whether a value is an i64 written as decimal digits."""
    return (
        isinstance(value, str)
        and len(value) <= _INT64_DIGITS
        and _DIGITS.fullmatch(value) is not None
        and int(value) in _INT64
    )


def is_integer(value: object) -> TypeGuard[int | str]:
    """Return whether a value is an integer, as a number or as decimal digits."""
    return is_nanoseconds(value) or (isinstance(value, int) and not isinstance(value, bool))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_count(value: object) -> bool:
    return is_integer(value) and int(value) >= 0


def _is_channels(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(channel, int) and not isinstance(channel, bool) and 0 < channel < 2**32
        for channel in value
    )


def _is_phase(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in set(Phase)


def _is_hardware(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(fact, str) for fact in value.values())


def _is_place(value: object) -> bool:
    """Return whether a value names the batch before a genesis, or says that there was none."""
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and _matches(_UUID)(value.get("chain"))
        and _is_count(value.get("batch_no"))
        and _matches(_HASH)(value.get("batch_hash"))
    )


def _is_anything(_value: object) -> bool:
    return True


def _is_end(value: object) -> bool:
    return value is None or is_nanoseconds(value)


def _matches(pattern: re.Pattern[str]) -> Form:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


is_hash: Final[Form] = _matches(_HASH)


def _one_of(*words: str) -> Form:
    return lambda value: isinstance(value, str) and value in words


FIELDS: Final[Mapping[str, Mapping[str, Form]]] = {
    "continue": {
        "reason": _one_of("enrol", "quarantine", "fork", "key_rotation", "reset", "volatile"),
        "previous": _is_place,
    },
    "boot": {
        "boot_count": _is_count,
        "clean": _is_bool,
        "software": _is_text,
        "hardware": _is_hardware,
    },
    "config_applied": {"config_hash": _matches(_HASH)},
    "clock_step": {
        "old_ns": is_nanoseconds,
        "new_ns": is_nanoseconds,
        "source": _is_text,
        "unc_ms": _is_count,
    },
    "loss": {
        "chain": _matches(_UUID),
        "first_batch": _is_count,
        "last_batch": _is_count,
        "first_seq": _is_count,
        "last_seq": _is_count,
        "channels": _is_channels,
        "from_ns": is_nanoseconds,
        "to_ns": is_nanoseconds,
        "reason": _is_text,
    },
    "gap": {
        "state": _one_of("open", "still", "closed"),
        "channels": _is_channels,
        "from_ns": is_nanoseconds,
        "to_ns": _is_end,
        "missed": _is_count,
        "reason": _is_text,
    },
    "calibration": {"channels": _is_channels, "phase": _is_phase},
    "confirmation": {"who": _is_text, "what": _is_text},
    "note": {"who": _is_text, "text": _is_text},
    "hardware_changed": {"what": _is_text, "old": _is_anything, "new": _is_anything},
    "key_rotated": {"key": _matches(_HASH), "proof": _matches(_HEX)},
}
"""Type -> field -> form. A type that is not here is kept unread."""

# What a calibration event must have at its end, where it has any of it.
_CALIBRATION_END: Final = ("reference", "reading", "drift_pct_span")


def fields_fault(kind: str, members: Mapping[str, object]) -> str | None:
    """Return why an event of this type may not have these fields, or None; more are allowed."""
    for name, has_form in FIELDS.get(kind, {}).items():
        if name not in members:
            return f"{name} is missing"
        if not has_form(members[name]):
            return f"{name} is {members[name]!r}"
    if kind == "gap" and (members["to_ns"] is None) != (members["state"] != "closed"):
        return f"to_ns is {members['to_ns']!r} while the gap is {members['state']}"
    if kind == "calibration" and not members.keys().isdisjoint(_CALIBRATION_END):
        for name in _CALIBRATION_END:
            if not _matches(_DECIMAL)(members.get(name)):
                return f"{name} is {members.get(name)!r}, must be a decimal number as text"
    return None
