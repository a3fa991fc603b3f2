"""The channels of a running agent as lines of a small terminal; pure.

What is shown is what the agent answers (`health.status.ChannelStatus`), read as JSON: an agent of
an earlier version may leave a key out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason

NS_PER_S: Final = 1_000_000_000
NOTHING: Final = "-"
SILENT: Final = "silent"
MOST_CHANNELS: Final = 3

CLASSES: Final = {
    QualityClass.GOOD: "good",
    QualityClass.MAINTENANCE_REQUEST: "maint",
    QualityClass.OUT_OF_SPECIFICATION: "offspec",
    QualityClass.FUNCTION_CHECK: "check",
    QualityClass.FAILURE: "failure",
}
PHASES: Final = {
    Phase.MEASURING: "",
    Phase.ZERO_CHECK: "zero",
    Phase.SPAN_CHECK: "span",
    Phase.OTHER_CHECK_GAS: "gas",
    Phase.PURGE: "purge",
    Phase.WARM_UP: "warm-up",
    Phase.MAINTENANCE: "service",
    Phase.STANDBY: "standby",
    Phase.UNKNOWN: "unknown",
}
# Said of every reading, or by the class already: no news in a list of reasons.
_EVERYDAY: Final = Reason.JUDGED | Reason.SIMULATED
# What an event says in one line, as far as it has these fields (docs/wire-format.md section 10).
TOLD: Final = ("state", "reason", "missed", "text", "phase", "drift_pct_span", "channels")
# Registers of 16 bits that raw types take (docs/wire-format.md section 6).
_REGISTERS: Final = {"32": 2, "64": 4}


class Mood(StrEnum):
    """How a line is drawn."""

    WELL = "well"
    ODD = "odd"
    BAD = "bad"
    UNKNOWN = "unknown"


MOODS: Final = {
    QualityClass.GOOD: Mood.WELL,
    QualityClass.MAINTENANCE_REQUEST: Mood.WELL,
    QualityClass.OUT_OF_SPECIFICATION: Mood.ODD,
    QualityClass.FUNCTION_CHECK: Mood.ODD,
    QualityClass.FAILURE: Mood.BAD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: its heading, and how wide it is."""

    heading: str
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One channel: a cell for each column, and how it is drawn."""

    channel: int
    cells: tuple[str, ...]
    mood: Mood


# Both add up to 78 characters with a blank after each column: a scroll bar takes two.
VALUES: Final = (
    Column(heading="no.", width=5),
    Column(heading="channel", width=20),
    Column(heading="value", width=11),
    Column(heading="unit", width=7),
    Column(heading="quality", width=15),
    Column(heading="age", width=4),
    Column(heading="raw", width=9),
)
REGISTERS: Final = (
    Column(heading="no.", width=5),
    Column(heading="channel", width=16),
    Column(heading="raw words", width=19),
    Column(heading="type", width=12),
    Column(heading="status", width=8),
    Column(heading="reasons", width=12),
)


def lines(channels: Sequence[JsonValue], *, now_ns: int, registers: bool) -> Iterator[Line]:
    """Yield a line for each channel.

    Args:
        channels: as /v1/channels lists them.
        now_ns: the agent's present, UTC ns.
        registers: whether raw words, types and reasons are shown instead of values.

    """
    columns = REGISTERS if registers else VALUES
    for channel in channels:
        if not isinstance(channel, Mapping):
            continue
        number, quality = _integer(channel, "channel"), _integer(channel, "quality")
        cells = _registers(channel) if registers else _values(channel, now_ns)
        fitted = tuple(
            fitted_to(cell, column.width) for cell, column in zip(cells, columns, strict=True)
        )
        mood = Mood.UNKNOWN if quality is None else MOODS[_class(quality)]
        if channel.get("is_stale"):
            mood = Mood.BAD
        yield Line(channel=number or 0, cells=fitted, mood=mood)


def _values(channel: Mapping[str, JsonValue], now_ns: int) -> tuple[str, ...]:
    at_ns = _integer(channel, "at_ns")
    return (
        _text(channel, "channel"),
        _text(channel, "name"),
        _text(channel, "value"),
        _text(channel, "unit_of_measure"),
        SILENT if channel.get("is_stale") else verdict(_integer(channel, "quality")),
        NOTHING if at_ns is None else age(now_ns - at_ns),
        words(_integer(channel, "raw"), _text(channel, "raw_type")),
    )


def _registers(channel: Mapping[str, JsonValue]) -> tuple[str, ...]:
    status = _integer(channel, "status")
    raw_type = _text(channel, "raw_type")
    return (
        _text(channel, "channel"),
        _text(channel, "name"),
        words(_integer(channel, "raw"), raw_type),
        f"{raw_type} {_text(channel, 'word_order')}".strip(),
        NOTHING if status is None else f"{status:08X}",
        SILENT if channel.get("is_stale") else reasons(_integer(channel, "quality")),
    )


def verdict(quality: int | None) -> str:
    """Return class and phase of a quality word in short."""
    if quality is None:
        return NOTHING
    phase = PHASES[_phase(quality)]
    word = CLASSES[_class(quality)]
    return f"{word}/{phase}" if phase else word


def reasons(quality: int | None) -> str:
    """Return the reasons of a quality word, those that every reading has left out."""
    if quality is None:
        return NOTHING
    told = [
        (one.name or "").replace("_", " ").lower()
        for one in Reason
        if one in Reason(quality & ~0xFF) & ~_EVERYDAY
    ]
    if quality & NO_VALUE:
        told.insert(0, "no value")
    return ", ".join(told)


def words(raw: int | None, raw_type: str) -> str:
    """Return a raw word as the registers that it came in, or as its 64 bits."""
    if raw is None:
        return NOTHING
    count = _REGISTERS.get(raw_type[-2:], 1)
    digits = f"{raw & ((1 << 16 * count) - 1):0{4 * count}X}"
    return " ".join(digits[place : place + 4] for place in range(0, len(digits), 4))


def age(age_ns: int) -> str:
    """Return how long ago something was, in one unit."""
    seconds = max(0, age_ns) // NS_PER_S
    for limit, step, unit in ((120, 1, "s"), (7200, 60, "m"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // step}{unit}"
    return f"{seconds // 86_400}d"


def fitted_to(text: str, width: int) -> str:
    """Return a text cut to a width; what was cut is shown by an ellipsis."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def event_line(event: JsonValue) -> str:
    """Return an event as one line: when, what, and what it says."""
    if not isinstance(event, Mapping):
        return NOTHING
    at = time_of_day(int(_text(event, "at_ns")))
    told = [_in_short(event[name]) for name in TOLD if event.get(name) is not None]
    return f"{at} {_text(event, 'type')}: {', '.join(told)}"


def _in_short(value: JsonValue) -> str:
    """Return a field of an event; a long list of channels as their count."""
    if not isinstance(value, list):
        return str(value)
    if len(value) > MOST_CHANNELS:
        return f"{len(value)} channels"
    return f"channel {' '.join(map(str, value))}"


def time_of_day(utc_ns: int) -> str:
    """Return hours, minutes and seconds of a moment, UTC."""
    seconds = utc_ns // NS_PER_S % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _class(quality: int) -> QualityClass:
    return QualityClass(min(quality & 0x7, QualityClass.FAILURE))


def _phase(quality: int) -> Phase:
    number = quality >> 4 & 0xF
    return Phase(number) if number in set(Phase) else Phase.UNKNOWN


def _integer(record: Mapping[str, JsonValue], name: str) -> int | None:
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(record: Mapping[str, JsonValue], name: str) -> str:
    value = record.get(name)
    return NOTHING if value is None else str(value)
