"""Hours on the time line of UTC nanoseconds, and their text.

Knows no time zone: a facility's clock is an offset in minutes (docs/calculations.md section 1).
"""

from typing import Final

import numpy as np

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
QUADRANT_NS: Final = 15 * MINUTE_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

MINUTES: Final = 60
"""Minutes of an hour."""
QUADRANTS: Final = 4
"""Quarters of an hour (40 CFR 75.10(d)(1), see docs/calculations.md section 5)."""


def local_hours(utc_hour_ns: int, *, offset_minutes: int) -> tuple[int, ...]:
    """Return the starts (UTC ns) of the facility's clock hours that share time with a UTC hour.

    One where the offset is whole hours, otherwise two.
    """
    behind = (utc_hour_ns + offset_minutes * MINUTE_NS) % HOUR_NS
    first = utc_hour_ns - behind
    return (first,) if behind == 0 else (first, first + HOUR_NS)


def utc_hours(from_ns: int, to_ns: int) -> tuple[int, ...]:
    """Return the starts of the UTC hours that share time with [from_ns, to_ns)."""
    return tuple(range(from_ns - from_ns % HOUR_NS, to_ns, HOUR_NS))


def time_text(at_ns: int) -> str:
    """Return a time as RFC 3339 text in UTC, to the second, without rounding up."""
    return f"{np.datetime_as_string(np.datetime64(at_ns // SECOND_NS, 's'))}Z"


def parse_time(text: str) -> int:
    """Return UTC ns of `2026-11-20`, `2026-11-20T10Z`, `2026-11-20T10:30Z` or with seconds.

    Raises:
        ValueError: the text is no such time.

    """
    try:
        moment = np.datetime64(text.removesuffix("Z"), "s")
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time: write it like 2026-11-20T10Z") from error
    if np.isnat(moment):
        raise ValueError(f"{text!r} is not a time: write it like 2026-11-20T10Z")
    return int(moment.astype(np.int64)) * SECOND_NS
