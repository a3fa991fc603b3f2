"""The writing transaction: batches are numbered, signed and inserted, receipts and evictions join.

Until COMMIT has answered nothing of it exists for anybody else. When it fails the file is opened
anew and its last batch read; what is missing is inserted again, the same bytes
(docs/wire-format.md section 11).
"""

import asyncio
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import structlog

from edge_agent.buffer.committing import (
    Beginning,
    Place,
    boot_count_after,
    lots,
    opening_events,
    rotation_event,
    sealed,
    stamp_of,
)
from edge_agent.buffer.connection import Database, is_damage
from edge_agent.buffer.content import Intact
from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError
from edge_agent.buffer.ledger import Ledger, Settlement
from edge_agent.buffer.opening import KEY_ROTATION, Found, beginning
from edge_agent.buffer.quarantine import set_aside
from edge_agent.buffer.quota import Quota
from edge_agent.buffer.records import Boot, Counters, Head, Held, NextKey, Portion
from edge_agent.buffer.retention import forgettable
from edge_agent.buffer.table import Table
from edge_agent.buffer.verifying import first_fault
from edge_agent.clock import Clock
from edge_agent.config.model import BufferSettings
from edge_agent.wire.batch import Origin, SignedBatch
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.signing import SigningKey

log = structlog.get_logger()

# Sealing so many rows holds the loop for some 6 ms on the machine of docs/adr/0003-buffer-layout.md
# and must stay below 20 ms on one three times slower; more goes to a thread.
ROWS_ON_LOOP: Final = 4_000
MB: Final = 1_000_000
# More deliveries than any devices send again after a crash (`drivers.base.Listen`).
MARKS_KEPT: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pending:
    """Batches between their seal and the proof that they are durable.

    Kept when a commit fails: whatever became of it, these bytes and no others go in its place.
    `after` is position and hash of the batch before them; `next_key` signs whatever follows them.
    """

    after: tuple[int, bytes]
    beginning: Beginning | None
    batches: tuple[SignedBatch, ...]
    next_key: SigningKey | None = None

    @property
    def last(self) -> tuple[int, bytes]:
        """Position and hash of the newest of them."""
        return self.after[0] + len(self.batches), self.batches[-1].batch_hash


