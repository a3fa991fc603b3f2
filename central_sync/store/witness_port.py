"""The part of the store port that the witness needs: the log, and the record as archives list it.

As in `central_sync.store.port`, a method either did all it says, durably, or nothing.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from central_sync.model import StoredBatch, StoredLine
from central_sync.proofs.entry import FactEntry
from central_sync.proofs.note import NoteKey
from central_sync.store.segments import Segment
from edge_agent.wire.signing import VerifyingKey
from edge_agent.wire.vocabulary import Hash


class Log(Protocol):
    """The log of everything that was accepted and every fact of the registry (docs/witness.md).

    It is appended to by the other verbs, in their transactions. Entries count from 0.
    """

    def begin_log(self, log_key: NoteKey, receipt_key: VerifyingKey) -> None:
        """Log the keys in use and whatever the registry knows that was not logged yet."""
        ...

    def add_fact(self, fact: FactEntry) -> int:
        """Append a fact; return its index."""
        ...

    def log_size(self) -> int:
        """Return how many entries the log has."""
        ...

    def log_root(self, size: int) -> Hash:
        """Return the tree hash of the first `size` entries; ValueError when there are fewer."""
        ...

    def log_entries(self, start: int, count: int) -> tuple[bytes, ...]:
        """Return the entries from `start` on, `count` at most."""
        ...

    def log_facts(self, start: int, count: int) -> tuple[tuple[int, bytes], ...]:
        """Return the entries from `start` on that are facts, `count` at most, with their places."""
        ...

    def inclusion_proof(self, index: int, size: int) -> tuple[Hash, ...]:
        """Return the audit path of an entry; ValueError when there is none."""
        ...

    def consistency_proof(self, old: int, new: int) -> tuple[Hash, ...]:
        """Return the proof that one tree begins the other; ValueError when it cannot be."""
        ...

    def roots_around(self, indices: Sequence[int], size: int) -> tuple[Hash, ...]:
        """Return the roots of the largest subtrees without any of these entries (rising)."""
        ...

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Keep a signed checkpoint."""
        ...

    def checkpoint(self) -> bytes | None:
        """Return the checkpoint of the largest tree; None before the first."""
        ...


class Archive(Protocol):
    """The record in the order in which it is sealed and exported."""

    def unsealed(self, before_ns: int, limit_bytes: int) -> tuple[StoredBatch, ...]:
        """Return the oldest batches received before a time that are in no segment.

        Ends with the one whose body reaches `limit_bytes`.
        """
        ...

    def seal(self, segment: Segment) -> int:
        """Forget the bodies that a segment holds, which is on the disk; return how many.

        A batch that changed since (a headstone that got its readings) keeps its body here.
        """
        ...

    def lines(
        self, gateway_id: UUID | None, from_ns: int | None, to_ns: int | None
    ) -> tuple[StoredLine, ...]:
        """Return, of each chain, the numbers that have to do with [from_ns, to_ns)."""
        ...

    def line_batches(
        self, line: StoredLine, after: tuple[int, Hash] | None, limit: int
    ) -> tuple[StoredBatch, ...]:
        """Return batches of a line, of branches too, by number and then by hash.

        `after`: number and hash of the last one that was returned before.
        """
        ...
