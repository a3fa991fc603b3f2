"""When to try again: pure arithmetic on seconds.

Randomness and the time of day are arguments, so that a simulator and a test decide both.
"""

from email.utils import mktime_tz, parsedate_tz
from typing import Final

# docs/wire-format.md section 12: back-off 1 s to 5 min, full jitter.
SHORTEST_S: Final = 1.0
LONGEST_S: Final = 300.0
# 2 to this power passes LONGEST_S; without it a long outage would build an enormous integer.
_DOUBLINGS: Final = 9


def back_off_s(failures: int, *, fraction: float) -> float:
    """Return how long to wait after failures in a row, in seconds.

    Args:
        failures: exchanges in a row that brought nothing; 1 after the first.
        fraction: a random number in [0, 1): full jitter, so that a thousand gateways do not
            come back in the same second.

    Returns:
        A wait in [SHORTEST_S, LONGEST_S]; its upper end doubles with every failure.

    """
    ceiling = min(LONGEST_S, SHORTEST_S * 2.0 ** min(max(failures, 1), _DOUBLINGS))
    return SHORTEST_S + fraction * (ceiling - SHORTEST_S)


def hold_s(*, fraction: float) -> float:
    """Return how long to wait before asking again whether a refusal still stands, in seconds."""
    return LONGEST_S * (0.5 + fraction / 2)


def retry_after_s(value: str | None, *, utc_s: float) -> float:
    """Return how long a Retry-After header asks to wait, in seconds, at most LONGEST_S.

    A gateway does not let one answer silence it for longer than its own longest back-off.

    Args:
        value: the header as received: seconds or an HTTP date (RFC 9110 section 10.2.3).
        utc_s: the gateway's own UTC, seconds since 1970.

    Returns:
        0.0 where the header is missing, unreadable or past.

    """
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        # A thousand digits would be no number of seconds: the length is bounded before int().
        return min(LONGEST_S, float(int(text[:9])))
    parts = parsedate_tz(text)
    if parts is None:
        return 0.0
    try:
        at_s = mktime_tz(parts)
    except (OverflowError, ValueError):
        return 0.0
    return min(LONGEST_S, max(0.0, at_s - utc_s))
