"""How far the gateway's wall clock is from the centre's, as far as one exchange shows it. Pure.

It only compares: no clock is ever set by what a centre says.
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_NS_PER_S: Final = 1_000_000_000
# Clocks that are further apart are told: hours of readings are at stake from then on.
LARGEST_NS: Final = 2 * _NS_PER_S
# A Date is cut to the second (RFC 9110 section 5.6.7), and a server may keep one for a second.
DATE_AGE_NS: Final = 2 * _NS_PER_S


def skew_ns(
    sent_ns: int, answered_ns: int, *, date: str | None, received_ns: Iterable[int]
) -> int | None:
    """Return how far our clock is ahead of the centre's for certain, ns; negative if behind.

    Args:
        sent_ns: our clock before the request, UTC ns.
        answered_ns: our clock after the answer.
        date: the answer's Date header.
        received_ns: times in receipts of this answer, by the centre's clock; one for a batch that
            was sent before is as old as that.

    Returns:
        0 where the clocks may agree within LARGEST_NS; None where nothing was told.

    """
    stamped_ns = None if date is None else _utc_ns(date)
    newest_ns = max(received_ns, default=None)
    if stamped_ns is None:
        return None if newest_ns is None else min(0, _beyond(answered_ns - newest_ns))
    least_ns = sent_ns - (stamped_ns + DATE_AGE_NS)
    most_ns = answered_ns - stamped_ns
    if newest_ns is not None:
        most_ns = min(most_ns, answered_ns - newest_ns)
        if newest_ns >= stamped_ns - DATE_AGE_NS:  # given just now
            least_ns = max(least_ns, sent_ns - newest_ns)
    if least_ns > most_ns:
        return 0
    return max(0, _beyond(least_ns)) + min(0, _beyond(most_ns))


def _beyond(ahead_ns: int) -> int:
    return ahead_ns if abs(ahead_ns) > LARGEST_NS else 0


def _utc_ns(date: str) -> int | None:
    parts = parsedate_tz(date)
    if parts is None:
        return None
    try:
        return round(mktime_tz(parts)) * _NS_PER_S
    except (OverflowError, ValueError):
        return None
