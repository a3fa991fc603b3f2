"""Scans as a person reads them: raw words, value, unit, quality. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np

from edge_agent.config.device import Device
from edge_agent.config.vocabulary import ClassWord, PhaseWord
from edge_agent.quality.judge import Judge
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason

WIDTHS: Final = {"16": 1, "32": 2, "64": 4}
# What the gateway adds to every reading, or to every one of this device.
OURS: Final = Reason.JUDGED | Reason.NO_FLAGS | Reason.SIMULATED


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The last reading of one channel.

    Attributes:
        channel: its number.
        name: what people call it.
        parameter: what is measured.
        unit_of_measure: of the value.
        raw: the raw word as registers of four hexadecimal digits; empty where there is none.
        status: the device's own status word.
        value: None where there is no number.
        quality: class, phase where it is not measuring, and reasons, in words.

    """

    channel: int
    name: str
    parameter: str
    unit_of_measure: str
    raw: str
    status: int
    value: Decimal | None
    quality: tuple[str, ...]

    @property
    def facts(self) -> dict[str, JsonValue]:
        """The same for a program; the value is a decimal as text."""
        return {
            "channel": self.channel,
            "name": self.name,
            "parameter": self.parameter,
            "unit_of_measure": self.unit_of_measure,
            "raw": self.raw,
            "status": self.status,
            "value": None if self.value is None else f"{self.value:f}",
            "quality": list(self.quality),
        }


def shown(device: Device, scans: Sequence[Scan]) -> tuple[Shown, ...]:
    """Return the last reading of every channel that has one, judged as the agent does."""
    judge = Judge(device, simulated=False)
    rows = {row.channel: row for row in device.channels}
    last: dict[int, Shown] = {}
    for scan in scans:
        readings = judge.judge(scan).readings
        columns = (readings.channel, readings.raw, readings.status, readings.quality)
        for channel, raw, status, quality in zip(*(c.tolist() for c in columns), strict=True):
            last[channel] = _shown(rows[channel], raw, status, quality)
    return tuple(last[channel] for channel in sorted(last))


def table(rows: Sequence[Shown]) -> str:
    """Return readings as lines for a terminal."""
    heads = ("channel", "name", "raw", "value", "unit", "quality")
    lines = [
        (
            str(row.channel),
            row.name,
            row.raw or "-",
            "-" if row.value is None else f"{row.value:f}",
            row.unit_of_measure or "-",
            ", ".join(row.quality) + (f" (status {row.status:04X})" if row.status else ""),
        )
        for row in rows
    ]
    return aligned([heads, *lines])


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return columns that stand below one another; nothing stands behind the last one."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _shown(row: ChannelRow, raw: int, status: int, quality: int) -> Shown:
    has_word = not quality & NO_VALUE or bool(raw)
    integers, is_number = Scaling([row]).integers(np.array([raw], np.int64))
    has_value = bool(is_number[0]) and not quality & (NO_VALUE | Reason.NOT_A_NUMBER)
    return Shown(
        channel=row.channel,
        name=row.name,
        parameter=row.parameter,
        unit_of_measure=row.unit_of_measure,
        raw=_registers(row.raw_type, raw) if has_word else "",
        status=status,
        value=Decimal(row.resolution) * int(integers[0]) if has_value else None,
        quality=_words(quality),
    )


def _registers(raw_type: str, raw: int) -> str:
    """Return a raw word as its registers were sent, the first one first."""
    if raw_type == "bool":
        return str(raw & 1)
    count = WIDTHS.get(raw_type[-2:], 1)
    digits = f"{raw & (1 << 16 * count) - 1:0{4 * count}X}"
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _words(quality: int) -> tuple[str, ...]:
    reasons = [one.name.lower() for one in Reason if quality & one & ~OURS and one.name]
    phase = PhaseWord[Phase(quality >> 4 & 15).name]
    phases = [] if phase is PhaseWord.MEASURING else [str(phase)]
    return (str(ClassWord[QualityClass(quality & 7).name]), *phases, *reasons)
