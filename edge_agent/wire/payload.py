"""The signed payload: readings and event lines behind their lengths, and nothing more.

It neither reads Arrow nor JSON: it finds the parts (docs/wire-format.md section 4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.wire.refusal import Code, RefusedError

MAX_LINES: Final = 1024
MAX_LINE: Final = 16_384
"""Events of one batch; bytes of one event without its 0x0A (docs/wire-format.md section 4)."""

_PREFIX: Final = 4
_NEWLINE: Final = b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a payload holds: one Arrow stream (empty = no rows), event lines without 0x0A."""

    readings: bytes
    event_lines: tuple[bytes, ...]


def join(readings: bytes, event_lines: Sequence[bytes]) -> bytes:
    """Return the payload of an Arrow stream and event lines.

    Raises:
        RefusedError: PARTS: neither rows nor events, or too many or too long events.

    """
    events = join_events(event_lines)
    if not readings and not event_lines:
        raise RefusedError(Code.PARTS, "a batch holds at least one row or one event")
    return b"".join((_length(readings), readings, _length(events), events))


def split(payload: bytes) -> Parts:
    """Return the parts of a payload.

    Raises:
        RefusedError: PARTS: the lengths do not add up, there is nothing in it, an event line has
            no end, or there are too many or too long ones.

    """
    readings, rest = _prefixed(payload, "readings_length")
    events, rest = _prefixed(rest, "events_length")
    if rest:
        raise RefusedError(Code.PARTS, f"{len(rest)} bytes after the events")
    if not readings and not events:
        raise RefusedError(Code.PARTS, "a batch holds at least one row or one event")
    return Parts(readings=readings, event_lines=split_events(events))


def join_events(lines: Sequence[bytes]) -> bytes:
    """Return event lines, each ended by one 0x0A.

    Raises:
        RefusedError: PARTS: too many or too long lines.

    """
    _require_limits(lines)
    return b"".join(line + _NEWLINE for line in lines)


def split_events(events: bytes) -> tuple[bytes, ...]:
    """Return the lines without their 0x0A; what stands in them is not looked at.

    Raises:
        RefusedError: PARTS: the last line has no end, or there are too many or too long lines.

    """
    if not events:
        return ()
    if events[-1:] != _NEWLINE:
        raise RefusedError(Code.PARTS, "the last event is not ended by 0x0A")
    # One line more than allowed is enough to refuse: a megabyte of newlines costs nothing.
    lines = events[:-1].split(_NEWLINE, MAX_LINES)
    _require_limits(lines)
    return tuple(lines)


def _require_limits(lines: Sequence[bytes]) -> None:
    if len(lines) > MAX_LINES:
        raise RefusedError(Code.PARTS, f"more than {MAX_LINES} events")
    longest = max(map(len, lines), default=0)
    if longest > MAX_LINE:
        raise RefusedError(Code.PARTS, f"an event of {longest} bytes, must be at most {MAX_LINE}")


def _length(part: bytes) -> bytes:
    return len(part).to_bytes(_PREFIX, "little")


def _prefixed(payload: bytes, name: str) -> tuple[bytes, bytes]:
    if len(payload) < _PREFIX:
        raise RefusedError(Code.PARTS, f"{name} is missing")
    end = _PREFIX + int.from_bytes(payload[:_PREFIX], "little")
    if end > len(payload):
        raise RefusedError(Code.PARTS, f"{name} is {end - _PREFIX}, {len(payload) - _PREFIX} left")
    return payload[_PREFIX:end], payload[end:]
