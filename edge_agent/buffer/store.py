"""The buffer: batches become durable here, wait for their receipts, and are then forgotten.

One connection, one lock around it, and nobody sees what has not been committed. `writing` holds
the transaction, `retention` says what may go; here is what the rest of the agent may ask for.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from edge_agent.buffer.faults import (
    BufferFullError,
    BufferUnavailableError,
    DiskFullError,
    Fault,
)
from edge_agent.buffer.giving_up import LossReason
from edge_agent.buffer.ledger import Settlement
from edge_agent.buffer.looking import Looking
from edge_agent.buffer.opening import examine, sole_owner, tell_opening
from edge_agent.buffer.records import Boot, Held, Key, Nothing, Portion
from edge_agent.buffer.retention import newest_positions, oldest_positions
from edge_agent.buffer.table import Table
from edge_agent.buffer.writing import Writer
from edge_agent.clock import Clock
from edge_agent.config.model import BufferSettings
from edge_agent.wire.batch import Origin
from edge_agent.wire.document import Document
from edge_agent.wire.receipt import Receipt

log = structlog.get_logger()

__all__ = ["Buffer", "BufferFullError", "BufferUnavailableError", "open_buffer"]


class Buffer(Looking):
    """What `open_buffer` yields; it belongs to one event loop."""

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer)
        self._space = asyncio.Event()

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
            except DiskFullError as error:
                raise BufferUnavailableError(str(error), fault=Fault.FULL) from error
            except BufferFullError:
                self._space.clear()
                raise
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error
            if stored:
                self._tell()
            return stored

    async def append_volatile(self, portion: Portion) -> bool:
        """Keep a portion in memory that `append` could not store, and send it from there.

        Returns False where it must wait with its caller: memory is full, or a device would have
        to be told that it is durable. It is made durable as soon as an `append` succeeds.
        """
        async with self._lock:
            taken = await self._writer.store_volatile(portion)
            if taken:
                self._tell()
            return taken is not None

    async def give_up(
        self, batches: Iterable[Key | Held], reason: LossReason = LossReason.DAMAGED_COPY
    ) -> int:
        """Give up the readings of batches that have no receipt; return how many batches those are.

        A signed loss event says so in the same transaction. What is left of a batch is its
        headstone; of one whose stored bytes are damaged, nothing. Headstones are left alone, and
        everything is while the loss event finds no room.

        Raises:
            BufferUnavailableError: nothing was given up.

        """
        keys = [each.key if isinstance(each, Held) else each for each in batches]
        async with self._lock:
            try:
                given = await self._writer.give_up(self._positions(keys), reason)
                await self._note(self._writer.table, self._writer.ledger.settlement((), ()))
            except BufferFullError:
                return 0
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error
            if given:
                self._tell()
            return len(given)

    async def settle(self, receipts: Sequence[Receipt]) -> int:
        """Take verified receipts; return for how many batches they were the first.

        They count at once, and reach the disk with the next commit: a receipt lost on the way is
        only asked for again. Receipts about other bytes than those held here change nothing.
        """
        chain = self._writer.volatile
        volatile_count = 0
        if chain is not None:
            volatile_count = chain.settle([one for one in receipts if chain.has(one.chain_id)])
            receipts = [one for one in receipts if not chain.has(one.chain_id)]
        if not receipts:
            return volatile_count
        async with self._reading() as table:
            keys = (Key(chain_id=each.chain_id, batch_no=each.batch_no) for each in receipts)
            placed = await table.held_at(self._positions(keys))
            settlement = self._writer.ledger.settlement(placed, receipts)
            if settlement.fresh_count:
                await self._note(table, settlement)
                self._space.set()
            return settlement.fresh_count + volatile_count

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

    async def keep(self, document: Document) -> None:
        """Keep a configuration bundle or a profile file, once.

        Raises:
            RefusedError: it is not what its hash says.

        """
        await asyncio.to_thread(document.verify)
        async with self._reading() as table, self._writer.database.transaction():
            await table.keep_document(document)

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
            self._writer.sealer.origin = origin

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
                await self._note(self._writer.table, self._writer.ledger.settlement((), ()))
            except sqlite3.Error as error:
                raise self._writer.failed(error) from error

    async def finish(self) -> None:
        """Bring the rest to the disk; say what is lost if it refuses."""
        try:
            await self.flush()
        except (BufferFullError, BufferUnavailableError) as error:
            rows = self._writer.rows_in_memory
            if rows:
                log.error("readings.dropped", rows=rows, events=0, reason=str(error))
            raise

    async def close(self) -> None:
        """Close the connection; nothing is written."""
        async with self._lock:
            await self._writer.database.close()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Writer]:
        """Yield the writer to what is stored beside the line; nobody else uses it meanwhile."""
        async with self._reading() as table:
            await self._writer.without_doubts()
            yield self._writer
            await self._note(table, self._writer.ledger.settlement((), ()))
        self._tell()

    def _tell(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _note(self, table: Table, settlement: Settlement) -> None:
        """Note receipts in one step, so that a cancelled call has noted all or nothing."""
        oldest = await table.held_at(oldest_positions(settlement.waiting, 1))
        newest = await table.held_at(newest_positions(settlement.waiting, 1))
        self._writer.settled(
            settlement,
            oldest=oldest[0][1] if oldest else None,
            newest=newest[0][1] if newest else None,
        )


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
                await buffer.finish()
        finally:
            await buffer.close()
