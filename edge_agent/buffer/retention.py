"""Which batches have their receipt, which still wait, and which may be deleted; pure.

A batch is named by its position, a count over all chains of the buffer. Every position up to the
head is either in a run, and then its batch may be gone, or it is held. Only batches with a receipt
that frees their readings ever become forgettable, and the head never does. Where the readings of
a batch were given up, its headstone waits like a batch. Batches salvaged from
damaged files have positions below zero, where only the spans that were salvaged exist.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain, islice
from typing import Final

from edge_agent.wire.vocabulary import Hash, Verdict

FIRST_POSITION: Final = 1
# Each salvaged chain has a window of its own below zero, later ones above earlier ones: batch n of
# a chain stands at the window's start + n. Four million windows, each of 30,000 years at 1 s.
LOWEST_POSITION: Final = -(2**62)
WINDOW: Final = 2**40

# docs/wire-format.md section 13: readings may be forgotten against these. A receipt for a
# headstone says that the centre still lacks the readings: it frees a headstone, and nothing else.
FREEING: Final = frozenset({Verdict.ACCEPTED, Verdict.QUARANTINED, Verdict.BRANCH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Positions first to last, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Batches of one chain, first to last, that all have had their own receipt.

    Only the newest receipt is kept: docs/wire-format.md section 13.
    """

    first: int
    last: int
    receipt: bytes

    @property
    def sha256(self) -> Hash:
        """What the stored row must hash to, so that damage cannot free a batch."""
        return hash_of_span(self.first, self.last, self.receipt)


def hash_of_span(first: int, last: int, content: bytes = b"") -> Hash:
    """Return what the stored row of a span of positions must hash to."""
    places = (place.to_bytes(8, "little", signed=True) for place in (first, last))
    return Hash(sha256(b"".join((*places, content))).digest())


def with_receipts(
    runs: Sequence[Run], receipts: Iterable[tuple[int, bytes]], chain_starts: Iterable[int]
) -> tuple[Run, ...]:
    """Return the runs after more receipts, neighbours of one chain joined, by rising position.

    Args:
        runs: those so far, disjoint.
        receipts: position of a batch and its receipt of 185 bytes; known ones change nothing.
        chain_starts: first position of each chain; no run reaches over one.

    """
    starts = frozenset(chain_starts)
    added = [
        Run(first=position, last=position, receipt=receipt)
        for position, receipt in dict(receipts).items()
        if not is_receipted(runs, position)
    ]
    joined: list[Run] = []
    for run in sorted([*runs, *added], key=lambda each: each.first):
        if joined and joined[-1].last + 1 == run.first and run.first not in starts:
            joined[-1] = Run(first=joined[-1].first, last=run.last, receipt=run.receipt)
        else:
            joined.append(run)
    return tuple(joined)


def is_receipted(runs: Iterable[Run], position: int) -> bool:
    """Return whether the batch at this position has its receipt."""
    return any(run.first <= position <= run.last for run in runs)


def waiting(runs: Sequence[Run], head: int, salvaged: Sequence[Span] = ()) -> Iterator[Span]:
    """Yield the positions that have no receipt, oldest first.

    Args:
        runs: disjoint, by rising position.
        head: position of the newest batch; 0 when there is none.
        salvaged: positions below zero that were given to salvaged batches; disjoint, rising.

    """
    left = list(runs)[::-1]
    for span in (*salvaged, Span(first=FIRST_POSITION, last=head)):
        next_position = span.first
        while left and left[-1].last < next_position:
            left.pop()
        while left and left[-1].first <= span.last:
            run = left[-1]
            if next_position < run.first:
                yield Span(first=next_position, last=run.first - 1)
            next_position = run.last + 1
            if run.last > span.last:
                break
            left.pop()
        if next_position <= span.last:
            yield Span(first=next_position, last=span.last)


def is_within(spans: Sequence[Span], position: int) -> bool:
    """Return whether one of these spans, which rise, holds a position."""
    index = bisect_right(spans, position, key=lambda span: span.first) - 1
    return index >= 0 and position <= spans[index].last


def spans_with(spans: Iterable[Span], positions: Iterable[int]) -> tuple[Span, ...]:
    """Return the spans that hold these positions too, neighbours joined, by rising position."""
    return united((*spans, *(Span(first=place, last=place) for place in positions)))


def united(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return the same positions in as few spans as possible, by rising position."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda each: each.first):
        if joined and span.first <= joined[-1].last + 1:
            last = max(joined[-1].last, span.last)
            joined[-1] = Span(first=joined[-1].first, last=last)
        else:
            joined.append(span)
    return tuple(joined)


def without(spans: Iterable[Span], gone: Sequence[Span]) -> Iterator[Span]:
    """Yield what is left of spans when others are taken out; both disjoint and rising."""
    for span in spans:
        first = span.first
        begin = bisect_left(gone, first, key=lambda each: each.last)
        for other in islice(gone, begin, None):
            if other.first > span.last:
                break
            if first < other.first:
                yield Span(first=first, last=other.first - 1)
            first = other.last + 1
        if first <= span.last:
            yield Span(first=first, last=span.last)


def oldest_positions(spans: Iterable[Span], limit: int) -> list[int]:
    """Return the first positions of spans that rise, at most so many, rising."""
    every = chain.from_iterable(range(span.first, span.last + 1) for span in spans)
    return list(islice(every, limit))


def newest_positions(spans: Sequence[Span], limit: int) -> list[int]:
    """Return the last positions of spans that rise, at most so many, rising."""
    every = chain.from_iterable(range(span.last, span.first - 1, -1) for span in reversed(spans))
    return list(islice(every, limit))[::-1]


def forgettable(runs: Sequence[Run], head: int) -> Iterator[Span]:
    """Yield the positions whose batches may be deleted, oldest first; never the head's.

    The head stays because the next batch takes its number and its previous hash from it.
    """
    for run in runs:
        last = min(run.last, head - 1)
        if run.first <= last:
            yield Span(first=run.first, last=last)
