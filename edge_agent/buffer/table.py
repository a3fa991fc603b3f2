"""The statements on the buffer's tables; each method is one or a few, and none decides anything."""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final, Literal, TypeAlias
from uuid import UUID

from edge_agent.buffer.connection import Database, Row
from edge_agent.buffer.giving_up import Copy, GivenUp
from edge_agent.buffer.records import Held
from edge_agent.buffer.retention import Run, Span, hash_of_span
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.document import Document
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Hash

# Below SQLITE_MAX_VARIABLE_NUMBER of every build (sqlite.org/limits.html).
MOST_VALUES = 256

# Whether the readings of a batch were given up; one step into an index of few rows.
IS_EMPTIED: Final = (
    "coalesce((SELECT first_position <= sealed.position FROM emptied"
    " WHERE last_position >= sealed.position ORDER BY last_position LIMIT 1), 0)"
)
_HELD: Final = (
    f"SELECT position, batch_hash, header, length(body), {IS_EMPTIED} FROM sealed"  # noqa: S608 - a constant
    " WHERE"
)

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

    async def replace_every_run(self, runs: Iterable[Run]) -> None:
        """Store these receipts in the place of all."""
        await self._database.rows("DELETE FROM receipt")
        await self.replace_runs((), runs)

    async def empty(self, given: Iterable[GivenUp]) -> None:
        """Put their headstones in the place of batches, or nothing where there is none."""
        for one in given:
            if one.body:
                await self._database.rows(
                    "UPDATE sealed SET body = ? WHERE position = ?", (one.body, one.position)
                )
            else:
                await self._database.rows("DELETE FROM sealed WHERE position = ?", (one.position,))

    async def replace_emptied(self, before: Iterable[Span], after: Iterable[Span]) -> None:
        """Bring up to date where readings were given up."""
        await self._replace_spans("emptied", before, after)

    async def replace_gone(self, before: Iterable[Span], after: Iterable[Span]) -> None:
        """Bring up to date where batches are gone altogether."""
        await self._replace_spans("gone", before, after)

    async def _replace_spans(
        self, name: Literal["emptied", "gone"], before: Iterable[Span], after: Iterable[Span]
    ) -> None:
        old, new = frozenset(before), frozenset(after)
        for span in old - new:
            await self._database.rows(f"DELETE FROM {name} WHERE last_position = ?", (span.last,))  # noqa: S608 - one of two names
        for span in new - old:
            await self._database.rows(
                f"INSERT INTO {name} (last_position, first_position, sha256) VALUES (?, ?, ?)",  # noqa: S608 - one of two names
                (span.last, span.first, hash_of_span(span.first, span.last)),
            )

    async def stored(self, span: Span, most: int) -> list[Copy]:
        """Return the oldest batches of the span, up to so many."""
        found = await self._database.rows(
            "SELECT position, batch_hash, header, body FROM sealed"
            " WHERE position BETWEEN ? AND ? ORDER BY position LIMIT ?",
            (span.first, span.last, most),
        )
        return [
            Copy(
                position=_integer(row[0]),
                batch_hash=_bytes(row[1]),
                header=_bytes(row[2]),
                body=_bytes(row[3]),
            )
            for row in found
        ]

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
            f"{_HELD} position BETWEEN ? AND ? ORDER BY position LIMIT ?",
            (span.first, span.last, most),
        )
        return [_placed(row) for row in found]

    async def newest_held(self, span: Span) -> list[Placed]:
        """Return the newest batch held in the span, if there is one."""
        found = await self._database.rows(
            f"{_HELD} position BETWEEN ? AND ? ORDER BY position DESC LIMIT 1",
            (span.first, span.last),
        )
        return [_placed(row) for row in found]

    async def held_at(self, positions: Sequence[int]) -> list[Placed]:
        """Return the batches held at these positions, oldest first."""
        found: list[Placed] = []
        for start in range(0, len(positions), MOST_VALUES):
            part = positions[start : start + MOST_VALUES]
            marks = ", ".join("?" * len(part))
            rows = await self._database.rows(
                f"{_HELD} position IN ({marks}) ORDER BY position", part
            )
            found.extend(_placed(row) for row in rows)
        return found

    async def frame(self, position: int) -> BatchFrame | None:
        """Return the batch at this position as it was stored, or None when it is gone."""
        found = await self.frames([position])
        return found[0][1] if found else None

    async def frames(self, positions: Sequence[int]) -> list[tuple[int, BatchFrame]]:
        """Return the batches at these positions as they were stored, in the order asked for.

        Each with its position; those that are gone are left out. One statement reads many: a
        backlog is sent 256 at a time.
        """
        found: dict[int, BatchFrame] = {}
        for start in range(0, len(positions), MOST_VALUES):
            part = positions[start : start + MOST_VALUES]
            marks = ", ".join("?" * len(part))
            for row in await self._database.rows(
                f"SELECT position, {IS_EMPTIED}, header, signature, body FROM sealed"  # noqa: S608 - a constant, and question marks
                f" WHERE position IN ({marks})",
                part,
            ):
                found[_integer(row[0])] = _frame(row)
        return [(position, found[position]) for position in positions if position in found]

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


def _frame(row: Row) -> BatchFrame:
    _, is_emptied, *parts = row
    header, signature, body = (_bytes(part) for part in parts)
    is_headstone = is_emptied and Header.unpack(header).record_count
    flags = FrameFlag.HEADSTONE if is_headstone else FrameFlag(0)
    return BatchFrame(flags=flags, header_bytes=header, signature=signature, body=body)


def _placed(row: Row) -> Placed:
    position, batch_hash, header_bytes, size, is_emptied = row
    header = Header.unpack(_bytes(header_bytes))
    held = Held.of(
        header,
        Hash(_bytes(batch_hash)),
        _integer(size),
        is_headstone=bool(is_emptied and header.record_count),
    )
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
