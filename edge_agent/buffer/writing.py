"""Makes portions durable, twice tried, and gives up what must go.

When a commit fails the file is opened anew and its last batch read; what is missing is inserted
again, the same bytes (docs/wire-format.md section 11).
"""

import asyncio
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from edge_agent.buffer.connection import is_damage
from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError, Fault
from edge_agent.buffer.giving_up import GivenUp, LossReason
from edge_agent.buffer.ledger import Settlement
from edge_agent.buffer.opening import beginning
from edge_agent.buffer.records import Held, Nothing, Portion
from edge_agent.buffer.transacting import Transactions
from edge_agent.buffer.verifying import first_fault
from edge_agent.buffer.victims import chosen
from edge_agent.buffer.volatile import Volatile
from edge_agent.wire.frame import BatchFrame

log = structlog.get_logger()


class Writer(Transactions):
    """Writes, one transaction at a time: the buffer's lock is around every call."""

    async def open(self) -> None:
        """Connect, and make the tables where there are none.

        Raises:
            sqlite3.Error: the world failed; see `failed`.

        """
        await self.watch.level()
        try:
            await self.database.create()
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            await self._quarantine(str(error))
        await self.quota.measure()

    async def store(self, portion: Portion) -> tuple[Held, ...]:
        """Make a portion durable, and before it what an earlier call had to leave.

        Raises:
            BufferFullError, BufferUnavailableError: not stored; call again with the same portion.

        """
        if self._left is not None and self._left is not portion:
            await self._twice(self._left)
        return await self._or_not_at_all(portion)

    async def store_volatile(self, portion: Portion) -> tuple[Held, ...] | None:
        """Keep in memory what the storage has refused; None where it must wait with its caller.

        What was announced by marks waits: its device sends it again unless it is durable. So does
        everything while it is not known whether the chain in memory has become durable.
        """
        if self._left is portion:
            return ()
        pinned = self._pending is not None and self._pending.segment is not None
        chain = self.volatile or Volatile()
        if portion.marks or pinned or chain.is_full:
            return None
        place = chain.place(self.ledger.head)
        batches = await self.sealer.sealed(portion, place, is_durable=False)
        if self.volatile is None and batches:
            log.warning("chain.volatile", chain=str(chain.beginning.chain_id))
            self.volatile = chain
        return chain.add(batches)

    async def give_up(self, positions: Sequence[int], reason: LossReason) -> tuple[GivenUp, ...]:
        """Give up the readings of batches that wait; what a copy is too damaged for is lost whole.

        Raises:
            BufferFullError, BufferUnavailableError: nothing was given up.

        """
        if self._left is not None:
            await self._twice(self._left)
        await self.mend()
        given = await chosen(self.table, self.ledger.waiting_among(positions), self.ledger.emptied)
        if given:
            await self._or_not_at_all(Nothing(), given, reason)
        return given

    def settled(self, settlement: Settlement, *, oldest: Held | None, newest: Held | None) -> None:
        """Note receipts; they reach the disk with the next commit."""
        self.ledger.settled(settlement, oldest=oldest, newest=newest)
        receipts = self.counters.receipts + settlement.fresh_count
        self.counters = replace(self.counters, receipts=receipts)

    async def store_rest(self) -> None:
        """Make durable what an earlier call had to leave, and receipts without a batch."""
        if self._left is not None:
            await self._twice(self._left)
        if self.volatile is not None:
            await self._or_not_at_all(Nothing())
        await self.mend()
        if any(self.ledger.unstored_runs) or self.database.has_doubts:
            async with self.database.transaction():
                await self._write_runs()
            self.ledger.runs_stored()

    async def without_doubts(self) -> None:
        """Find out what became of a COMMIT of which nobody knows, before others write."""
        if self.database.has_doubts:
            await self.store_rest()

    def found_damage(self, what: str) -> BufferUnavailableError:
        """Note damage that SQLite does not see; it is set aside before the next use."""
        self._damage = what
        return BufferUnavailableError(f"{self._path}: {what}. What still verifies is salvaged")

    async def verify(self, leaving: Iterable[tuple[int, BatchFrame]]) -> None:
        """Check every byte of batches that are about to leave, unless the start has.

        Raises:
            BufferUnavailableError: one is not what was signed.

        """
        doubtful = [frame for place, frame in leaving if place < self.ledger.verified_from]
        origin = self.sealer.origin
        fault = await asyncio.to_thread(first_fault, doubtful, origin) if doubtful else None
        if fault is not None:
            raise self.found_damage(fault)

    async def mend_to_read(self) -> None:
        """Make the connection good for reading, also where the storage refuses writes."""
        try:
            await self.mend()
        except sqlite3.Error as error:
            if is_damage(error):
                raise
            await self.database.mend_to_read()

    @property
    def rows_in_memory(self) -> int:
        """Readings that were taken over and are not durable."""
        left = () if self._left is None else self._left.readings
        chain = 0 if self.volatile is None else self.volatile.tally.readings
        return chain + sum(len(scan.channel) for scan in left)

    def begin_chain(self, reason: str) -> None:
        """Let the next batch start a new chain that names the newest batch of this one."""
        self._beginning = beginning(reason)

    async def _or_not_at_all(
        self, portion: Portion, given: Sequence[GivenUp] = (), reason: LossReason = LossReason.QUOTA
    ) -> tuple[Held, ...]:
        try:
            return await self._twice(portion, given, reason)
        except BufferFullError:
            # It is known not to be on the disk, and its caller keeps it: sealed anew next time.
            self._pending = self._left = None
            raise

    async def _twice(
        self, portion: Portion, given: Sequence[GivenUp] = (), reason: LossReason = LossReason.QUOTA
    ) -> tuple[Held, ...]:
        # A call that is cancelled from here on leaves its portion to the next one.
        self._left = portion
        self.quota.level = await self.watch.level()
        if self._pending is None:
            self._left = None
        try:
            return await self._once(portion, given, reason)
        except sqlite3.Error as error:
            refusal = self.failed(error)
            log.warning("commit.failed", fault=str(refusal))
        if refusal.fault is Fault.FULL:
            self.quota.level = await self.watch.give_way()
        try:
            return await self._once(portion, given, reason)
        except sqlite3.Error as error:
            if not self.database.is_uncertain:
                # Certainly not on the disk: its caller keeps it.
                self._pending = self._left = None
            raise self.failed(error) from error
