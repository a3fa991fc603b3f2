"""Where the readings of batches were given up, as a file says it; each row is under a hash."""

import sqlite3
from typing import Literal

from edge_agent.buffer.retention import LOWEST_POSITION, Span, hash_of_span


def read_spans(
    connection: sqlite3.Connection, name: Literal["emptied", "gone"]
) -> tuple[Span, ...]:
    """Return the spans of positions in one of the two tables, rising.

    Raises:
        ValueError: a row is not what was stored.

    """
    found: list[Span] = []
    end = LOWEST_POSITION - 1
    for first, last, digest in connection.execute(
        f"SELECT first_position, last_position, sha256 FROM {name} ORDER BY last_position"  # noqa: S608 - one of two names
    ):
        if hash_of_span(first, last) != digest or first <= end:
            raise ValueError(f"{name} {first} to {last}: not what was stored")
        found.append(Span(first=first, last=last))
        end = last
    return tuple(found)
