"""What may be asked of the buffer: batches, frames, documents; durable ones, then those in memory.

While the disk cannot be read at all, what is in memory is still to be had.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from edge_agent.buffer.disk import Level
from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.records import Backlog, Counters, Head, Held, Key, Usage
from edge_agent.buffer.retention import Span, newest_positions, oldest_positions
from edge_agent.buffer.table import Table
from edge_agent.buffer.writing import Writer
from edge_agent.wire.document import Document
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """What the disk has left, and what is in memory because it refuses."""

    level: Level
    free_bytes: int | None
    has_ballast: bool
    volatile_readings: int


class Looking:
    """The part of the buffer that changes nothing."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def head(self) -> Head | None:
        """The newest durable batch; None only while the first could not be stored."""
        return self._writer.ledger.head

    @property
    def counters(self) -> Counters:
        """What was done since the buffer was opened."""
        return self._writer.counters

    def backlog(self) -> Backlog:
        """Return what waits for a receipt; from memory."""
        backlog, chain = self._writer.ledger.backlog, self._writer.volatile
        if chain is None:
            return backlog
        return replace(
            backlog,
            unreceipted_count=backlog.unreceipted_count + chain.tally.batches,
            readings=backlog.readings + chain.tally.readings,
            size_bytes=backlog.size_bytes + chain.tally.size_bytes,
        )

    def newest_receipt(self) -> Receipt | None:
        """Return the receipt that was given last, of those that are kept; from memory."""
        return self._writer.ledger.newest_receipt

    def usage(self) -> Usage:
        """Return how much of the quota is taken; from memory."""
        return self._writer.quota.usage

    def storage(self) -> Storage:
        """Return how the storage is; from memory."""
        writer = self._writer
        space, chain = writer.watch.space, writer.volatile
        return Storage(
            level=writer.quota.level,
            free_bytes=None if space is None else space.free_bytes,
            has_ballast=writer.watch.has_ballast,
            volatile_readings=0 if chain is None else chain.tally.readings,
        )

    async def changed(self) -> None:
        """Return after the next commit of a batch."""
        await self._changed.wait()

    async def marks(self) -> list[bytes]:
        """Return the names of the newest deliveries that are durable, oldest first."""
        async with self._reading() as table:
            return await table.marks()

    async def unreceipted(self, limit: int) -> tuple[Held, ...]:
        """Return the oldest batches without a receipt, oldest first."""
        async with self._lock:
            positions = oldest_positions(self._writer.ledger.waiting, limit)
            return (*await self._durable(positions), *self._in_memory())[:limit]

    async def newest(self, limit: int) -> tuple[Held, ...]:
        """Return the newest batches without a receipt, oldest first.

        The centre learns of another key by the last batch of the one before: only those under the
        key of the oldest.
        """
        async with self._lock:
            positions = newest_positions(self._writer.ledger.waiting, limit)
            found = (*await self._durable(positions), *self._in_memory())[-limit:]
            oldest = self._writer.ledger.backlog.oldest
            return tuple(one for one in found if oldest is None or one.key_id == oldest.key_id)

    async def held_from(self, chain_id: UUID, batch_no: int, limit: int) -> tuple[Held, ...]:
        """Return batches of one chain from a number on, receipted or not, oldest first."""
        mine = [one for one in self._in_memory() if one.chain_id == chain_id]
        if mine:
            return tuple(one for one in mine if one.batch_no >= batch_no)[:limit]
        async with self._reading() as table:
            ledger = self._writer.ledger
            last = ledger.end_of_chain(chain_id)
            start = ledger.position_of(Key(chain_id=chain_id, batch_no=0))
            if start is None:
                return ()
            # A number that the centre names may be larger than SQLite can be asked for.
            span = Span(first=min(start + batch_no, last + 1), last=last)
            return tuple(held for _, held in await table.held(span, limit))

    async def held_below(self, chain_id: UUID, batch_no: int) -> tuple[Held, ...]:
        """Return the newest durable batch of a chain below a number, receipted or not, if any."""
        async with self._reading() as table:
            ledger = self._writer.ledger
            start = ledger.position_of(Key(chain_id=chain_id, batch_no=0))
            if start is None:
                return ()
            last = min(start + batch_no - 1, ledger.end_of_chain(chain_id))
            return tuple(held for _, held in await table.newest_held(Span(first=start, last=last)))

    async def held(self, keys: Iterable[Key]) -> tuple[Held, ...]:
        """Return those of these durable batches that are held, receipted or not, oldest first."""
        async with self._reading() as table:
            return tuple(held for _, held in await table.held_at(self._positions(keys)))

    async def frames(self, batches: Iterable[Key | Held]) -> tuple[BatchFrame, ...]:
        """Return the stored bytes of these batches in the order asked for, gone ones left out.

        What the start did not verify is verified here: damaged bytes never leave.

        Raises:
            BufferUnavailableError: damage was found; the next call sets the files aside.

        """
        keys = [each.key if isinstance(each, Held) else each for each in batches]
        async with self._lock:
            every = await self._frames(keys)
            await self._writer.verify((place, frame) for place, frame in every if place is not None)
            return tuple(frame for _, frame in every)

    async def document(self, digest: Hash) -> Document | None:
        """Return what is kept under a hash, or None."""
        async with self._reading() as table:
            return await table.document(digest)

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Table]:
        async with self._lock, self._readable() as table:
            yield table

    @asynccontextmanager
    async def _readable(self) -> AsyncIterator[Table]:
        try:
            await self._writer.mend_to_read()
            yield self._writer.table
        except sqlite3.Error as error:
            raise self._writer.failed(error) from error

    async def _durable(self, positions: Sequence[int]) -> tuple[Held, ...]:
        """Return what is on the disk; nothing, where it cannot be read and memory holds more."""

        async def read() -> tuple[Held, ...]:
            async with self._readable() as table:
                found = await table.held_at(positions)
                if len(found) < len(positions):
                    raise self._writer.found_damage("batches without a receipt are missing")
                return tuple(held for _, held in found)

        return await self._if_readable(read(), ())

    async def _frames(self, keys: Sequence[Key]) -> list[tuple[int | None, BatchFrame]]:
        """Return batches with their positions, None in memory; those that are gone left out."""
        chain = self._writer.volatile
        found: dict[Key, tuple[int | None, BatchFrame]] = {}
        if chain is not None:
            in_memory = ((key, chain.frame(key)) for key in keys)
            found = {key: (None, frame) for key, frame in in_memory if frame is not None}
        places = {self._writer.ledger.position_of(key): key for key in keys if key not in found}
        if positions := [place for place in places if place is not None]:
            async with self._readable() as table:
                for place, frame in await table.frames(positions):
                    found[places[place]] = (place, frame)
        return [found[key] for key in keys if key in found]

    async def _if_readable(
        self, work: Awaitable[tuple[Held, ...]], otherwise: tuple[Held, ...]
    ) -> tuple[Held, ...]:
        try:
            return await work
        except BufferUnavailableError:
            if self._writer.volatile is None:
                raise
            return otherwise

    def _in_memory(self) -> tuple[Held, ...]:
        chain = self._writer.volatile
        return () if chain is None else chain.held()

    def _positions(self, keys: Iterable[Key]) -> list[int]:
        places = (self._writer.ledger.position_of(key) for key in keys)
        return [place for place in places if place is not None]
