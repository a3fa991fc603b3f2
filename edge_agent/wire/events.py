"""Events: signed sentences about what happened beside the readings, one line of JSON each.

Form is checked here, never truth: an unknown type passes, a known one must have its fields
(docs/wire-format.md section 10).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_agent.wire.canonical import JsonValue, canonical, parse_canonical
from edge_agent.wire.event_fields import fields_fault, is_integer, is_nanoseconds
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import BatchFlag

CONTINUE: Final = "continue"
CONFIG_APPLIED: Final = "config_applied"
LOSS: Final = "loss"
KEY_ROTATED: Final = "key_rotated"
CLOCK_STEP: Final = "clock_step"
"""Types with rules of their own (docs/wire-format.md section 10)."""

_COMMON: Final = ("type", "at_ns", "mono_ns")

# Fields of 64 bits are written as digits, because a JSON integer ends at 2^53.
_WIDE: Final = frozenset(
    {
        *("batch_no", "first_batch", "last_batch", "first_seq", "last_seq"),
        *("from_ns", "to_ns", "old_ns", "new_ns"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event.

    Attributes:
        type: its kind (docs/wire-format.md section 10).
        at_ns: when, UTC ns.
        mono_ns: when, CLOCK_BOOTTIME ns.
        fields: everything else, as JSON; a field of 64 bits may be an int, and is signed as digits.

    """

    type: str
    at_ns: int
    mono_ns: int
    fields: Mapping[str, JsonValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.fields.keys().isdisjoint(_COMMON):
            raise ValueError(f"{self.type}: {', '.join(_COMMON)} are not fields")

    @property
    def line(self) -> bytes:
        """The canonical JSON that is signed, without 0x0A.

        Raises:
            RefusedError: EVENT: a field cannot be written as canonical JSON.

        """
        return canonical(
            {
                **_with_digits(self.fields),
                "type": self.type,
                "at_ns": str(self.at_ns),
                "mono_ns": str(self.mono_ns),
            }
        )

    def integer(self, name: str) -> int:
        """Return an integer field, whether it stands there as a number or as digits.

        Raises:
            RefusedError: EVENT: there is no such field, or it is no integer.

        """
        value = self.fields.get(name)
        if not is_integer(value):
            raise RefusedError(Code.EVENT, f"{self.type}: {name} is {value!r}, must be an integer")
        return int(value)


def parse_event(line: bytes) -> Event:
    """Return the event in a line.

    Raises:
        RefusedError: EVENT: not canonical, or a known type lacks one of its fields.

    """
    members = parse_canonical(line)
    kind, at, mono = (members.pop(name, None) for name in _COMMON)
    if not isinstance(kind, str):
        raise RefusedError(Code.EVENT, "type must be text")
    if not is_nanoseconds(at) or not is_nanoseconds(mono):
        raise RefusedError(Code.EVENT, f"{kind}: at_ns and mono_ns must be decimal digits")
    fault = fields_fault(kind, members)
    if fault is not None:
        raise RefusedError(Code.EVENT, f"{kind}: {fault}")
    return Event(type=kind, at_ns=int(at), mono_ns=int(mono), fields=members)


def check_events(lines: Sequence[bytes], *, flags: BatchFlag) -> tuple[Event, ...]:
    """Return the events of one batch.

    Raises:
        RefusedError: EVENT: a line is refused; `continue` is not exactly the first event of a
            genesis; something follows `key_rotated`; flag 2 does not say whether there is a loss.

    """
    events = tuple(parse_event(line) for line in lines)
    is_genesis = BatchFlag.GENESIS in flags
    if is_genesis != (bool(events) and events[0].type == CONTINUE):
        raise RefusedError(Code.EVENT, "continue must be the first event exactly of a genesis")
    if any(event.type == CONTINUE for event in events[1:]):
        raise RefusedError(Code.EVENT, "continue must stand first, and once")
    if any(event.type == KEY_ROTATED for event in events[:-1]):
        raise RefusedError(Code.EVENT, "key_rotated must be the last event of its chain")
    if (BatchFlag.LOSS in flags) != any(event.type == LOSS for event in events):
        raise RefusedError(Code.EVENT, "flag 2 must be set exactly when there is a loss event")
    return events


def _with_digits(members: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {name: _digits(name, value) for name, value in members.items()}


def _digits(name: str, value: JsonValue) -> JsonValue:
    if isinstance(value, Mapping):
        return _with_digits(value)
    if name in _WIDE and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value
