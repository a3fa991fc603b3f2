"""Says whether the bytes in a buffer's file are what was once signed; writes nothing.

It trusts nothing in the file: damage ends in a `Damaged`, never in an exception or a wrong reading.
"""

import sqlite3
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from edge_agent.buffer import schema
from edge_agent.buffer.content import Damaged, Intact, Stored, Tally
from edge_agent.buffer.emptied import is_lost, read_emptied
from edge_agent.buffer.reading import DAMAGE_ERRORS, last_verified, opened_read_only
from edge_agent.buffer.records import Head
from edge_agent.buffer.retention import FIRST_POSITION, Run, Span, is_within, waiting
from edge_agent.wire.batch import open_body
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.document import Document
from edge_agent.wire.header import Header, batch_hash
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import NO_HASH, Hash

__all__ = ["AT_START", "THOROUGH", "Damaged", "Depth", "Intact", "inspect_file"]

# Fields of a header (docs/wire-format.md section 2): offset 16, 32, 48 and 120.
_GATEWAY_ID: Final = slice(16, 32)
_CHAIN_ID: Final = slice(32, 48)
_BATCH_NO: Final = slice(48, 56)
_PREV_HASH: Final = slice(120, 152)


PASSING_CODES: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_FULL}
)


class DamagedError(Exception):
    """A stored byte is not what it was; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much of a file is verified, besides all hashes of headers and all receipts.

    Attributes:
        newest_waiting: so many of the newest batches without a receipt are verified whole:
            signature, payload, parts.
        is_thorough: every batch held is.

    """

    newest_waiting: int
    is_thorough: bool = False


# A day of ten-second batches takes 2 s here; older ones are verified by the centre, which gives no
# receipt for damaged bytes, and a start-up must not take longer the longer the outage was.
AT_START: Final = Depth(newest_waiting=10_000)
THOROUGH: Final = Depth(newest_waiting=0, is_thorough=True)


def inspect_file(
    path: Path, *, gateway_id: UUID, key: VerifyingKey, depth: Depth = AT_START
) -> Intact | Damaged:
    """Return what is in the buffer's file.

    A signature of an earlier key of this gateway is not verified: the present key cannot, and the
    chain of hashes up to a signed head binds its header all the same.

    Raises:
        sqlite3.OperationalError: the file is in use, or there is no memory; no word on its bytes.

    """
    try:
        _verify_file_header(path)
        with opened_read_only(path) as connection:
            return _Walk(connection, gateway_id, key, depth).intact()
    except (DamagedError, *DAMAGE_ERRORS) as error:
        if isinstance(error, sqlite3.Error) and is_passing(error):
            raise
        return Damaged(what=str(error), last=last_verified(path, gateway_id=gateway_id, key=key))


