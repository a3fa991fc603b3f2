"""A DNP3 outstation of ours: its points, its events, and what it answers. No I/O.

Written from IEEE 1815-2012 and not from the driver, so that each finds the other's mistakes. It
keeps an event until its confirmation has come, as dnp3py's outstation does not.
"""

import struct
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from edge_agent.config.protocols.dnp3 import ObjectKind

# Section 4.2.2.3: first, final, confirmation wanted, unsolicited; then the number.
FIR, FIN, CON, UNS = 0x80, 0x40, 0x20, 0x10
CONFIRM, READ, WRITE, ENABLE, DISABLE, DELAY, RECORD, RESPONSE, REPORT = (
    *(0, 1, 2, 20, 21, 23, 24),
    *(129, 130),
)
# Section 4.5, first octet lowest.
CLASS_1, NEED_TIME, UNSUPPORTED, UNKNOWN, OVERFLOW = 0x0002, 0x0010, 0x0100, 0x0200, 0x0800
CLASS_0_HEADER: Final = b"\x3c\x01\x06"
EVENT_HEADERS: Final = (b"\x3c\x02\x06", b"\x3c\x03\x06", b"\x3c\x04\x06")
ONLINE: Final = 0x01
FRAGMENT_SIZE: Final = 2000
CONFIRM_NS: Final = 2_000_000_000
"""How long a report waits for its confirmation before it is sent again."""

