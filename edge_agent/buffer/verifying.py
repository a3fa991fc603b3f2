"""Says whether the bytes in a buffer's file are what was once signed; writes nothing.

It trusts nothing in the file: damage ends in a `Damaged`, never in an exception or a wrong reading.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from edge_agent.buffer import schema
from edge_agent.buffer.content import Damaged, Intact
from edge_agent.buffer.emptied import read_spans
from edge_agent.buffer.reading import (
    DAMAGE_ERRORS,
    DamagedError,
    Keys,
    Limit,
    last_verified,
    opened_read_only,
)
from edge_agent.buffer.retention import LOWEST_POSITION, Run, Span, hash_of_span, waiting, without
from edge_agent.buffer.walking import Books, Walk, chain_at, newest_stored, verified_head
from edge_agent.clock import Clock, SystemClock
from edge_agent.wire.batch import Origin, open_body
from edge_agent.wire.document import Document
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import open_headstone
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey
from edge_agent.wire.vocabulary import Hash

__all__ = ["AT_START", "THOROUGH", "Damaged", "Depth", "Intact", "inspect_file"]

PASSING_CODES: Final = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_FULL}
)
# The index of the log is made anew by whoever opens the file: that there is no room for it, or
# that it cannot be locked, says nothing of what is in the file (sqlite.org/rescode.html).
PASSING_EXTENDED_CODES: Final = frozenset(
    {
        *(sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE),
        *(sqlite3.SQLITE_IOERR_SHMLOCK, sqlite3.SQLITE_IOERR_SHMMAP),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much of a file is verified, besides its tables, its receipts and its newest batch.

    Attributes:
        newest: so many of the newest positions: number, order and hash of each batch, and of
            those without a receipt signature and payload too.
        is_thorough: every byte of every batch looked at, receipted or not.
        limit_s: when half of it has passed, nothing more is begun; a query that is still running
            when all of it has is taken for one that never ends, which no sound file causes.

    """

    newest: int
    is_thorough: bool = False
    limit_s: float = 1e9


# What a start-up may take does not grow with the outage before it. Older batches are verified
# before they leave (`store.Buffer.frames`).
AT_START: Final = Depth(newest=4_000, limit_s=6.0)
THOROUGH: Final = Depth(newest=2**63, is_thorough=True)
# The pages of a file up to 64 MB are all read: 0.1 s here, some 2 s from a slow card. What is wrong
# with those of a longer one shows when they are used, and is set aside then.
QUICK_PAGES: Final = 64_000_000 // schema.PAGE_BYTES


def inspect_file(
    path: Path,
    *,
    gateway_id: UUID,
    key: VerifyingKey,
    earlier: Iterable[VerifyingKey] = (),
    depth: Depth = AT_START,
    clock: Clock | None = None,
) -> Intact | Damaged:
    """Return what is in the buffer's file.

    A signature by a key that is not here any more is not verified: the chain of hashes up to a
    signed head binds its header all the same.

    Args:
        path: of the file.
        gateway_id: whose batches they must be.
        key: the present signing key.
        earlier: keys that signed before it, as far as they are still known.
        depth: how much of it is verified.
        clock: None: the machine's.

    Raises:
        sqlite3.OperationalError: the file is in use, or there is no memory; no word on its bytes.

    """
    clock, keys = clock or SystemClock(), {one.key_id: one for one in (*earlier, key)}
    limit = Limit(clock, depth.limit_s)
    try:
        _verify_file_header(path)
        with opened_read_only(path, limit) as connection:
            return _Inspection(connection, gateway_id, keys, depth).intact(limit.is_near)
    except (DamagedError, *DAMAGE_ERRORS) as error:
        if isinstance(error, sqlite3.Error) and is_passing(error):
            raise
        limit = Limit(clock, depth.limit_s / 2)
        last = last_verified(path, gateway_id=gateway_id, keys=keys, limit=limit)
        return Damaged(what=str(error), last=last)


def first_fault(frames: Iterable[BatchFrame], origin: Origin) -> str | None:
    """Return what is wrong with the first of these batches that is not what was signed."""
    keys = origin.verifying_keys
    for frame in frames:
        try:
            header = Header.unpack(frame.header_bytes)
            if header.key_id in keys:
                keys[header.key_id].verify(BATCH_CONTEXT, frame.header_bytes, frame.signature)
            if FrameFlag.HEADSTONE in frame.flags:
                open_headstone(header, frame.body)
            else:
                open_body(header, frame.body)
        except RefusedError as error:
            return f"a batch is not what was signed: {error}"
    return None


