"""Which batches lose their readings when the quota is full of what waits: the oldest.

As few as make room for a few minutes; a batch whose headstone would not be smaller is left alone.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from edge_agent.buffer.giving_up import Copy, GivenUp, given_up, is_headstone
from edge_agent.buffer.quota import body_pages
from edge_agent.buffer.retention import Span, is_within
from edge_agent.buffer.table import Table

# Looked at in one step: their compressed bodies are in memory together.
LOOKED_AT_ONCE: Final = 16
# So much more than is needed is freed, so that not every commit has to give up something: 32 KiB,
# two minutes of 60 channels.
AHEAD_PAGES: Final = 64


async def oldest_readings(
    table: Table, candidates: Sequence[Span], pages: int
) -> tuple[GivenUp, ...]:
    """Return the oldest batches that together free so many pages, and a few more.

    Args:
        table: of the buffer, in a transaction.
        candidates: positions that wait and may hold readings, oldest first.
        pages: that are missing.

    Returns:
        What to give up; nothing, when nothing would free a page.

    """
    found: list[GivenUp] = []
    missing = pages + AHEAD_PAGES
    for span in candidates:
        since = first = span.first
        while missing > 0 and first <= span.last:
            stored = await table.stored(Span(first=first, last=span.last), LOOKED_AT_ONCE)
            if not stored:
                break
            step, since = await asyncio.to_thread(_taken, stored, since, missing)
            found += step
            missing -= sum(map(freed_pages, step))
            first = stored[-1].position + 1
        if missing <= 0:
            break
    return tuple(found)


async def chosen(
    table: Table, spans: Sequence[Span], emptied: Sequence[Span]
) -> tuple[GivenUp, ...]:
    """Return what stays of these batches; what is whole and has no readings is left alone."""
    found: list[GivenUp] = []
    for span in spans:
        for stored in await table.stored(span, span.last - span.first + 1):
            is_stone = is_within(emptied, stored.position)
            if is_stone and is_headstone(stored.header, stored.body):
                continue
            one = await asyncio.to_thread(given_up, stored, since=stored.position)
            if one.readings or not one.body:
                found.append(replace(one, readings=0) if is_stone else one)
    return tuple(found)


def freed_pages(one: GivenUp) -> int:
    """Return how many pages giving up a batch frees, about."""
    return body_pages(one.body_bytes) - body_pages(len(one.body))


def _taken(stored: Sequence[Copy], since: int, missing: int) -> tuple[list[GivenUp], int]:
    """Return those of these batches that are given up, and where readings may stand behind them.

    Unpacking takes long: off the loop.
    """
    taken: list[GivenUp] = []
    for copy in stored:
        if missing <= 0:
            break
        one = given_up(copy, since=since)
        if one.header.record_count == 0:
            continue
        since = copy.position + 1
        if freed_pages(one) > 0:
            taken.append(one)
            missing -= freed_pages(one)
    return taken, since
