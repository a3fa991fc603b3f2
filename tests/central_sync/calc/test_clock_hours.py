"""Hours on the time line, and their text."""

import pytest

from central_sync.calc.clock_hours import (
    HOUR_NS,
    MINUTE_NS,
    local_hours,
    parse_time,
    time_text,
    utc_hours,
)

TEN = 1_795_168_800_000_000_000


@pytest.mark.parametrize(
    ("offset_minutes", "starts"),
    [
        (0, [TEN]),
        (-300, [TEN]),
        (60, [TEN]),
        (330, [TEN - 30 * MINUTE_NS, TEN + 30 * MINUTE_NS]),
        (345, [TEN - 45 * MINUTE_NS, TEN + 15 * MINUTE_NS]),
        (-210, [TEN - 30 * MINUTE_NS, TEN + 30 * MINUTE_NS]),
    ],
)
def test_the_local_hours_that_touch_a_utc_hour(offset_minutes: int, starts: list[int]) -> None:
    assert list(local_hours(TEN, offset_minutes=offset_minutes)) == starts


def test_the_utc_hours_that_touch_a_span() -> None:
    assert utc_hours(TEN, TEN + HOUR_NS) == (TEN,)
    assert utc_hours(TEN - 1, TEN + HOUR_NS + 1) == (TEN - HOUR_NS, TEN, TEN + HOUR_NS)
    assert utc_hours(TEN, TEN) == ()


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T10Z", "2026-11-20T10", "2026-11-20T10:00Z", "2026-11-20T10:00:00Z"],
)
def test_an_hour_may_be_written_short_or_long(text: str) -> None:
    assert parse_time(text) == TEN


def test_a_day_is_its_first_hour() -> None:
    assert parse_time("2026-11-20") == TEN - 10 * HOUR_NS


def test_text_and_time_are_inverse_and_nothing_rounds_up() -> None:
    assert time_text(TEN) == "2026-11-20T10:00:00Z"
    assert time_text(TEN - 1) == "2026-11-20T09:59:59Z"
    assert parse_time(time_text(TEN)) == TEN


@pytest.mark.parametrize("text", ["", "Z", "ten", "2026-11-20T25Z", "NaT", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)
