"""The channels of an agent in a terminal of 80 characters."""

import pytest

from edge_agent.technician.showing import (
    REGISTERS,
    VALUES,
    Column,
    Mood,
    age,
    event_line,
    fitted_to,
    lines,
    reasons,
    verdict,
    words,
)
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason

S = 1_000_000_000
JUDGED = int(Reason.JUDGED | Reason.SIMULATED)
CHANNEL: dict[str, JsonValue] = {
    "channel": 7,
    "name": "NOx at the stack of unit one",
    "unit_of_measure": "ppm",
    "value": "118.25",
    "raw": 0x42EC8000,
    "raw_type": "float32",
    "word_order": "ABCD",
    "status": 0x100,
    "quality": JUDGED,
    "at_ns": 5 * S,
}
UNREAD: dict[str, JsonValue] = {
    **CHANNEL,
    "value": None,
    "raw": None,
    "status": None,
    "quality": None,
    "at_ns": None,
}


@pytest.mark.parametrize("columns", [VALUES, REGISTERS])
def test_every_column_and_a_scroll_bar_fit_into_80_characters(columns: tuple[Column, ...]) -> None:
    assert sum(column.width + 1 for column in columns) + 2 <= 80


def test_a_line_shows_value_unit_verdict_age_and_raw_words() -> None:
    (line,) = lines([CHANNEL], now_ns=8 * S, registers=False)
    assert line.cells == (
        *("7", "NOx at the stack of…", "118.25", "ppm", "good", "3s", "42EC 8000"),
    )
    assert (line.channel, line.mood) == (7, Mood.WELL)


def test_the_register_view_shows_words_type_status_and_reasons() -> None:
    quality = JUDGED | QualityClass.OUT_OF_SPECIFICATION | Reason.STUCK
    (line,) = lines([{**CHANNEL, "quality": int(quality)}], now_ns=8 * S, registers=True)
    assert line.cells[2:] == ("42EC 8000", "float32 ABCD", "00000100", "stuck")
    assert line.mood is Mood.ODD


@pytest.mark.parametrize("registers", [False, True])
def test_a_channel_without_a_reading_has_dashes_and_no_verdict(
    registers: bool,  # noqa: FBT001 - both views
) -> None:
    (line,) = lines([UNREAD], now_ns=8 * S, registers=registers)
    assert "-" in line.cells
    assert line.mood is Mood.UNKNOWN


def test_the_last_reading_of_a_silent_device_does_not_look_good() -> None:
    stale: dict[str, JsonValue] = {**CHANNEL, "is_stale": True}
    (values,) = lines([stale], now_ns=8 * S, registers=False)
    (registers,) = lines([stale], now_ns=8 * S, registers=True)
    assert values.cells[4] == registers.cells[5] == "silent"
    assert values.mood is registers.mood is Mood.BAD


@pytest.mark.parametrize(
    ("quality", "word"),
    [
        (QualityClass.GOOD, "good"),
        (QualityClass.FUNCTION_CHECK | Phase.ZERO_CHECK << 4, "check/zero"),
        (QualityClass.FAILURE | Phase.MAINTENANCE << 4, "failure/service"),
        (7, "failure"),
        (9 << 4, "good/unknown"),
        (None, "-"),
    ],
)
def test_a_verdict_is_class_and_phase(quality: int | None, word: str) -> None:
    assert verdict(quality) == word


def test_every_verdict_fits_its_column() -> None:
    width = next(column.width for column in VALUES if column.heading == "quality")
    told = [verdict(one | phase << 4) for one in QualityClass for phase in range(16)]
    assert max(map(len, told)) <= width


@pytest.mark.parametrize(
    ("quality", "told"),
    [
        (JUDGED, ""),
        (JUDGED | Reason.BELOW_RANGE | Reason.STUCK, "below range, stuck"),
        (JUDGED | NO_VALUE | Reason.REFUSED, "no value, refused"),
        (None, "-"),
    ],
)
def test_reasons_leave_out_what_every_reading_has(quality: int | None, told: str) -> None:
    assert reasons(quality) == told


@pytest.mark.parametrize(
    ("raw", "raw_type", "told"),
    [
        (0x42EC8000, "float32", "42EC 8000"),
        (-1, "int64", "FFFF FFFF FFFF FFFF"),
        (258, "uint16", "0102"),
        (1, "bit3", "0001"),
        (1, "bool", "0001"),
        (None, "uint16", "-"),
    ],
)
def test_raw_words_stand_as_the_registers_they_came_in(
    raw: int | None, raw_type: str, told: str
) -> None:
    assert words(raw, raw_type) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7200, "2h"), (172_800, "2d")],
)
def test_an_age_is_told_in_one_unit(seconds: int, told: str) -> None:
    assert age(seconds * S) == told


def test_an_event_is_a_line_with_the_time_of_day() -> None:
    gap: dict[str, JsonValue] = {
        "type": "gap",
        "at_ns": str((86_400 + 3661) * S),
        "state": "open",
        "reason": "no_answer",
        "missed": 1,
        "channels": [1, 2],
        "to_ns": None,
    }
    assert event_line(gap) == "01:01:01 gap: open, no_answer, 1, channel 1 2"
    assert event_line({**gap, "channels": [1, 2, 3, 4]}).endswith("4 channels")


def test_what_is_cut_shows_that_it_was() -> None:
    assert fitted_to("abcdef", 6) == "abcdef"
    assert fitted_to("abcdefg", 6) == "abcde…"
