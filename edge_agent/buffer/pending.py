"""What one writing transaction is about to make durable, and how it is written. No decisions."""

from dataclasses import dataclass

from edge_agent.buffer.committing import Beginning
from edge_agent.buffer.giving_up import GivenUp
from edge_agent.buffer.retention import Run
from edge_agent.buffer.table import Table
from edge_agent.buffer.volatile import Segment
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.signing import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pending:
    """Batches between their seal and the proof that they are durable.

    Kept when a commit fails: whatever became of it, these bytes and no others go in its place.

    Attributes:
        after: position and hash of the newest batch before all this.
        segment: a chain from memory that goes before the batches; None where there is none.
        beginning: of the chain that the batches begin; None where they go on with one.
        batches: signed.
        given: batches that lose their readings in the same transaction.
        next_key: signs whatever follows them, where it is another one.

    """

    after: tuple[int, bytes]
    segment: Segment | None
    beginning: Beginning | None
    batches: tuple[SignedBatch, ...]
    given: tuple[GivenUp, ...] = ()
    next_key: SigningKey | None = None

    @property
    def first_position(self) -> int:
        """Position of the first of the batches."""
        return 1 + (self.after[0] if self.segment is None else self.segment.span.last)

    @property
    def last(self) -> tuple[int, bytes]:
        """Position and hash of the newest of them."""
        return self.first_position + len(self.batches) - 1, self.batches[-1].batch_hash

    @property
    def runs(self) -> tuple[Run, ...]:
        """Receipts that go with it."""
        return () if self.segment is None else self.segment.runs

    @property
    def every_batch(self) -> tuple[SignedBatch, ...]:
        """All that must find room."""
        if self.segment is None:
            return self.batches
        return (*(batch for _, batch in self.segment.batches), *self.batches)


async def insert(table: Table, pending: Pending) -> None:
    """Write chains and batches, inside the transaction."""
    if pending.segment is not None:
        segment = pending.segment
        await table.begin_chain(segment.span.first, segment.beginning.chain_id)
        for position, batch in segment.batches:
            await table.insert(position, batch)
        await table.replace_runs((), segment.runs)
    if pending.beginning is not None:
        await table.begin_chain(pending.first_position, pending.beginning.chain_id)
    for position, batch in enumerate(pending.batches, start=pending.first_position):
        await table.insert(position, batch)