def is_passing(error: sqlite3.Error) -> bool:
    """Return whether an error says nothing about the bytes of the file."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in PASSING_CODES


def _verify_file_header(path: Path) -> None:
    """Check the constants in the header: a damaged one can make a readable file unwritable.

    Source: SQLite database file format, section 1.3 (the database header).
    """
    try:
        with path.open("rb") as file:
            header = file.read(schema.FILE_HEADER_BYTES)
    except OSError as error:
        raise DamagedError(f"its header cannot be read: {error}") from error
    for offset, constant in schema.FILE_HEADER.items():
        if header[offset : offset + len(constant)] != constant:
            raise DamagedError(f"its header is not that of a buffer, at byte {offset}")


# Root pages left out: a damaged one makes its table unreadable.
_SCHEMA: Final = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"


def _expected_schema() -> list[tuple[str, str, str, str | None]]:
    """Return what an undamaged file says about its tables: their text would fail the inserts."""
    with closing(sqlite3.connect(":memory:")) as model:
        for statement in schema.TABLES:
            model.execute(statement)
        return model.execute(_SCHEMA).fetchall()


class _Walk:
    """One pass over a file, in order of position."""

    def __init__(
        self, connection: sqlite3.Connection, gateway_id: UUID, key: VerifyingKey, depth: Depth
    ) -> None:
        self._connection = connection
        self._gateway_id = gateway_id
        self._key = key
        self._depth = depth
        self._starts: list[int] = []
        self._chain_ids: list[bytes] = []
        self._receipted_hashes: dict[int, Hash] = {}
        self._emptied: tuple[Span, ...] = ()

    def intact(self) -> Intact:
        """Return what the file holds.

        Raises:
            DamagedError, or one of DAMAGE_ERRORS: something in it is not what was written.

        """
        if self._is_fresh():
            return Intact(chains={})
        self._read_chains()
        runs = tuple(self._runs())
        self._emptied = read_emptied(self._connection)
        head_position = self._integer("SELECT coalesce(max(position), 0) FROM sealed")
        if bool(self._starts) != bool(head_position) or (runs and runs[-1].last > head_position):
            raise DamagedError("the newest batches are missing")
        spans = deque(waiting(runs, head_position))
        expected = sum(span.last - span.first + 1 for span in spans)
        whole_after = head_position - self._depth.newest_waiting
        before: Stored | None = None
        tally, held_count, lost = Tally(), 0, set[int]()
        for stored in self._stored():
            self._verify_place(stored, before)
            while spans and spans[0].last < stored.position:
                spans.popleft()
            is_waiting = bool(spans) and spans[0].first <= stored.position
            held_count += 1
            if is_lost(self._emptied, stored):
                lost.add(stored.position)
                expected -= is_waiting
            else:
                is_emptied = is_within(self._emptied, stored.position)
                tally = tally.plus(stored.held(is_emptied=is_emptied)) if is_waiting else tally
                if self._depth.is_thorough or (is_waiting and stored.position > whole_after):
                    self._verify_whole(stored, before)
            before = stored
        if tally.batches != expected:
            raise DamagedError(f"{expected - tally.batches} batches without a receipt are missing")
        self._verify_documents()
        return Intact(
            head=None if before is None else self._head(before),
            runs=runs,
            chains={
                UUID(bytes=name): start
                for name, start in zip(self._chain_ids, self._starts, strict=True)
            },
            unreceipted=tally,
            held_count=held_count,
            emptied=self._emptied,
            lost=frozenset(lost),
        )

    def _is_fresh(self) -> bool:
        """Return whether a first start was cut off before the tables were there."""
        is_empty = self._integer("SELECT count(*) FROM sqlite_schema") == 0
        if is_empty and self._integer("PRAGMA page_count") <= 1:
            return True
        found = [self._integer(f"PRAGMA {name}") for name in schema.MARKS]
        if found != list(schema.MARKS.values()):
            raise DamagedError(f"{found} is no buffer of ours, must be {[*schema.MARKS.values()]}")
        if self._connection.execute(_SCHEMA).fetchall() != _expected_schema():
            raise DamagedError("its tables are not those of this software")
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
        for position, stored_hash, header, signature, size in self._connection.execute(
            "SELECT position, batch_hash, header, signature, length(body) FROM sealed"
            " ORDER BY position"
        ):
            yield Stored(
                position=position,
                batch_hash=stored_hash,
                header=header,
                signature=signature,
                body_bytes=size,
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

    def _verify_whole(self, stored: Stored, before: Stored | None) -> None:
        """Check every byte of a batch: signature, rules towards the one before, body if any."""
        header = self._head(stored).header
        if not header.is_genesis and before is not None and before.position == stored.position - 1:
            fault = successor_fault(Header.unpack(before.header), header)
            if fault is not None:
                raise DamagedError(f"batch {stored.position}: {fault}")
        (body,) = self._connection.execute(
            "SELECT body FROM sealed WHERE position = ?", (stored.position,)
        ).fetchone()
        if is_within(self._emptied, stored.position) and header.record_count:
            open_headstone(header, body)
        else:
            open_body(header, body)

    def _head(self, stored: Stored) -> Head:
        header = Header.unpack(stored.header)
        if header.key_id == self._key.key_id:
            self._key.verify(BATCH_CONTEXT, stored.header, stored.signature)
        return Head(position=stored.position, header=header, batch_hash=stored.batch_hash)

    def _verify_documents(self) -> None:
        for digest, packed in self._connection.execute("SELECT sha256, packed FROM document"):
            Document(digest=digest, packed=packed).verify()