# Annex A: group and variation of present values, of events with a time, and of events without.
VARIATIONS: Final[Mapping[tuple[ObjectKind, str], Sequence[tuple[int, int]]]] = MappingProxyType(
    {
        (ObjectKind.BINARY_INPUT, "bool"): ((1, 2), (2, 2), (2, 1)),
        (ObjectKind.BINARY_OUTPUT, "bool"): ((10, 2), (11, 2), (11, 1)),
        (ObjectKind.DOUBLE_BIT_INPUT, "int64"): ((3, 2), (4, 2), (4, 1)),
        (ObjectKind.COUNTER, "int64"): ((20, 1), (22, 5), (22, 1)),
        (ObjectKind.FROZEN_COUNTER, "int64"): ((21, 1), (23, 5), (23, 1)),
        (ObjectKind.ANALOG_INPUT, "int64"): ((30, 1), (32, 3), (32, 1)),
        (ObjectKind.ANALOG_INPUT, "float32"): ((30, 5), (32, 7), (32, 5)),
        (ObjectKind.ANALOG_INPUT, "float64"): ((30, 6), (32, 8), (32, 6)),
        (ObjectKind.ANALOG_OUTPUT, "int64"): ((40, 1), (42, 3), (42, 1)),
        (ObjectKind.ANALOG_OUTPUT, "float32"): ((40, 3), (42, 7), (42, 5)),
        (ObjectKind.ANALOG_OUTPUT, "float64"): ((40, 4), (42, 8), (42, 6)),
    }
)
FORMATS: Final = {"float32": "<f", "float64": "<d"}
COUNTERS: Final = frozenset({ObjectKind.COUNTER, ObjectKind.FROZEN_COUNTER})
# Bits 6 and 7 of the flag octet are the state (A.2.2.2.2, A.4.2.2.2).
STATE_BIT: Final = {
    ObjectKind.BINARY_INPUT: 7,
    ObjectKind.BINARY_OUTPUT: 7,
    ObjectKind.DOUBLE_BIT_INPUT: 6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What a point holds, or held when an event was made of it; at_ms None: no time."""

    kind: ObjectKind
    index: int
    raw_type: str
    value: float
    flags: int = ONLINE
    at_ms: int | None = None

    def octets(self) -> bytes:
        """Return the object without its index and time."""
        if self.kind in STATE_BIT:
            return bytes((self.flags | int(self.value) << STATE_BIT[self.kind],))
        form = FORMATS.get(self.raw_type, "<I" if self.kind in COUNTERS else "<i")
        value = self.value if self.raw_type in FORMATS else int(self.value)
        return bytes((self.flags,)) + struct.pack(form, value)


@dataclass(slots=True, kw_only=True)
class Series:
    """A response under way: the fragments that are still to be sent, with the events in each."""

    sequence: int
    parts: deque[tuple[bytes, list[State]]]
    is_begun: bool = False


@dataclass
class Outstation:
    """One outstation.

    Attributes:
        points: what it holds now.
        told: what the last event of a point, or its first state, was.
        events: what changed and was not confirmed, oldest first.
        reports: whether it sends events by itself.
        needs_time: whether it asks for its clock to be set.
        time_set: the times in ms that were written, each with the variation.
        most_events: of one fragment; more are lost beyond `room`.
        room: for events.
        has_lost: whether events were lost.

    """

    points: dict[tuple[ObjectKind, int], State] = field(default_factory=dict)
    told: dict[tuple[ObjectKind, int], State] = field(default_factory=dict)
    events: deque[State] = field(default_factory=deque)
    reports: bool = False
    needs_time: bool = False
    time_set: list[tuple[int, int]] = field(default_factory=list)
    most_events: int = 60
    room: int = 5000
    has_lost: bool = False
    _series: Series | None = None
    _sent: tuple[int, list[State]] | None = None
    _reported: tuple[int, list[State], int] | None = None
    _report_sequence: int = 0
    _deferred: bytes | None = None

    def hold(self, state: State, *, is_event: bool = False) -> None:
        """Hold a value, and make an event of it."""
        self.points[state.kind, state.index] = state
        if is_event:
            if len(self.events) >= self.room:
                self.events.popleft()
                self.has_lost = True
            self.events.append(state)

    def reset(self) -> None:
        """Forget what was being said: the connection is another one."""
        self._series = self._sent = self._reported = self._deferred = None

    def heard(self, request: bytes, now_ns: int) -> list[bytes]:
        """Return the fragments to send upon a request."""
        sequence, function, objects = request[0] & 0xF, request[1], request[2:]
        if function == CONFIRM:
            return self._confirmed(sequence, now_ns, is_report=bool(request[0] & UNS))
        if self._reported is not None and function == READ:
            self._deferred = request  # section 4.4.2: the confirmation comes first
            return []
        self._series = self._sent = None
        if function == READ:
            return self._read(sequence, objects)
        return [self._done(sequence, function, objects)]

    def report(self, now_ns: int) -> list[bytes]:
        """Return what is to be sent unasked: a report, also one that was not confirmed in time."""
        if self._reported is not None and now_ns >= self._reported[2]:
            self._reported = None
        if not self.reports or not self.events or self._reported is not None or self._sent:
            return []
        some = [state for _, state in zip(range(self.most_events), self.events, strict=False)]
        sequence = self._report_sequence
        self._report_sequence = (sequence + 1) % 16
        self._reported = (sequence, some, now_ns + CONFIRM_NS)
        body = event_objects(some)
        return [self._fragment(FIR | FIN | CON | UNS | sequence, REPORT, body)]

    def _read(self, sequence: int, objects: bytes) -> list[bytes]:
        headers = [objects[at : at + 3] for at in range(0, len(objects), 3)]
        parts: deque[tuple[bytes, list[State]]] = deque()
        if any(header in EVENT_HEADERS for header in headers):
            events = list(self.events)
            for at in range(0, len(events), self.most_events):
                some = events[at : at + self.most_events]
                parts.append((event_objects(some), some))
        if CLASS_0_HEADER in headers:
            parts.extend((body, []) for body in present_objects(self.points.values()))
        known = {CLASS_0_HEADER, *EVENT_HEADERS}
        if not known.issuperset(headers):
            return [self._fragment(FIR | FIN | sequence, RESPONSE, b"", extra=UNKNOWN)]
        if not parts:
            parts.append((b"", []))
        self._series = Series(sequence=sequence, parts=parts)
        return self._next()

    def _next(self) -> list[bytes]:
        series = self._series
        if series is None:
            return []
        body, events = series.parts.popleft()
        control = (0 if series.is_begun else FIR) | series.sequence
        control |= 0 if series.parts else FIN
        control |= CON if events or series.parts else 0
        self._sent = (series.sequence, events) if control & CON else None
        series.is_begun = True
        series.sequence = (series.sequence + 1) % 16
        if not series.parts:
            self._series = None
        return [self._fragment(control, RESPONSE, body)]

    def _confirmed(self, sequence: int, now_ns: int, *, is_report: bool) -> list[bytes]:
        if is_report:
            if self._reported is None or self._reported[0] != sequence:
                return []
            self._forget(self._reported[1])
            self._reported = None
            deferred, self._deferred = self._deferred, None
            return self.heard(deferred, now_ns) if deferred is not None else self.report(now_ns)
        if self._sent is None or self._sent[0] != sequence:
            return []
        self._forget(self._sent[1])
        self._sent = None
        return self._next()

    def _forget(self, events: Sequence[State]) -> None:
        gone = {id(event) for event in events}
        self.events = deque(event for event in self.events if id(event) not in gone)

    def _done(self, sequence: int, function: int, objects: bytes) -> bytes:
        """Return the answer to everything that is no READ."""
        control, body, extra = FIR | FIN | sequence, b"", 0
        match function:
            case _ if function in (ENABLE, DISABLE):
                self.reports = function == ENABLE
            case _ if function == DELAY:
                body = b"\x34\x02\x07\x01\x00\x00"
            case _ if function == WRITE and objects[:1] == b"\x32":
                self.needs_time = False
                self.time_set.append((objects[1], int.from_bytes(objects[4:10], "little")))
            case _ if function == RECORD:
                pass
            case _:
                extra = UNSUPPORTED
        return self._fragment(control, RESPONSE, body, extra=extra)

    def _fragment(self, control: int, function: int, body: bytes, *, extra: int = 0) -> bytes:
        said = extra | (CLASS_1 if self.events else 0) | (NEED_TIME if self.needs_time else 0)
        said |= OVERFLOW if self.has_lost else 0
        return bytes((control, function)) + said.to_bytes(2, "little") + body


def present_objects(points: Iterable[State]) -> list[bytes]:
    """Return the objects of present values, in as many bodies as fit a fragment each."""
    states = sorted(
        points, key=lambda state: (VARIATIONS[state.kind, state.raw_type][0], state.index)
    )
    bodies, body = [], b""
    for run in _runs(states):
        group, variation = VARIATIONS[run[0].kind, run[0].raw_type][0]
        first, last = run[0].index, run[-1].index
        head = bytes((group, variation, 0x01)) + struct.pack("<HH", first, last)
        objects = head + b"".join(state.octets() for state in run)
        if body and len(body) + len(objects) > FRAGMENT_SIZE:
            bodies.append(body)
            body = b""
        body += objects
    return [*bodies, body] if body else bodies


def _runs(states: Sequence[State]) -> list[list[State]]:
    """Return states that follow one another in one kind, at most 200 together."""
    runs: list[list[State]] = []
    for state in states:
        last = runs[-1] if runs else []
        follows = (
            last
            and len(last) < 200
            and last[-1].index + 1 == state.index
            and (last[-1].kind, last[-1].raw_type) == (state.kind, state.raw_type)
        )
        if follows:
            last.append(state)
        else:
            runs.append([state])
    return runs


def event_objects(events: Sequence[State]) -> bytes:
    """Return events in their order, each with its index, and its time if it has one."""
    body = b""
    for event in events:
        timed, untimed = VARIATIONS[event.kind, event.raw_type][1:3]
        group, variation = untimed if event.at_ms is None else timed
        time = b"" if event.at_ms is None else event.at_ms.to_bytes(6, "little")
        head = bytes((group, variation, 0x28)) + struct.pack("<HH", 1, event.index)
        body += head + event.octets() + time
    return body
