"""What is known of one Sparkplug B edge node: born or dead, its aliases, its last values. Pure.

Births give names, aliases and data types; data changes values; a gap in the sequence numbers means
that something was missed, perhaps a birth: until the next one, a value that came under an alias
alone is doubted. Deaths leave the last values standing, none of them good.

Source: Sparkplug 3.0.0, sections 4 to 6; requirement ids in brackets where one is applied.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from edge_agent.drivers.sparkplug_payload import (
    DataType,
    Metric,
    Payload,
    Slot,
    whole_number,
)
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason

NameOf: TypeAlias = tuple[str, str]
"""Sparkplug device (empty: the edge node itself) and metric."""

SEQUENCE: Final = 256  # [payloads-sequence-num-incrementing]: 255 is followed by 0
BD_SEQ: Final = "bdSeq"
QUALITY: Final = "Quality"
# [payloads-b-quality-codes]: these three and no others.
QUALITIES: Final = {
    0: QualityClass.FAILURE | Reason.DEVICE_FAULT,
    192: 0,
    500: QualityClass.FAILURE | Reason.LATE,
}
# Something was sent that the specification does not allow, or a value of another type.
IMPOSSIBLE: Final = QualityClass.FAILURE | Reason.COMMUNICATION
STALE: Final = QualityClass.FAILURE | Reason.LATE
NOT_YET: Final = NO_VALUE | QualityClass.FAILURE | Reason.COMMUNICATION
NULL: Final = NO_VALUE | QualityClass.FAILURE | Reason.DEVICE_FAULT
UNSURE: Final = QualityClass.OUT_OF_SPECIFICATION | Reason.SAMPLES_LOST

RAW_TYPES: Final = {
    DataType.FLOAT: "float32",
    DataType.DOUBLE: "float64",
    DataType.BOOLEAN: "bool",
}


class Kind(StrEnum):
    """The messages that a node sends (Sparkplug 3.0.0, section 4.1)."""

    NODE_BIRTH = "NBIRTH"
    NODE_DEATH = "NDEATH"
    NODE_DATA = "NDATA"
    DEVICE_BIRTH = "DBIRTH"
    DEVICE_DEATH = "DDEATH"
    DEVICE_DATA = "DDATA"


BIRTHS: Final = (Kind.NODE_BIRTH, Kind.DEVICE_BIRTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The last value of a metric: its bits, or None with what is to be said against it."""

    datatype: int | None
    raw: int | None
    status: int
    doubts: int
    timestamp_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one message changed.

    Attributes:
        lost: messages that are missing before it; None: none, 0: nobody can say how many.
        died: whose values have just become stale; None: nobody's.
        past: values of earlier times, which are not the last ones: (time, name, value).
        is_lost_in: whether only a birth can tell what the message means.
    """

    lost: int | None = None
    died: frozenset[str] | None = None
    past: tuple[tuple[int | None, NameOf, Held], ...] = ()
    is_lost_in: bool = False


@dataclass(slots=True, kw_only=True)
class Node:
    """One edge node, as its messages tell.

    Attributes:
        is_alive: whether it is born, or sends data, and has not died since.
        values: the last value of each metric.
    """

    is_alive: bool = False
    values: dict[NameOf, Held] = field(default_factory=dict)
    _is_born: bool = False
    _is_sure: bool = True
    _bd_seq: int | None = None
    _seq: int | None = None
    _aliases: dict[int, NameOf] = field(default_factory=dict)
    _types: dict[NameOf, int] = field(default_factory=dict)
    _by_alias: set[NameOf] = field(default_factory=set)
    _dead: set[str] = field(default_factory=set)

    def heard(self, kind: Kind, device: str, payload: Payload) -> Change:
        """Take one message in and return what it changed."""
        if kind is Kind.NODE_DEATH:
            return self._node_died(payload)
        if kind is Kind.NODE_BIRTH:
            return self._node_born(payload)
        lost = self._missing(payload)
        self.is_alive = True
        if kind is Kind.DEVICE_DEATH:
            self._dead.add(device)
            return Change(lost=lost, died=frozenset({device}))
        if kind is Kind.DEVICE_BIRTH:
            self._dead.discard(device)
            self._forget(device)
        past, is_unknown = self._take(kind, device, payload)
        is_lost_in = is_unknown or lost is not None or not self._is_born
        return Change(lost=lost, past=past, is_lost_in=is_lost_in)

    def is_dead(self, device: str) -> bool:
        """Return whether a device is dead, or its node."""
        return not self.is_alive or device in self._dead

    def reading(self, name: NameOf, raw_type: str) -> tuple[int, int, int]:
        """Return raw word, status word and transport bits of a metric's last value."""
        held = self.values.get(name)
        if held is None:
            return 0, 0, int(NOT_YET)
        raw, status, doubts = reading_of(held, raw_type)
        if self.is_dead(name[0]):
            doubts = _joined(doubts, int(STALE))
        elif not self._is_sure and name in self._by_alias:
            doubts = _joined(doubts, int(UNSURE))
        return raw, status, doubts

    def _node_born(self, payload: Payload) -> Change:
        self.values.clear()
        self._aliases.clear()
        self._types.clear()
        self._by_alias.clear()
        self._dead.clear()
        self.is_alive = self._is_born = self._is_sure = True
        self._bd_seq = _bd_seq(payload)
        self._seq = payload.seq
        past, _ = self._take(Kind.NODE_BIRTH, "", payload)
        return Change(past=past)

    def _node_died(self, payload: Payload) -> Change:
        """Take a death; one of an earlier session is none [payloads-ndeath-bdseq]."""
        said = _bd_seq(payload)
        if self._is_born and self._bd_seq is not None and said != self._bd_seq:
            return Change()
        was_alive, self.is_alive = self.is_alive, False
        self._is_born, self._seq = False, None
        self._aliases.clear()  # those of the next session may be others
        return (
            Change(died=frozenset({device for device, _ in self.values})) if was_alive else Change()
        )

    def _missing(self, payload: Payload) -> int | None:
        """Return how many messages are missing before this one."""
        before, self._seq = self._seq, payload.seq
        if before is None or payload.seq == (before + 1) % SEQUENCE:
            return None
        self._is_sure = False
        if payload.seq is None or payload.seq == before or payload.seq >= SEQUENCE:
            return 0
        return (payload.seq - before - 1) % SEQUENCE

    def _forget(self, device: str) -> None:
        for known in [name for name in self._types if name[0] == device]:
            del self._types[known]
        self._aliases = {alias: name for alias, name in self._aliases.items() if name[0] != device}
        for known in [name for name in self.values if name[0] == device]:
            del self.values[known]

    def _take(
        self, kind: Kind, device: str, payload: Payload
    ) -> tuple[tuple[tuple[int | None, NameOf, Held], ...], bool]:
        """Take the metrics in; return those of earlier times, and whether some have no name."""
        past = []
        is_unknown = False
        for metric in payload.metrics:
            name = self._name(metric, device, is_birth=kind in BIRTHS)
            if name is None:
                is_unknown = True
                continue
            if metric.datatype is not None:
                self._types[name] = metric.datatype
            held = _held(metric, self._types.get(name))
            if metric.is_historical:
                past.append((metric.timestamp_ms, name, held))
                continue
            self.values[name] = held
            if metric.name is None:
                self._by_alias.add(name)
            else:
                self._by_alias.discard(name)
        return tuple(past), is_unknown

    def _name(self, metric: Metric, device: str, *, is_birth: bool) -> NameOf | None:
        if metric.name is not None:
            name = device, metric.name
            if is_birth and metric.alias is not None:
                self._aliases[metric.alias] = name
            return name
        found = None if metric.alias is None else self._aliases.get(metric.alias)
        # An alias of another device of this node is a contradiction, not a value.
        return found if found is not None and found[0] == device else None