class Writer:
    """Writes, one transaction at a time: the buffer's lock is around every call."""

    def __init__(
        self, settings: BufferSettings, *, origin: Origin, clock: Clock, boot: Boot, found: Found
    ) -> None:
        self.origin = origin
        self.counters = Counters()
        self.ledger = Ledger(found.intact)
        self.database = Database(settings.path)
        self.table = Table(self.database)
        self.quota = Quota(self.table, quota_bytes=settings.quota_mb * MB)
        self._path = settings.path
        self._clock = clock
        self._boot = boot
        self._is_boot_told = False
        self._beginning = found.beginning
        self._pending: Pending | None = None
        self._left: Portion | None = None
        self._damage: str | None = None
        self._boot_count = boot_count_after(self._place.last, boot.boot_id)

    async def open(self) -> None:
        """Connect, and make the tables where there are none.

        Raises:
            sqlite3.Error: the world failed; see `failed`.

        """
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
        try:
            return await self._twice(portion)
        except BufferFullError:
            # It is known not to be on the disk, and its caller keeps it: sealed anew next time.
            self._pending = self._left = None
            raise

    def settled(self, settlement: Settlement, *, oldest: Held | None, newest: Held | None) -> None:
        """Note receipts; they reach the disk with the next commit."""
        self.ledger.settled(settlement, oldest=oldest, newest=newest)
        receipts = self.counters.receipts + settlement.fresh_count
        self.counters = replace(self.counters, receipts=receipts)

    async def store_rest(self) -> None:
        """Make durable what an earlier call had to leave, and receipts without a batch."""
        if self._left is not None:
            await self._twice(self._left)
        await self.mend()
        if any(self.ledger.unstored_runs):
            async with self.database.transaction():
                await self.table.replace_runs(*self.ledger.unstored_runs)
            self.ledger.runs_stored()

    async def mend(self) -> None:
        """Make the connection usable after a failure; set damaged files aside."""
        if self._damage is not None:
            await self._quarantine(self._damage)
        elif await self.database.mend():
            self.counters = replace(self.counters, reopened=self.counters.reopened + 1)

    def begin_chain(self, reason: str) -> None:
        """Let the next batch start a new chain that names the newest batch of this one."""
        self._beginning = beginning(reason)

    def failed(self, error: sqlite3.Error) -> BufferUnavailableError:
        """Return what a failure of SQLite means; damage is set aside before the next use."""
        if is_damage(error):
            self._damage = str(error)
        return BufferUnavailableError(
            f"{self._path}: {error}. Check its free space, mount options and the disk's health"
        )

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
        fault = await asyncio.to_thread(first_fault, doubtful, self.origin) if doubtful else None
        if fault is not None:
            raise self.found_damage(fault)

    @property
    def _place(self) -> Place:
        """Where the next batch goes."""
        return Place(head=self.ledger.head, beginning=self._beginning)

    async def _twice(self, portion: Portion) -> tuple[Held, ...]:
        try:
            return await self._once(portion)
        except sqlite3.Error as error:
            log.warning("commit.failed", fault=str(self.failed(error)))
        try:
            return await self._once(portion)
        except sqlite3.Error as error:
            raise self.failed(error) from error

    async def _once(self, portion: Portion) -> tuple[Held, ...]:
        await self.mend()
        if self._pending is None:
            self._pending = await self._sealed(portion)
        pending = self._pending
        if pending is None:
            return ()
        self._left = portion
        evicted = 0
        async with self.database.transaction():
            found = await self.table.head()
            await self.table.replace_runs(*self.ledger.unstored_runs)
            if found == pending.after:
                going = forgettable(self.ledger.runs, self.ledger.head_place[0])
                evicted = await self.quota.make_room(pending.batches, going)
                await self._insert(pending)
                if portion.marks:
                    await self.table.add_marks(portion.marks, MARKS_KEPT)
            elif found != pending.last:
                raise RuntimeError(f"{self._path}: somebody else wrote batch {found[0]}")
        await self.quota.measure()
        return self._remembered(pending, evicted)

    async def _sealed(self, portion: Portion) -> Pending | None:
        """Return a portion as signed batches behind the head; None if it says nothing."""
        boot = None if self._is_boot_told else self._boot
        place = self._place
        stamp = stamp_of(
            self._clock.now(),
            self._clock.trust(),
            boot_count=self._boot_count,
            boot_id=self._boot.boot_id,
        )
        first = opening_events(place, stamp=stamp, origin=self.origin, boot=boot)
        lines = [event.line for event in (*first, *portion.events)]
        next_key = portion.key if isinstance(portion, NextKey) else None
        if next_key is not None:
            told = rotation_event(place, stamp=stamp, origin=self.origin, key=next_key)
            lines.append(told.line)
        cut = lots(portion.readings, lines)
        if not cut:
            return None
        seal_all = partial(
            sealed, cut, place, stamp=stamp, origin=self.origin, is_last=portion.is_last
        )
        is_small = sum(len(scan.channel) for scan in portion.readings) <= ROWS_ON_LOOP
        return Pending(
            after=self.ledger.head_place,
            beginning=self._beginning,
            batches=seal_all() if is_small else await asyncio.to_thread(seal_all),
            next_key=next_key,
        )

    async def _insert(self, pending: Pending) -> None:
        first_position = pending.after[0] + 1
        if pending.beginning is not None:
            await self.table.begin_chain(first_position, pending.beginning.chain_id)
        for position, batch in enumerate(pending.batches, start=first_position):
            await self.table.insert(position, batch)

    def _remembered(self, pending: Pending, evicted: int) -> tuple[Held, ...]:
        """Return the batches that are durable now, all of them noted."""
        first_position = pending.after[0] + 1
        if pending.beginning is not None:
            self.ledger.chain_began(pending.beginning.chain_id, first_position)
            if pending.beginning is self._beginning:
                self._beginning = None
        if pending.next_key is not None:
            self.origin = replace(self.origin, key=pending.next_key)
            self._beginning = beginning(KEY_ROTATION)
        self._pending = self._left = None
        self._is_boot_told = True
        self.ledger.runs_stored()
        stored: list[Held] = []
        for position, batch in enumerate(pending.batches, start=first_position):
            held = Held.of(batch.header, batch.batch_hash, len(batch.body))
            head = Head(position=position, header=batch.header, batch_hash=batch.batch_hash)
            self.ledger.added(head, held)
            stored.append(held)
            log.debug("batch.committed", batch_no=held.batch_no, readings=held.record_count)
        self.counters = replace(
            self.counters,
            batches=self.counters.batches + len(stored),
            readings=self.counters.readings + sum(held.record_count for held in stored),
            commits=self.counters.commits + 1,
            evicted=self.counters.evicted + evicted,
        )
        return tuple(stored)

    async def _quarantine(self, fault: str) -> None:
        """Move the damaged files aside and go on with a new chain behind the last batch."""
        await self.database.forget()
        utc_ns = self._clock.now().utc_ns
        folder = await asyncio.to_thread(
            set_aside, self._path, utc_ns=utc_ns, boot_count=self._boot_count
        )
        log.error("buffer.quarantined", fault=fault, folder=str(folder))
        self._beginning = beginning("quarantine", self._place.last)
        self._pending = None
        self._damage = None
        self.ledger = Ledger(Intact(chains={}))
        self.counters = replace(self.counters, quarantined=self.counters.quarantined + 1)
        await self.database.create()
