"""Says whether the rows of stored batches are what was once signed, block by block, newest first.

It is given the chains and the receipts of the file, and trusts nothing else in it.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from uuid import UUID

from edge_agent.buffer.content import Tally
from edge_agent.buffer.reading import DamagedError, Keys
from edge_agent.buffer.records import Head, Held
from edge_agent.buffer.retention import Span, is_within, without
from edge_agent.wire.batch import open_body
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.signing import BATCH_CONTEXT
from edge_agent.wire.vocabulary import NO_HASH, Hash

# Fields of a header (docs/wire-format.md section 2): offset 16, 32, 48 and 120.
_GATEWAY_ID: Final = slice(16, 32)
_CHAIN_ID: Final = slice(32, 48)
_BATCH_NO: Final = slice(48, 56)
_PREV_HASH: Final = slice(120, 152)

# Positions looked at between two looks at the clock.
BLOCK: Final = 1_000
# Below every position.
NOWHERE: Final = -(2**63)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the other tables of a file say: who may have signed, which batches there should be.

    Attributes:
        gateway_id: whose batches they must be.
        keys: what they must be signed with, where they name one of them.
        chains: first position of each chain and its id, rising.
        receipted_hashes: by position, of the newest batch of each run.
        waiting: positions that must be held, rising.
        emptied: positions whose readings were given up, rising.

    """

    gateway_id: UUID
    keys: Keys
    chains: Sequence[tuple[int, bytes]]
    receipted_hashes: Mapping[int, Hash]
    waiting: Sequence[Span]
    emptied: Sequence[Span]

    def is_waiting(self, position: int) -> bool:
        """Return whether the batch at this position has no receipt."""
        return is_within(self.waiting, position)


def chain_at(chains: Sequence[tuple[int, bytes]], position: int) -> tuple[int, bytes]:
    """Return first position and id of the chain that a position belongs to.

    Raises:
        DamagedError: it belongs to none.

    """
    index = bisect_right(chains, position, key=lambda chain: chain[0]) - 1
    if index < 0:
        raise DamagedError(f"position {position} belongs to no chain")
    return chains[index]