def reading_of(held: Held, raw_type: str) -> tuple[int, int, int]:
    """Return raw word, status word and transport bits of a value, read as a type.

    A metric of another data type than the channel's is impossible, never converted.
    """
    if held.raw is None:
        return 0, held.status, held.doubts
    raw = held.raw
    datatype = held.datatype
    expected = RAW_TYPES.get(DataType(datatype)) if datatype in set(DataType) else None
    if expected is None:
        is_fitting = "int" in raw_type and _fits(raw, raw_type)
    else:
        is_fitting = raw_type == expected
    if not is_fitting:
        return 0, held.status, _joined(held.doubts, int(NO_VALUE | IMPOSSIBLE))
    return raw - (1 << 64) if raw >= 1 << 63 else raw, held.status, held.doubts


def _held(metric: Metric, datatype: int | None) -> Held:
    quality = metric.properties.get(QUALITY)
    doubts = int(Reason.NO_FLAGS) if quality is None else int(QUALITIES.get(quality, IMPOSSIBLE))
    raw = None
    if metric.is_null:
        doubts = _joined(doubts, int(NULL))
    else:
        raw = _bits(metric, datatype)
        if raw is None:
            doubts = _joined(doubts, int(NO_VALUE | IMPOSSIBLE))
    return Held(
        datatype=datatype,
        raw=raw,
        status=(quality or 0) & 0xFFFF_FFFF,
        doubts=doubts,
        timestamp_ms=metric.timestamp_ms,
    )


def _bits(metric: Metric, datatype: int | None) -> int | None:
    """Return the bits of a float, 0 or 1, or the integer itself; None if the value is not one."""
    value = metric.value
    if datatype is None or not isinstance(value, int):
        return None
    match datatype:
        case DataType.FLOAT:
            return value if metric.slot is Slot.FLOAT else None
        case DataType.DOUBLE:
            return value if metric.slot is Slot.DOUBLE else None
        case DataType.BOOLEAN:
            return value if metric.slot is Slot.BOOLEAN else None
        case _:
            return whole_number(metric, datatype)


def _fits(raw: int, raw_type: str) -> bool:
    size = int(raw_type.removeprefix("u").removeprefix("int"))
    if raw_type.startswith("u"):
        return 0 <= raw < 1 << size
    return -1 << size - 1 <= raw < 1 << size - 1


def _bd_seq(payload: Payload) -> int | None:
    for metric in payload.metrics:
        if metric.name == BD_SEQ and isinstance(metric.value, int):
            return metric.value
    return None


def _joined(word: int, doubts: int) -> int:
    """Return two words of doubts as one: the worse class, all else of both."""
    return max(word & 7, doubts & 7) | (word | doubts) & ~7