def is_passing(error: sqlite3.Error) -> bool:
    """Return whether an error says nothing about the bytes of the file."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF in PASSING_CODES or code in PASSING_EXTENDED_CODES)


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


class _Inspection:
    """One look at a file: its tables, its receipts, then its batches."""

    def __init__(
        self, connection: sqlite3.Connection, gateway_id: UUID, keys: Keys, depth: Depth
    ) -> None:
        self._connection = connection
        self._gateway_id = gateway_id
        self._keys = keys
        self._depth = depth

    def intact(self, is_late: Callable[[], bool]) -> Intact:
        """Return what the file holds.

        Raises:
            DamagedError, or one of DAMAGE_ERRORS: something in it is not what was written.

        """
        if self._is_fresh():
            return Intact(chains={})
        self._verify_pages()
        chains = self._connection.execute(
            "SELECT first_position, chain_id FROM chain ORDER BY first_position"
        ).fetchall()
        salvaged, runs = tuple(self._salvaged()), tuple(self._runs())
        emptied = read_spans(self._connection, "emptied")
        gone = read_spans(self._connection, "gone")
        newest = newest_stored(self._connection)
        head = 0 if newest is None else newest.position
        is_begun = any(start > 0 for start, _ in chains)
        if is_begun != bool(head) or (runs and runs[-1].last > head):
            raise DamagedError("the newest batches are missing")
        books = Books(
            gateway_id=self._gateway_id,
            keys=self._keys,
            chains=chains,
            receipted_hashes=_receipted_hashes(runs, chains),
            waiting=tuple(without(waiting(runs, head, salvaged), gone)),
            emptied=emptied,
        )
        walk = Walk(self._connection, books, is_thorough=self._depth.is_thorough)
        walk.down(head, newest=self._depth.newest, is_late=is_late)
        if not is_late():
            self._verify_documents(is_late)
        return Intact(
            head=None if newest is None else verified_head(newest, self._keys),
            runs=runs,
            salvaged=salvaged,
            verified_from=walk.verified_from,
            chains={UUID(bytes=name): start for start, name in chains},
            unreceipted=walk.rest(),
            emptied=emptied,
            gone=gone,
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

    def _verify_pages(self) -> None:
        """Let SQLite say whether its pages agree with each other, where that is soon done."""
        if self._depth.is_thorough or self._integer("PRAGMA page_count") <= QUICK_PAGES:
            (said,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                raise DamagedError(f"its pages do not agree: {said}")

    def _integer(self, sql: str) -> int:
        (value,) = self._connection.execute(sql).fetchone()
        return int(value)

    def _salvaged(self) -> Iterator[Span]:
        end = LOWEST_POSITION - 1
        for first, last, digest in self._connection.execute(
            "SELECT first_position, last_position, sha256 FROM salvaged ORDER BY 1"
        ):
            if hash_of_span(first, last) != digest or first <= end:
                raise DamagedError(f"salvaged {first} to {last}: not what was stored")
            end = last
            yield Span(first=first, last=last)

    def _runs(self) -> Iterator[Run]:
        end = LOWEST_POSITION - 1
        for first, last, packed, digest in self._connection.execute(
            "SELECT first_position, last_position, receipt, sha256 FROM receipt ORDER BY 2"
        ):
            run = Run(first=first, last=last, receipt=packed)
            if run.sha256 != digest or first <= end:
                raise DamagedError(f"receipts of {first} to {last}: not what was stored")
            end = last
            yield run

    def _verify_documents(self, is_late: Callable[[], bool]) -> None:
        for digest, packed in self._connection.execute("SELECT sha256, packed FROM document"):
            Document(digest=digest, packed=packed).verify()
            if is_late():
                return


def _receipted_hashes(
    runs: Iterable[Run], chains: Sequence[tuple[int, bytes]]
) -> Mapping[int, Hash]:
    """Return what each run's receipt is about, which must be the batch that it stands for."""
    found = {}
    for run in runs:
        start, chain_id = chain_at(chains, run.last)
        receipt = Receipt.unpack(run.receipt)
        if (receipt.chain_id.bytes, receipt.batch_no) != (chain_id, run.last - start):
            raise DamagedError(f"receipts of {run.first} to {run.last}: about another batch")
        found[run.last] = receipt.batch_hash
    return found
