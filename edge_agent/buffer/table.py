"""The statements on the buffer's tables; each method is one or a few, and none decides anything."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TypeAlias
from uuid import UUID

from edge_agent.buffer.connection import Database, Row
from edge_agent.buffer.records import Held
from edge_agent.buffer.retention import Run, Span, hash_of_span
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.document import Document
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash

# Below SQLITE_MAX_VARIABLE_NUMBER of every build (sqlite.org/limits.html).
MOST_VALUES = 256

Placed: TypeAlias = tuple[int, Held]


class Table:
    """Rows in, rows out. The caller holds the lock and knows whether it is in a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def head(self) -> tuple[int, bytes]:
        """Return position and hash of the newest batch; (0, b"") when there is none."""
        found = await self._database.rows(
            "SELECT position, batch_hash FROM sealed WHERE position > 0"
            " ORDER BY position DESC LIMIT 1"
        )
        return _position_and_bytes(found[0]) if found else (0, b"")

    async def begin_chain(self, first_position: int, chain_id: UUID) -> None:
        """Say that the batches from here on are of this chain."""
        await self._database.rows(
            "INSERT INTO chain (first_position, chain_id) VALUES (?, ?)",
            (first_position, chain_id.bytes),
        )

    async def insert(self, position: int, batch: SignedBatch) -> None:
        """Store one batch."""
        await self._database.rows(
            "INSERT INTO sealed (position, batch_hash, header, signature, body)"
            " VALUES (?, ?, ?, ?, ?)",
            (position, batch.batch_hash, batch.header_bytes, batch.signature, batch.body),
        )

    async def replace_runs(self, gone: Iterable[Run], new: Iterable[Run]) -> None:
        """Bring the stored receipts up to date."""
        for run in gone:
            await self._database.rows("DELETE FROM receipt WHERE last_position = ?", (run.last,))
        for run in new:
            await self._database.rows(
                "INSERT INTO receipt (last_position, first_position, receipt, sha256)"
                " VALUES (?, ?, ?, ?)",
                (run.last, run.first, run.receipt, run.sha256),
            )

    async def replace_salvaged(self, gone: Iterable[Span], new: Iterable[Span]) -> None:
        """Bring the stored positions of salvaged batches up to date."""
        for span in gone:
            await self._database.rows(
                "DELETE FROM salvaged WHERE first_position = ?", (span.first,)
            )
        for span in new:
            await self._database.rows(
                "INSERT INTO salvaged (first_position, last_position, sha256) VALUES (?, ?, ?)",
                (span.first, span.last, hash_of_span(span.first, span.last)),
            )

    async def keep_fact(self, name: str, content: str) -> None:
        """Store a fact under its name, in the place of an earlier one."""
        await self._database.rows(
            "INSERT OR REPLACE INTO fact (name, content, sha256) VALUES (?, ?, ?)",
            (name, content, _hash_of_fact(name, content)),
        )

    async def fact(self, name: str) -> str | None:
        """Return the fact of this name; None where there is none, or not what was stored."""
        found = await self._database.rows(
            "SELECT content, sha256 FROM fact WHERE name = ?", (name,)
        )
        return sound_fact(name, *found[0]) if found else None

    async def pages(self) -> tuple[int, int]:
        """Return how many pages the file has, and how many of them are free."""
        found = await self._database.rows(
            "SELECT page_count, freelist_count FROM pragma_page_count, pragma_freelist_count"
        )
        count, free = found[0]
        return _integer(count), _integer(free)

    async def delete_oldest(self, span: Span, most: int) -> int:
        """Delete up to so many batches of the span, oldest first; return how many there were."""
        gone = await self._database.rows(
            "DELETE FROM sealed WHERE position IN (SELECT position FROM sealed"
            " WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?) RETURNING position",
            (span.first, span.last, most),
        )
        return len(gone)

    async def held(self, span: Span, most: int) -> list[Placed]:
        """Return the batches held in the span, oldest first, up to so many."""
        found = await self._database.rows(
            "SELECT position, batch_hash, header, length(body) FROM sealed"
            " WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?",
            (span.first, span.last, most),
        )
        return [_placed(row) for row in found]

    async def held_at(self, positions: Sequence[int]) -> list[Placed]:
        """Return the batches held at these positions, oldest first."""
        found: list[Placed] = []
        for start in range(0, len(positions), MOST_VALUES):
            part = positions[start : start + MOST_VALUES]
            marks = ", ".join("?" * len(part))
            rows = await self._database.rows(
                "SELECT position, batch_hash, header, length(body) FROM sealed"  # noqa: S608 - only question marks are put in
                f" WHERE position IN ({marks}) ORDER BY position",
                part,
            )
            found.extend(_placed(row) for row in rows)
        return found

    async def frame(self, position: int) -> BatchFrame | None:
        """Return the batch at this position as it was stored, or None when it is gone."""
        found = await self._database.rows(
            "SELECT header, signature, body FROM sealed WHERE position = ?", (position,)
        )
        if not found:
            return None
        header, signature, body = (_bytes(value) for value in found[0])
        return BatchFrame(flags=FrameFlag(0), header_bytes=header, signature=signature, body=body)

    async def add_marks(self, marks: Sequence[bytes], most: int) -> None:
        """Remember that these deliveries are durable; forget all but the newest."""
        for mark in marks:
            await self._database.rows("INSERT INTO delivered (mark) VALUES (?)", (mark,))
        await self._database.rows(
            "DELETE FROM delivered WHERE number <= (SELECT max(number) FROM delivered) - ?", (most,)
        )

    async def marks(self) -> list[bytes]:
        """Return the names of the newest deliveries, oldest first."""
        found = await self._database.rows("SELECT mark FROM delivered ORDER BY number")
        return [_bytes(row[0]) for row in found]

    async def keep_document(self, document: Document) -> None:
        """Store a document, once."""
        await self._database.rows(
            "INSERT OR IGNORE INTO document (sha256, packed) VALUES (?, ?)",
            (document.digest, document.packed),
        )

    async def document(self, digest: Hash) -> Document | None:
        """Return the document of this hash, or None."""
        found = await self._database.rows("SELECT packed FROM document WHERE sha256 = ?", (digest,))
        return Document(digest=digest, packed=_bytes(found[0][0])) if found else None


def sound_fact(name: str, content: object, digest: object) -> str | None:
    """Return the text of a fact; None if the row is not what was stored."""
    if not isinstance(content, str) or _hash_of_fact(name, content) != digest:
        return None
    return content


def _hash_of_fact(name: str, content: str) -> bytes:
    return sha256(name.encode() + b"\0" + content.encode()).digest()


def _placed(row: Row) -> Placed:
    position, batch_hash, header, size = row
    held = Held.of(Header.unpack(_bytes(header)), Hash(_bytes(batch_hash)), _integer(size))
    return _integer(position), held


def _position_and_bytes(row: Row) -> tuple[int, bytes]:
    position, value = row
    return _integer(position), _bytes(value)


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"the buffer holds {value!r} where an integer was stored")
    return value


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"the buffer holds {value!r} where bytes were stored")
    return value
