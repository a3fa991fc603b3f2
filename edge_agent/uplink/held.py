"""What the uplink needs to see of the buffer; the buffer itself is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from edge_agent.wire.document import Document
    from edge_agent.wire.frame import BatchFrame
    from edge_agent.wire.header import Header
    from edge_agent.wire.receipt import Receipt
    from edge_agent.wire.vocabulary import Hash


class Held(Protocol):
    """A durable batch on this gateway's disk, without its bytes."""

    @property
    def chain_id(self) -> UUID:
        """The chain the batch is in."""
        ...

    @property
    def batch_no(self) -> int:
        """Its number in that chain."""
        ...

    @property
    def batch_hash(self) -> Hash:
        """Its name for ever."""
        ...

    @property
    def prev_batch_hash(self) -> Hash:
        """The name of the batch before it; zero in the first of a chain."""
        ...

    @property
    def size(self) -> int:
        """Bytes of its frame, all included."""
        ...

    @property
    def is_headstone(self) -> bool:
        """Whether its readings were given up."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What the buffer holds, as far as the next request needs to see it. All in order of age."""

    count: int
    """Batches without a receipt, all of them."""
    oldest: tuple[Held, ...]
    """The oldest of those."""
    newest: tuple[Held, ...]
    """The newest of those; may overlap with the oldest."""
    rewound: tuple[Held, ...]
    """Receipted or not: one chain from the place on that `Need.rewind` names."""
    again: tuple[Held, ...]
    """Receipted or not: those that `Need.again` names; for one that is no longer held, and is not
    in `Need.sought`, the newest that is held of its chain below it."""


class Backlog(Protocol):
    """What waits for a receipt."""

    @property
    def unreceipted_count(self) -> int:
        """Batches."""
        ...

    @property
    def readings(self) -> int:
        """Readings in them."""
        ...


class Head(Protocol):
    """The newest batch of the buffer."""

    @property
    def header(self) -> Header:
        """Its header."""
        ...


HeldT = TypeVar("HeldT", bound=Held)


class Source(Protocol[HeldT]):
    """The buffer, as the uplink uses it."""

    @property
    def head(self) -> Head | None:
        """The newest batch; None before the first."""
        ...

    def backlog(self) -> Backlog:
        """Return what waits; from memory."""
        ...

    def newest_receipt(self) -> Receipt | None:
        """Return the receipt that was given last, of those that are kept; from memory."""
        ...

    async def changed(self) -> None:
        """Return after the next commit of a batch."""
        ...

    async def unreceipted(self, limit: int) -> tuple[HeldT, ...]:
        """Return the oldest batches without a receipt, oldest first."""
        ...

    async def newest(self, limit: int) -> tuple[HeldT, ...]:
        """Return the newest batches without a receipt, oldest first."""
        ...

    async def held_from(self, chain_id: UUID, batch_no: int, limit: int) -> tuple[HeldT, ...]:
        """Return batches of one chain from a number on, receipted or not, oldest first."""
        ...

    async def held_below(self, chain_id: UUID, batch_no: int) -> tuple[HeldT, ...]:
        """Return the newest batch of a chain below a number, receipted or not, if any."""
        ...

    async def frames(self, batches: Iterable[HeldT]) -> tuple[BatchFrame, ...]:
        """Return the stored bytes of these batches in this order, gone ones left out."""
        ...

    async def settle(self, receipts: Sequence[Receipt]) -> int:
        """Take verified receipts; return for how many batches they were the first."""
        ...

    async def give_up(self, batches: Iterable[HeldT]) -> int:
        """Give up the readings of batches whose own copy is damaged; return of how many.

        A signed loss event says so in the same transaction.
        """
        ...

    async def document(self, digest: Hash) -> Document | None:
        """Return a bundle or a profile file, or None if there is none of this hash."""
        ...

    async def begin_chain(self, reason: str) -> None:
        """Let the next batch start a new chain."""
        ...