class Walk:
    """One pass over the batches, from the newest down."""

    def __init__(self, connection: sqlite3.Connection, books: Books, *, is_thorough: bool) -> None:
        self._connection = connection
        self._books = books
        self._is_thorough = is_thorough
        self.tally = Tally()
        self.verified_from = 0

    def down(self, head: int, *, newest: int, is_late: Callable[[], bool]) -> None:
        """Verify so many of the newest positions; those without a receipt whole.

        Ends early when it is late: nothing is verified below `verified_from`.

        Raises:
            DamagedError: a row is not what was stored, or one that should be there is missing.

        """
        lowest, high = head - newest + 1, head
        self.verified_from = head + 1
        while high >= lowest and not is_late():
            self.verified_from = max(lowest, high - BLOCK + 1)
            self._block(self.verified_from, high)
            high = self._highest_below(self.verified_from)
        if high < lowest or high == NOWHERE:
            self.verified_from = lowest

    def rest(self) -> Tally:
        """Return the sums with the batches that were not looked at: their bytes are estimated.

        Raises:
            DamagedError: the first or the last of them is missing.

        """
        tally = self.tally
        each_bytes = tally.size_bytes // tally.batches if tally.batches else 0
        for span in self._unseen():
            self._header(span.first), self._header(span.last)
            count = span.last - span.first + 1
            whole = without([span], self._books.emptied)
            tally = Tally(
                batches=tally.batches + count,
                readings=tally.readings + sum(map(self._readings, whole)),
                size_bytes=tally.size_bytes + count * each_bytes,
            )
        return tally

    def _readings(self, span: Span) -> int:
        """Return how many readings are in a span of one chain."""
        return self._header(span.last).next_seq - self._header(span.first).first_seq

    def _unseen(self) -> Iterator[Span]:
        """Yield the positions below `verified_from` that must be held, no span over two chains."""
        starts = [start for start, _ in self._books.chains]
        for span in self._books.waiting:
            last = min(span.last, self.verified_from - 1)
            cuts = [start for start in starts if span.first < start <= last]
            for first, end in pairwise([span.first, *cuts, last + 1]):
                if first < end:
                    yield Span(first=first, last=end - 1)

    def _header(self, position: int) -> Header:
        found = self._connection.execute(
            "SELECT header FROM sealed WHERE position = ?", (position,)
        ).fetchone()
        if found is None:
            raise DamagedError(f"batch {position} is missing, and has no receipt")
        return Header.unpack(found[0])

    def _highest_below(self, position: int) -> int:
        """Return the next lower position that is held or should be."""
        (held,) = self._connection.execute(
            "SELECT max(position) FROM sealed WHERE position < ?", (position,)
        ).fetchone()
        expected = (
            min(span.last, position - 1) for span in self._books.waiting if span.first < position
        )
        return max(expected, default=NOWHERE) if held is None else max([held, *expected])

    def _block(self, low: int, high: int) -> None:
        """Verify the batches of these positions, each against the one before."""
        before: Stored | None = None
        seen_count = 0
        for stored in self._rows(low - 1, high):
            if stored.position < low:
                before = stored
                continue
            self._verify_place(stored, before)
            is_waiting = self._books.is_waiting(stored.position)
            if is_waiting:
                seen_count += 1
                self.tally = self.tally.plus(stored.held(is_emptied=self._is_emptied(stored)))
            if is_waiting or self._is_thorough:
                self._verify_whole(stored, before)
            before = stored
        expected_count = sum(
            max(0, min(span.last, high) - max(span.first, low) + 1) for span in self._books.waiting
        )
        if seen_count != expected_count:
            missing_count = expected_count - seen_count
            raise DamagedError(f"{missing_count} batches without a receipt are missing")

    def _rows(self, low: int, high: int) -> Iterator[Stored]:
        for position, stored_hash, header, signature, size in self._connection.execute(
            "SELECT position, batch_hash, header, signature, length(body) FROM sealed"
            " WHERE position BETWEEN ? AND ? ORDER BY position",
            (low, high),
        ):
            yield Stored(
                position=position,
                batch_hash=stored_hash,
                header=header,
                signature=signature,
                body_bytes=size,
            )

    def _verify_place(self, stored: Stored, before: Stored | None) -> None:
        """Check number, chain and hashes."""
        position, header = stored.position, stored.header
        if batch_hash(header) != stored.batch_hash:
            raise DamagedError(f"batch {position}: its header does not have its hash")
        start, chain_id = chain_at(self._books.chains, position)
        number = int.from_bytes(header[_BATCH_NO], "little")
        if (header[_GATEWAY_ID], header[_CHAIN_ID], number) != (
            self._books.gateway_id.bytes,
            chain_id,
            position - start,
        ):
            raise DamagedError(f"batch {position}: of another gateway, chain or number")
        if number == 0:
            previous_hash: bytes = NO_HASH
        elif before is not None and before.position == position - 1:
            previous_hash = before.batch_hash
        else:
            previous_hash = header[_PREV_HASH]
        if header[_PREV_HASH] != previous_hash:
            raise DamagedError(f"batch {position}: does not follow the one before")
        receipted_hash = self._books.receipted_hashes.get(position, stored.batch_hash)
        if receipted_hash != stored.batch_hash:
            raise DamagedError(f"batch {position}: its receipt is about another batch")

    def _verify_whole(self, stored: Stored, before: Stored | None) -> None:
        """Check every byte of a batch: signature, rules towards the one before, body."""
        header = verified_head(stored, self._books.keys).header
        if not header.is_genesis and before is not None and before.position == stored.position - 1:
            fault = successor_fault(Header.unpack(before.header), header)
            if fault is not None:
                raise DamagedError(f"batch {stored.position}: {fault}")
        (body,) = self._connection.execute(
            "SELECT body FROM sealed WHERE position = ?", (stored.position,)
        ).fetchone()
        if self._is_emptied(stored) and header.record_count:
            open_headstone(header, body)
        else:
            open_body(header, body)

    def _is_emptied(self, stored: Stored) -> bool:
        return is_within(self._books.emptied, stored.position)


def verified_head(stored: Stored, keys: Keys) -> Head:
    """Return a row as a head, its signature checked where the key that made it is known.

    Raises:
        RefusedError: header or signature are not what was signed.

    """
    header = Header.unpack(stored.header)
    key = keys.get(header.key_id)
    if key is not None:
        key.verify(BATCH_CONTEXT, stored.header, stored.signature)
    return Head(position=stored.position, header=header, batch_hash=stored.batch_hash)


def newest_stored(connection: sqlite3.Connection) -> Stored | None:
    """Return the row of the newest batch; those salvaged from other files are not asked."""
    found = connection.execute(
        "SELECT position, batch_hash, header, signature, length(body) FROM sealed"
        " WHERE position > 0 ORDER BY position DESC LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    position, stored_hash, header, signature, size = found
    return Stored(
        position=position,
        batch_hash=stored_hash,
        header=header,
        signature=signature,
        body_bytes=size,
    )
