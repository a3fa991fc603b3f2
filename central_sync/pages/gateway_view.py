"""The last hours of a gateway's channel as its page draws them: thinned out, and plain JSON.

Times are milliseconds since 1970, UTC; the page shifts them to the facility's clock.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias
from uuid import UUID

import numpy as np

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS, utc_hours
from central_sync.model import HourlyRevision
from central_sync.pages.decimate import (
    FINE_NS,
    FINE_PER_HOUR,
    FloatArray,
    Series,
    State,
    joined,
    nothing,
    thinned,
)
from central_sync.pages.parts import ThinnedParts
from central_sync.programs.detail import IN_WORDS, NoValue, parse_detail

MILLISECOND_NS: Final = 1_000_000
SHORTEST_SPAN_NS: Final = 5 * MINUTE_NS
LONGEST_BREAK_NS: Final = 90_000_000_000
"""A line is broken where nothing came for longer than this, and for longer than two buckets."""
SIGNIFICANT_DIGITS: Final = 7

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


def channel_series(
    parts: ThinnedParts, gateway_id: UUID, channel: int, *, span: tuple[int, int], width: int
) -> dict[str, Json]:
    """Return a channel's readings of [from, to) (UTC ns) in at most `width` buckets."""
    from_ns, to_ns = span
    hours = utc_hours(from_ns, to_ns)
    pieces = [parts.hour(gateway_id, hour).get(channel) or nothing(FINE_PER_HOUR) for hour in hours]
    first = (from_ns - hours[0]) // FINE_NS
    count = -(-(to_ns - from_ns) // FINE_NS)
    whole = _cut(joined(pieces), first, count)
    start_ns = hours[0] + first * FINE_NS
    filled = np.flatnonzero(whole.state)
    if len(filled):
        # A gateway that began an hour ago is not drawn in the last twentieth of an empty day.
        skipped = min(int(filled[0]), max(0, count - SHORTEST_SPAN_NS // FINE_NS))
        whole = _cut(whole, skipped, count - skipped)
        start_ns += skipped * FINE_NS
    factor = max(1, -(-len(whole.state) // width))
    return _drawn(thinned(whole, factor), start_ns, factor * FINE_NS, to_ns)


def hour_marks(revisions: Sequence[HourlyRevision]) -> list[Json]:
    """Return the hourly values of one channel."""
    marks: list[Json] = []
    for one in revisions:
        value = one.value
        why = parse_detail(value.detail).no_value
        marks.append(
            {
                "start": value.hour_ns // MILLISECOND_NS,
                "end": (value.hour_ns + HOUR_NS) // MILLISECOND_NS,
                "value": value.value,
                "provisional": value.is_provisional,
                "simulated": value.is_simulated,
                "used": value.used_count,
                "received": value.reading_count,
                "revision": one.revision,
                "operated": why is not NoValue.NOT_OPERATING,
                "reason": None if why is None else IN_WORDS[why],
            }
        )
    return marks


def _cut(series: Series, first: int, count: int) -> Series:
    window = slice(first, first + count)
    return Series(
        low=series.low[window],
        high=series.high[window],
        bad_low=series.bad_low[window],
        bad_high=series.bad_high[window],
        state=series.state[window],
    )


def _drawn(series: Series, start_ns: int, bucket_ns: int, to_ns: int) -> dict[str, Json]:
    times = (start_ns + np.arange(len(series.state)) * bucket_ns) // MILLISECOND_NS
    good, bad = ~np.isnan(series.low), ~np.isnan(series.bad_low)
    return {
        "from": start_ns // MILLISECOND_NS,
        "to": to_ns // MILLISECOND_NS,
        "bucket": bucket_ns // MILLISECOND_NS,
        **_line(times, series.low, series.high, good, bucket_ns),
        "bad_time": times[bad].tolist(),
        "bad_low": _numbers(series.bad_low[bad]),
        "bad_high": _numbers(series.bad_high[bad]),
        "bad_state": series.state[bad].tolist(),
        "lane": _lane(times, series.state, bucket_ns // MILLISECOND_NS),
    }


def _line(
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    low: FloatArray,
    high: FloatArray,
    good: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    bucket_ns: int,
) -> dict[str, Json]:
    """Return the good values, with a null where the line must break."""
    shown = times[good]
    longest = max(2 * bucket_ns, LONGEST_BREAK_NS) // MILLISECOND_NS
    breaks = np.flatnonzero(np.diff(shown) > longest) + 1
    time: list[Json] = shown.tolist()
    lows, highs = _numbers(low[good]), _numbers(high[good])
    for place in breaks[::-1].tolist():
        time.insert(place, time[place - 1])
        lows.insert(place, None)
        highs.insert(place, None)
    return {"time": time, "low": lows, "high": highs}


def _lane(
    times: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    state: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    bucket_ms: int,
) -> list[Json]:
    """Return [start, end, state] of every run of buckets that are neither good nor empty."""
    bounds = np.flatnonzero(np.diff(state)) + 1
    starts = np.concatenate([[0], bounds])
    ends = np.concatenate([bounds, [len(state)]])
    return [
        [int(times[start]), int(times[end - 1]) + bucket_ms, int(state[start])]
        for start, end in zip(starts, ends, strict=True)
        if len(state) and state[start] > State.GOOD
    ]


def _numbers(values: FloatArray) -> list[Json]:
    return [float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values.tolist()]
