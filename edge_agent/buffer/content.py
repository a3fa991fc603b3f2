"""What was found in a buffer's file: all of it good, or damaged. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from edge_agent.buffer.records import Head, Held
from edge_agent.buffer.retention import Run, Span
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over the batches without a receipt; `size_bytes` is that of their frames."""

    batches: int = 0
    readings: int = 0
    size_bytes: int = 0

    def plus(self, held: Held, *, sign: int = 1) -> "Tally":
        """Return the sums with one batch more, or less with sign -1."""
        return Tally(
            batches=self.batches + sign,
            readings=self.readings + sign * held.readings,
            size_bytes=self.size_bytes + sign * held.size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intact:
    """A buffer that was verified; `head` is None before its first batch.

    Attributes:
        head: its newest batch.
        runs: batches with receipts.
        chains: first position of each chain.
        unreceipted: what waits.
        held_count: batches, receipted or not.
        emptied: positions whose readings were given up.
        lost: of these, positions whose batch is gone altogether.

    """

    head: Head | None = None
    runs: tuple[Run, ...] = ()
    chains: Mapping[UUID, int]
    unreceipted: Tally = Tally()
    held_count: int = 0
    emptied: tuple[Span, ...] = ()
    lost: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A buffer that must not be written to again; `last` is its newest batch that verifies."""

    what: str
    last: Head | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One row of the batch table, without its body, as bytes."""

    position: int
    batch_hash: Hash
    header: bytes
    signature: bytes
    body_bytes: int

    def held(self, *, is_emptied: bool) -> Held:
        """Return what the rest of the buffer needs to know of it."""
        header = Header.unpack(self.header)
        is_headstone = is_emptied and header.record_count > 0
        return Held.of(header, self.batch_hash, self.body_bytes, is_headstone=is_headstone)
