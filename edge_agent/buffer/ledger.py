"""What the buffer's tables hold, in memory: head, chains, receipts and what waits for them.

It follows the disk and never leads it, but for receipts: those count at once and reach the disk
with the next commit, because a lost receipt is only asked for again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from edge_agent.buffer.content import Intact, Tally
from edge_agent.buffer.giving_up import GivenUp
from edge_agent.buffer.records import BARE_FRAME_BYTES, Backlog, Head, Held, Key
from edge_agent.buffer.retention import (
    FREEING,
    LOWEST_POSITION,
    WINDOW,
    Run,
    Span,
    is_receipted,
    is_within,
    spans_with,
    united,
    waiting,
    with_receipts,
    without,
)
from edge_agent.buffer.table import Placed
from edge_agent.buffer.volatile import Segment
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """The books after receipts; `waiting` are the positions still without one, oldest first."""

    runs: tuple[Run, ...]
    tally: Tally
    fresh_count: int
    waiting: tuple[Span, ...]


class Ledger:
    """One buffer's books."""

    def __init__(self, intact: Intact) -> None:
        self.head = intact.head
        self.runs = intact.runs
        self.salvaged = intact.salvaged
        self.verified_from = intact.verified_from
        self._stored_runs = intact.runs
        self.emptied = intact.emptied
        self.gone = intact.gone
        self._chains = dict(intact.chains)
        self._tally = intact.unreceipted
        self._oldest: Held | None = None
        self._newest: Held | None = None

    @property
    def head_place(self) -> tuple[int, bytes]:
        """Position and hash of the newest batch; (0, b"") before the first."""
        return (0, b"") if self.head is None else (self.head.position, self.head.batch_hash)

    @property
    def backlog(self) -> Backlog:
        """What waits for a receipt."""
        return Backlog(
            unreceipted_count=self._tally.batches,
            readings=self._tally.readings,
            size_bytes=self._tally.size_bytes,
            oldest=self._oldest,
            newest=self._newest,
        )

    @property
    def newest_receipt(self) -> Receipt | None:
        """The receipt that was given last, of those that are kept: one for each run."""
        kept = (Receipt.unpack(run.receipt) for run in reversed(self.runs))
        return max(kept, key=lambda receipt: receipt.received_ns, default=None)

    @property
    def waiting(self) -> tuple[Span, ...]:
        """Positions without a receipt, oldest first."""
        return tuple(self._waiting(self.runs))

    def with_readings(self, given: Iterable[GivenUp] = ()) -> tuple[Span, ...]:
        """Return the positions without a receipt that may hold readings, oldest first.

        The head is left out, and what is given up already.
        """
        older = (
            Span(first=span.first, last=min(span.last, self.head_place[0] - 1))
            for span in self.waiting
            if span.first < self.head_place[0]
        )
        return tuple(without(older, self.emptied_with(given)))

    def waiting_among(self, positions: Iterable[int]) -> tuple[Span, ...]:
        """Return those of these positions that have no receipt, rising; never the head."""
        spans, head = self.waiting, self.head_place[0]
        chosen = sorted(one for one in set(positions) if one != head and is_within(spans, one))
        return tuple(Span(first=one, last=one) for one in chosen)

    def emptied_with(self, given: Iterable[GivenUp]) -> tuple[Span, ...]:
        """Return where readings were given up, these batches included."""
        return united([*self.emptied, *(one.span for one in given)])

    def gone_with(self, given: Iterable[GivenUp]) -> tuple[Span, ...]:
        """Return where batches are gone altogether, these included where nothing is left."""
        return spans_with(self.gone, (one.position for one in given if not one.body))

    def gave_up(self, given: Sequence[GivenUp]) -> None:
        """Note batches whose readings are durably gone; none of them was receipted."""
        self.emptied = self.emptied_with(given)
        self.gone = self.gone_with(given)
        for one in given:
            tally = self._tally
            self._tally = Tally(
                batches=tally.batches - (not one.body),
                readings=tally.readings - one.readings,
                size_bytes=tally.size_bytes
                - one.body_bytes
                + len(one.body)
                - (0 if one.body else BARE_FRAME_BYTES),
            )

    @property
    def unstored_runs(self) -> tuple[frozenset[Run], frozenset[Run]]:
        """Runs to delete from the disk, and runs to insert."""
        present = frozenset(self.runs)
        return self.stored_runs - present, present - self.stored_runs

    @property
    def stored_runs(self) -> frozenset[Run]:
        """The runs that the disk has."""
        return frozenset(self._stored_runs)

    def runs_stored(self) -> None:
        """Note that the disk now has the runs as they are."""
        self._stored_runs = self.runs

    def position_of(self, key: Key) -> int | None:
        """Return where a batch stands or stood; None if this buffer never had it."""
        start = self._chains.get(key.chain_id)
        if start is None or not start <= start + key.batch_no <= self._end_of(start):
            return None
        return start + key.batch_no

    def end_of_chain(self, chain_id: UUID) -> int:
        """Return the position of the newest batch of a chain; 0 if there is no such chain."""
        start = self._chains.get(chain_id)
        return 0 if start is None else self._end_of(start)

    def start_of(self, chain_id: UUID) -> int | None:
        """Return the first position of a chain; below zero for one of damaged files."""
        return self._chains.get(chain_id)

    @property
    def starts(self) -> Mapping[UUID, int]:
        """The first position of each chain; below zero for those of damaged files."""
        return self._chains

    @property
    def lowest_free(self) -> int:
        """The first position of the window that the next salvaged chain gets."""
        below = [start for start in self._chains.values() if start < 0]
        return max(below, default=LOWEST_POSITION - WINDOW) + WINDOW

    def joined(self, more: Iterable[Run]) -> tuple[Run, ...]:
        """Return the runs together with those of salvaged batches, which may overlap them."""
        below = [*(run for run in self.runs if run.first < 0), *more]
        receipts = {run.last: run.receipt for run in below}
        spans = united(Span(first=run.first, last=run.last) for run in below)
        return (
            *(Run(first=each.first, last=each.last, receipt=receipts[each.last]) for each in spans),
            *(run for run in self.runs if run.first > 0),
        )

    def adopted(
        self,
        runs: tuple[Run, ...],
        chains: Mapping[UUID, int],
        batches: Iterable[tuple[int, Held]],
    ) -> None:
        """Note salvaged batches that are durable now, with the chains and receipts they have."""
        self.runs = self._stored_runs = runs
        self._chains.update(chains)
        positions: list[int] = []
        for position, held in batches:
            positions.append(position)
            if not is_receipted(runs, position):
                self._tally = self._tally.plus(held)
        self.salvaged = spans_with(self.salvaged, positions)

    def chain_began(self, chain_id: UUID, position: int) -> None:
        """Note the first position of a chain."""
        self._chains[chain_id] = position

    def added(self, head: Head, held: Held) -> None:
        """Note a batch that is durable now."""
        self.head = head
        self._tally = self._tally.plus(held)
        self._oldest = self._oldest or held
        self._newest = held

    def joined_by(self, segment: Segment) -> None:
        """Note a chain that came from memory and is durable now; a batch behind it follows."""
        self.chain_began(segment.beginning.chain_id, segment.span.first)
        for position, batch in segment.batches:
            held = Held.of(batch.header, batch.batch_hash, len(batch.body))
            head = Head(position=position, header=batch.header, batch_hash=batch.batch_hash)
            self.added(head, held)
        self.runs = (*self.runs, *segment.runs)

    def settlement(self, placed: Sequence[Placed], receipts: Sequence[Receipt]) -> "Settlement":
        """Return what receipts mean for batches held; nothing is noted yet.

        A receipt for other bytes than those held here, or one that does not free them, means
        nothing.
        """
        by_hash = {receipt.batch_hash: receipt for receipt in receipts}
        fresh: list[tuple[int, bytes]] = []
        tally = self._tally
        for position, held in placed:
            receipt = by_hash.get(held.batch_hash)
            if receipt is None or is_receipted(self.runs, position):
                continue
            is_freed = receipt.verdict in FREEING or (
                held.is_headstone and receipt.verdict is Verdict.HEADSTONE
            )
            if is_freed and receipt.batch_no == held.batch_no:
                fresh.append((position, receipt.pack()))
                tally = tally.plus(held, sign=-1)
        runs = with_receipts(self.runs, fresh, self._chains.values())
        return Settlement(
            runs=runs,
            tally=tally,
            fresh_count=len(fresh),
            waiting=tuple(self._waiting(runs)),
        )

    def settled(
        self, settlement: "Settlement", *, oldest: Held | None, newest: Held | None
    ) -> None:
        """Note receipts, and which batches now are the oldest and the newest that wait."""
        self.runs, self._tally = settlement.runs, settlement.tally
        self._oldest, self._newest = oldest, newest

    def _waiting(self, runs: Sequence[Run]) -> Iterator[Span]:
        return without(waiting(runs, self.head_place[0], self.salvaged), self.gone)

    def _end_of(self, start: int) -> int:
        later = [other for other in self._chains.values() if other > start]
        return min(later) - 1 if later else self.head_place[0]
