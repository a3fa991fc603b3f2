"""The buffer: batches become durable here, wait for their receipts, and are then forgotten.

One connection, one lock around it, and nobody sees what has not been committed. `writing` holds
the transaction, `retention` says what may go; here is what the rest of the agent may ask for.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError
from edge_agent.buffer.ledger import Ledger, Settlement
from edge_agent.buffer.opening import examine, sole_owner, tell_opening
from edge_agent.buffer.records import (
    Backlog,
    Boot,
    Counters,
    Head,
    Held,
    Key,
    Nothing,
    Portion,
    Usage,
)
from edge_agent.buffer.retention import Span, newest_positions, oldest_positions
from edge_agent.buffer.table import Table
from edge_agent.buffer.writing import Writer
from edge_agent.clock import Clock
from edge_agent.config.model import BufferSettings
from edge_agent.wire.batch import Origin
from edge_agent.wire.document import Document
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash

__all__ = ["Buffer", "BufferFullError", "BufferUnavailableError", "open_buffer"]


class Buffer:
    """What `open_buffer` yields; it belongs to one event loop."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        self._space = asyncio.Event()

    @property
    def _ledger(self) -> Ledger:
        return self._writer.ledger

    @property
    def head(self) -> Head | None:
        """The newest durable batch; None only while the first could not be stored."""
        return self._ledger.head

    @property
    def counters(self) -> Counters:
        """What was done since the buffer was opened."""
        return self._writer.counters

    def backlog(self) -> Backlog:
        """Return what waits for a receipt; from memory."""
        return self._ledger.backlog

    def newest_receipt(self) -> Receipt | None:
        """Return the receipt that was given last, of those that are kept; from memory."""
        return self._ledger.newest_receipt

    def usage(self) -> Usage:
        """Return how much of the quota is taken; from memory."""
        return self._writer.quota.usage

    async def changed(self) -> None:
        """Return after the next commit of a batch."""
        await self._changed.wait()

    async def has_space(self) -> None:
        """Return once a receipt has come after the buffer was found full."""
        await self._space.wait()

    async def append(self, portion: Portion) -> tuple[Held, ...]:
        """Make a portion durable as one or more signed batches; return them.

        After an error the portion was not stored. Call again with the same object: what became
        of the failed commit is found out first, and nothing is stored twice.

        Raises:
            BufferFullError: the quota is full of undelivered batches; wait for `has_space`.
            BufferUnavailableError: the storage refused twice.

        """
        async with self._lock:
            try:
                stored = await self._writer.store(portion)
            except BufferFullError:
                self._space.clear()
                raise
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error
            if stored:
                self._tell()
            return stored

    async def marks(self) -> list[bytes]:
        """Return the names of the newest deliveries that are durable, oldest first."""
        async with self._reading() as table:
            return await table.marks()

    async def settle(self, receipts: Sequence[Receipt]) -> int:
        """Take verified receipts; return for how many batches they were the first.

        They count at once, and reach the disk with the next commit: a receipt lost on the way is
        only asked for again. Receipts about other bytes than those held here change nothing.
        """
        async with self._reading() as table:
            keys = (Key(chain_id=each.chain_id, batch_no=each.batch_no) for each in receipts)
            placed = await table.held_at(self._ledger.positions_of(keys))
            settlement = self._ledger.settlement(placed, receipts)
            if settlement.fresh_count:
                await self._note(table, settlement)
                self._space.set()
            return settlement.fresh_count

    async def flush(self) -> None:
        """Bring to the disk now what would go with the next commit.

        That is receipts, and what a failed or cancelled `append` had to leave.

        Raises:
            BufferFullError, BufferUnavailableError: as `append`.

        """
        async with self._lock:
            try:
                await self._writer.store_rest()
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error

    async def unreceipted(self, limit: int) -> tuple[Held, ...]:
        """Return the oldest batches without a receipt, oldest first."""
        async with self._reading() as table:
            positions = oldest_positions(self._ledger.waiting, limit)
            found = await table.held_at(positions)
            if len(found) < len(positions):
                raise self._writer.found_damage("batches without a receipt are missing")
            return tuple(held for _, held in found)

    async def newest(self, limit: int) -> tuple[Held, ...]:
        """Return the newest batches without a receipt that may go first, oldest first."""
        async with self._reading() as table:
            positions = newest_positions(self._ledger.waiting, limit)
            found = [held for _, held in await table.held_at(positions)]
            return self._ledger.backlog.may_go_first(found)

    async def held_from(self, chain_id: UUID, batch_no: int, limit: int) -> tuple[Held, ...]:
        """Return batches of one chain from a number on, receipted or not, oldest first."""
        async with self._reading() as table:
            last = self._ledger.end_of_chain(chain_id)
            start = self._ledger.position_of(Key(chain_id=chain_id, batch_no=0))
            if start is None:
                return ()
            span = Span(first=start + batch_no, last=last)
            return tuple(held for _, held in await table.held(span, limit))

    async def held(self, keys: Iterable[Key]) -> tuple[Held, ...]:
        """Return those of these batches that are still held, receipted or not, oldest first."""
        async with self._reading() as table:
            return tuple(held for _, held in await table.held_at(self._ledger.positions_of(keys)))

    async def frames(self, batches: Iterable[Key | Held]) -> tuple[BatchFrame, ...]:
        """Return the stored bytes of these batches in the order asked for, gone ones left out.

        What the start did not verify is verified here: damaged bytes never leave.

        Raises:
            BufferUnavailableError: damage was found; the next call sets the files aside.

        """
        keys = [each.key if isinstance(each, Held) else each for each in batches]
        async with self._reading() as table:
            places = self._ledger.positions_of(keys)
            placed = [(place, await table.frame(place)) for place in places]
            found = [(place, frame) for place, frame in placed if frame is not None]
            await self._writer.verify(found)
            return tuple(frame for _, frame in found)

    async def keep(self, document: Document) -> None:
        """Keep a configuration bundle or a profile file, once.

        Raises:
            RefusedError: it is not what its hash says.

        """
        await asyncio.to_thread(document.verify)
        async with self._reading() as table, self._writer.database.transaction():
            await table.keep_document(document)

    async def document(self, digest: Hash) -> Document | None:
        """Return what is kept under a hash, or None."""
        async with self._reading() as table:
            return await table.document(digest)

    async def begin_chain(self, reason: str) -> None:
        """Let the next batch start a new chain, as after a fork (docs/wire-format.md section 12).

        Args:
            reason: of its `continue` event.

        """
        async with self._lock:
            self._writer.begin_chain(reason)

    async def apply(self, origin: Origin) -> None:
        """Seal under another configuration or software from now on; the next batch tells it."""
        async with self._lock:
            self._writer.origin = origin

    async def start(self) -> None:
        """Connect and tell the boot: a genesis, or a batch of the chain that was found.

        Raises:
            BufferUnavailableError: the storage refuses.

        """
        async with self._lock:
            try:
                await self._writer.open()
                with suppress(BufferFullError):
                    await self._writer.store(Nothing())
                await self._note(self._writer.table, self._ledger.settlement((), ()))
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error

    async def close(self) -> None:
        """Close the connection; nothing is written."""
        async with self._lock:
            await self._writer.database.close()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Writer]:
        """Yield the writer to what is stored beside the line; nobody else uses it meanwhile.

        Raises:
            BufferUnavailableError: the storage refuses.

        """
        async with self._reading() as table:
            yield self._writer
            await self._note(table, self._ledger.settlement((), ()))
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Table]:
        async with self._lock:
            try:
                await self._writer.mend()
                yield self._writer.table
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error

    async def _note(self, table: Table, settlement: Settlement) -> None:
        """Note receipts in one step, so that a cancelled call has noted all or nothing."""
        oldest = await table.held_at(oldest_positions(settlement.waiting, 1))
        newest = await table.held_at(newest_positions(settlement.waiting, 1))
        first, last = (held[0][1] if held else None for held in (oldest, newest))
        self._writer.settled(settlement, oldest=first, newest=last)


@asynccontextmanager
async def open_buffer(
    settings: BufferSettings, *, origin: Origin, clock: Clock, boot: Boot
) -> AsyncIterator[Buffer]:
    """Yield the buffer of this gateway, verified, with the start of the agent told in it.

    Damaged files do not stop it: they are set aside and a new chain goes on.

    Raises:
        BufferUnavailableError: another agent has the buffer, or the storage refuses.

    """
    with sole_owner(settings.path):
        found = await examine(settings.path, origin=origin, clock=clock)
        buffer = Buffer(Writer(settings, origin=origin, clock=clock, boot=boot, found=found))
        try:
            await buffer.start()
            tell_opening(settings.path, found, buffer.backlog(), buffer.usage())
            try:
                yield buffer
            finally:
                await buffer.flush()
        finally:
            await buffer.close()
