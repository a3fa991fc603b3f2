"""A chain of batches in memory, for as long as the storage refuses writes.

Its batches are sent like any other. When storage returns, those without a receipt are made durable
as they are, the chain ends, and another one goes on (docs/wire-format.md section 11). What a power
cut then takes was never acknowledged to any device.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from edge_agent.buffer.committing import Beginning, Place
from edge_agent.buffer.content import Tally
from edge_agent.buffer.opening import beginning
from edge_agent.buffer.records import Head, Held, Key
from edge_agent.buffer.retention import FREEING, Run, Span, is_receipted, with_receipts
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.receipt import Receipt

# So many bytes of frames are kept in memory: some twelve hours of 60 channels. More is not taken,
# which is told as a gap.
MOST_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segment:
    """A chain from memory as it goes into the table.

    Attributes:
        beginning: of the chain.
        span: positions of all its batches, those without a row included.
        batches: those without a receipt, with their positions.
        runs: those with one.
        last: hash of the newest batch.

    """

    beginning: Beginning
    span: Span
    batches: tuple[tuple[int, SignedBatch], ...]
    runs: tuple[Run, ...]
    last: bytes


class Volatile:
    """One chain; places in it count from 1, as if it were a buffer of its own."""

    def __init__(self) -> None:
        self.beginning = beginning("volatile")
        # The chain that goes on behind it.
        self.after = beginning("volatile")
        self.tally = Tally()
        self._head: Head | None = None
        self._batches: dict[int, SignedBatch] = {}
        self._runs: tuple[Run, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self.tally.size_bytes >= MOST_BYTES

    def has(self, chain_id: UUID) -> bool:
        """Return whether this is the chain of that id."""
        return chain_id == self.beginning.chain_id

    def place(self, durable: Head | None) -> Place:
        """Return where its next batch goes; `durable` is the newest batch on the disk."""
        if self._head is None:
            return Place(head=durable, beginning=self.beginning)
        return Place(head=self._head, beginning=None)

    @property
    def place_behind(self) -> Place:
        """Where the batch goes with which the disk goes on."""
        return Place(head=self._head, beginning=self.after)

    def add(self, batches: Sequence[SignedBatch]) -> tuple[Held, ...]:
        """Take batches that were sealed for its place."""
        added: list[Held] = []
        for batch in batches:
            place = batch.header.batch_no + 1
            self._batches[place] = batch
            self._head = Head(position=place, header=batch.header, batch_hash=batch.batch_hash)
            added.append(_held(batch))
            self.tally = self.tally.plus(added[-1])
        return tuple(added)

    def held(self) -> tuple[Held, ...]:
        """Return what waits, oldest first."""
        return tuple(_held(batch) for batch in self._batches.values())

    def frame(self, key: Key) -> BatchFrame | None:
        """Return a batch that waits, or None."""
        batch = self._batches.get(key.batch_no + 1)
        if batch is None or key.chain_id != self.beginning.chain_id:
            return None
        return BatchFrame(
            flags=FrameFlag(0),
            header_bytes=batch.header_bytes,
            signature=batch.signature,
            body=batch.body,
        )

    def settle(self, receipts: Sequence[Receipt]) -> int:
        """Forget what the centre has; return how many batches that are."""
        fresh: list[tuple[int, bytes]] = []
        for receipt in receipts:
            place = receipt.batch_no + 1
            batch = self._batches.get(place)
            is_mine = batch is not None and batch.batch_hash == receipt.batch_hash
            if batch is None or not is_mine or receipt.verdict not in FREEING:
                continue
            if not is_receipted(self._runs, place):
                fresh.append((place, receipt.pack()))
                self.tally = self.tally.plus(_held(batch), sign=-1)
                del self._batches[place]
        self._runs = with_receipts(self._runs, fresh, (1,))
        return len(fresh)

    def segment(self, after: int) -> Segment | None:
        """Return it as it goes into a table whose newest position is `after`; None if empty."""
        if self._head is None:
            return None
        return Segment(
            beginning=self.beginning,
            span=Span(first=after + 1, last=after + self._head.position),
            batches=tuple((after + place, batch) for place, batch in self._batches.items()),
            runs=tuple(
                replace(run, first=run.first + after, last=run.last + after) for run in self._runs
            ),
            last=self._head.batch_hash,
        )


def _held(batch: SignedBatch) -> Held:
    return Held.of(batch.header, batch.batch_hash, len(batch.body))
