"""Reads a buffer's file and says whether every byte in it is what was once signed; writes nothing.

It opens the file read-only, with its log, and trusts nothing in it: any damage whatsoever ends in
a `Damaged`, never in an exception or a wrong reading.
"""

import sqlite3
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from edge_agent.buffer.records import Head, Held
from edge_agent.buffer.retention import FIRST_POSITION, Run, waiting
from edge_agent.buffer.schema import APPLICATION_ID, USER_VERSION
from edge_agent.wire.batch import open_body
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import NO_HASH, Hash

# Fields of a header (docs/wire-format.md section 2): offset 16, 32, 48 and 120.
_GATEWAY_ID: Final = slice(16, 32)
_CHAIN_ID: Final = slice(32, 48)
_BATCH_NO: Final = slice(48, 56)
_PREV_HASH: Final = slice(120, 152)


class DamagedError(Exception):
    """A stored byte is not what it was; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over the batches without a receipt; `size_bytes` is that of their frames."""

    batches: int = 0
    readings: int = 0
    size_bytes: int = 0

    def plus(self, held: Held, sign: int = 1) -> "Tally":
        """Return the sums with one batch more, or less with sign -1."""
        return Tally(
            batches=self.batches + sign,
            readings=self.readings + sign * held.record_count,
            size_bytes=self.size_bytes + sign * held.size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One row of the batch table, without its body, as bytes."""

    position: int
    batch_hash: Hash
    header: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Intact:
    """A buffer that was verified; `head` is None before its first batch."""

    head: Head | None = None
    runs: tuple[Run, ...] = ()
    chains: Mapping[UUID, int]
    unreceipted: Tally = Tally()
    held_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A buffer that must not be written to again; `last` is its newest batch that verifies."""

    what: str
    last: Head | None


def inspect_file(path: Path, *, gateway_id: UUID, key: VerifyingKey) -> Intact | Damaged:
    """Return what is in the buffer's file.

    Batches without a receipt are verified whole: number, previous hash, payload hash, signature.
    Of the others the headers are. A signature of an earlier key of this gateway is not verified:
    this key cannot, and the chain of hashes that ends in a signed head still binds its header.
    """
    try:
        with closing(connect_read_only(path)) as connection:
            return _Walk(connection, gateway_id, key).intact()
    except (DamagedError, RefusedError, sqlite3.Error, ValueError, TypeError) as error:
        return Damaged(what=str(error), last=last_verified(path, gateway_id=gateway_id, key=key))


def last_verified(path: Path, *, gateway_id: UUID, key: VerifyingKey) -> Head | None:
    """Return the newest batch of a damaged file whose header and signature still verify."""
    for order in ("DESC", "ASC"):
        best: Head | None = None
        try:
            with closing(connect_read_only(path)) as connection:
                for row in connection.execute(
                    "SELECT position, batch_hash, header, signature FROM sealed"  # noqa: S608 - the order is a literal above
                    f" ORDER BY position {order}"
                ):
                    head = _verified_head(row, gateway_id, key)
                    if head is not None and order == "DESC":
                        return head
                    best = head or best
        except (sqlite3.Error, ValueError, TypeError):
            pass
        if best is not None:
            return best
    return None


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that cannot change the file."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


class _Walk:
    """One pass over a file, in order of position."""

    def __init__(self, connection: sqlite3.Connection, gateway_id: UUID, key: VerifyingKey) -> None:
        self._connection = connection
        self._gateway_id = gateway_id
        self._key = key
        self._starts: list[int] = []
        self._chain_ids: list[bytes] = []
        self._receipted_hashes: dict[int, Hash] = {}

    def intact(self) -> Intact:
        """Return what the file holds.

        Raises:
            DamagedError, RefusedError, sqlite3.Error, ValueError, TypeError: something in it is
                not what was written.

        """
        if self._is_fresh():
            return Intact(chains={})
        self._read_chains()
        runs = tuple(self._runs())
        head_position = self._integer("SELECT coalesce(max(position), 0) FROM sealed")
        spans = deque(waiting(runs, head_position))
        expected = sum(span.last - span.first + 1 for span in spans)
        before: Stored | None = None
        tally, held_count = Tally(), 0
        for stored in self._stored():
            self._verify_place(stored, before)
            while spans and spans[0].last < stored.position:
                spans.popleft()
            if spans and spans[0].first <= stored.position:
                tally = tally.plus(self._verified(stored, before))
            before, held_count = stored, held_count + 1
        if tally.batches != expected:
            raise DamagedError(f"{expected - tally.batches} batches without a receipt are missing")
        self._verify_documents()
        chains = {
            UUID(bytes=name): at for name, at in zip(self._chain_ids, self._starts, strict=True)
        }
        head = None if before is None else self._head(before)
        return Intact(head=head, runs=runs, chains=chains, unreceipted=tally, held_count=held_count)

    def _is_fresh(self) -> bool:
        """Return whether a first start was cut off before the tables were there."""
        is_empty = self._integer("SELECT count(*) FROM sqlite_schema") == 0
        if is_empty and self._integer("PRAGMA page_count") <= 1:
            return True
        found = self._integer("PRAGMA application_id"), self._integer("PRAGMA user_version")
        if found != (APPLICATION_ID, USER_VERSION):
            raise DamagedError(
                f"{found} is no buffer of ours, must be {APPLICATION_ID, USER_VERSION}"
            )
        return False

    def _integer(self, sql: str) -> int:
        (value,) = self._connection.execute(sql).fetchone()
        return int(value)

    def _read_chains(self) -> None:
        for start, name in self._connection.execute(
            "SELECT first_position, chain_id FROM chain ORDER BY first_position"
        ):
            self._starts.append(start)
            self._chain_ids.append(name)

    def _chain_at(self, position: int) -> tuple[int, bytes]:
        """Return first position and id of the chain that this position belongs to."""
        index = bisect_right(self._starts, position) - 1
        if index < 0:
            raise DamagedError(f"position {position} belongs to no chain")
        return self._starts[index], self._chain_ids[index]

    def _runs(self) -> Iterator[Run]:
        end = FIRST_POSITION - 1
        for first, last, packed, digest in self._connection.execute(
            "SELECT first_position, last_position, receipt, sha256 FROM receipt ORDER BY 2"
        ):
            run = Run(first=first, last=last, receipt=packed)
            if run.sha256 != digest or first <= end:
                raise DamagedError(f"receipts of {first} to {last}: not what was stored")
            start, chain_id = self._chain_at(last)
            receipt = Receipt.unpack(packed)
            if (receipt.chain_id.bytes, receipt.batch_no) != (chain_id, last - start):
                raise DamagedError(f"receipts of {first} to {last}: about another batch")
            self._receipted_hashes[last] = receipt.batch_hash
            end = last
            yield run

    def _stored(self) -> Iterator[Stored]:
        for position, stored_hash, header, signature in self._connection.execute(
            "SELECT position, batch_hash, header, signature FROM sealed ORDER BY position"
        ):
            yield Stored(
                position=position, batch_hash=stored_hash, header=header, signature=signature
            )

    def _verify_place(self, stored: Stored, before: Stored | None) -> None:
        """Check number, chain and hashes; on the bytes, because there may be many batches."""
        position = stored.position
        if batch_hash(stored.header) != stored.batch_hash:
            raise DamagedError(f"batch {position}: its header does not have its hash")
        start, chain_id = self._chain_at(position)
        number = int.from_bytes(stored.header[_BATCH_NO], "little")
        if (stored.header[_GATEWAY_ID], stored.header[_CHAIN_ID], number) != (
            self._gateway_id.bytes,
            chain_id,
            position - start,
        ):
            raise DamagedError(f"batch {position}: of another gateway, chain or number")
        if number == 0:
            previous_hash: bytes = NO_HASH
        elif before is not None and before.position == position - 1:
            previous_hash = before.batch_hash
        else:
            previous_hash = stored.header[_PREV_HASH]
        if stored.header[_PREV_HASH] != previous_hash:
            raise DamagedError(f"batch {position}: does not follow the one before")
        if self._receipted_hashes.get(position, stored.batch_hash) != stored.batch_hash:
            raise DamagedError(f"batch {position}: its receipt is about another batch")

    def _verified(self, stored: Stored, before: Stored | None) -> Held:
        """Return one batch that waits for its receipt, every byte of it verified."""
        header = Header.unpack(stored.header)
        if header.key_id == self._key.key_id:
            self._key.verify(BATCH_CONTEXT, stored.header, stored.signature)
        if not header.is_genesis and before is not None and before.position == stored.position - 1:
            fault = successor_fault(Header.unpack(before.header), header)
            if fault is not None:
                raise DamagedError(f"batch {stored.position}: {fault}")
        (body,) = self._connection.execute(
            "SELECT body FROM sealed WHERE position = ?", (stored.position,)
        ).fetchone()
        open_body(header, body)
        return Held.of(header, stored.batch_hash, len(body))

    def _head(self, stored: Stored) -> Head:
        header = Header.unpack(stored.header)
        if header.key_id == self._key.key_id:
            self._key.verify(BATCH_CONTEXT, stored.header, stored.signature)
        return Head(position=stored.position, header=header, batch_hash=stored.batch_hash)

    def _verify_documents(self) -> None:
        for digest, body in self._connection.execute("SELECT sha256, body FROM document"):
            if sha256(body).digest() != digest:
                raise DamagedError(f"document {bytes(digest).hex()}: not what was stored")


def _verified_head(
    row: tuple[int, bytes, bytes, bytes], gateway_id: UUID, key: VerifyingKey
) -> Head | None:
    """Return the batch in this row of a damaged file, or None if it does not verify."""
    position, stored_hash, header_bytes, signature = row
    try:
        header = Header.unpack(header_bytes)
        key.verify(BATCH_CONTEXT, header_bytes, signature)
    except (RefusedError, TypeError):
        return None
    if header.gateway_id != gateway_id or batch_hash(header_bytes) != stored_hash:
        return None
    return Head(position=position, header=header, batch_hash=Hash(stored_hash))
