"""Where the readings of batches were given up, as a file says it; each row is under a hash."""

import sqlite3
from collections.abc import Sequence

from edge_agent.buffer.content import Stored
from edge_agent.buffer.retention import FIRST_POSITION, Span, is_within


def read_emptied(connection: sqlite3.Connection) -> tuple[Span, ...]:
    """Return the spans of positions, rising.

    Raises:
        ValueError: a row is not what was stored.

    """
    found: list[Span] = []
    end = FIRST_POSITION - 1
    for first, last, digest in connection.execute(
        "SELECT first_position, last_position, sha256 FROM emptied ORDER BY last_position"
    ):
        span = Span(first=first, last=last)
        if span.sha256 != digest or first <= end:
            raise ValueError(f"what was given up of {first} to {last}: not what was stored")
        found.append(span)
        end = last
    return tuple(found)


def is_lost(emptied: Sequence[Span], stored: Stored) -> bool:
    """Return whether a batch is gone altogether, as was said when it was given up.

    Raises:
        ValueError: its body is gone, and nobody said so.

    """
    if not stored.body_bytes and not is_within(emptied, stored.position):
        raise ValueError(f"batch {stored.position}: its body is missing")
    return not stored.body_bytes
