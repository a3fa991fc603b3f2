"""One attempt to make a portion durable: one transaction, and what is known after it.

Batches are numbered, signed and inserted in it, receipts and evictions join. Until COMMIT has
answered nothing of it exists for anybody else.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from edge_agent.buffer.committing import Place
from edge_agent.buffer.connection import Database, is_damage
from edge_agent.buffer.content import Intact
from edge_agent.buffer.disk import Level
from edge_agent.buffer.faults import (
    BufferFullError,
    BufferUnavailableError,
    DiskFullError,
    Fault,
    fault_of,
)
from edge_agent.buffer.giving_up import GivenUp, LossReason
from edge_agent.buffer.ledger import Ledger
from edge_agent.buffer.opening import KEY_ROTATION, Found, beginning
from edge_agent.buffer.pending import Pending, insert
from edge_agent.buffer.quarantine import set_aside
from edge_agent.buffer.quota import Quota
from edge_agent.buffer.records import Boot, Counters, Head, Held, NextKey, Portion
from edge_agent.buffer.retention import Run, forgettable
from edge_agent.buffer.sealing import Sealer
from edge_agent.buffer.table import Table
from edge_agent.buffer.victims import oldest_readings
from edge_agent.buffer.watching import Watch
from edge_agent.config.vocabulary import OnFull

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from edge_agent.buffer.volatile import Volatile
    from edge_agent.clock import Clock
    from edge_agent.config.model import BufferSettings
    from edge_agent.wire.batch import Origin

log = structlog.get_logger()

MB: Final = 1_000_000
# More deliveries than any devices send again after a crash (`drivers.base.Listen`).
MARKS_KEPT: Final = 16_384
FULL: Final = (
    "the quota of {} MB is full of batches that the centre has not receipted. Restore the uplink or"
    " raise buffer.quota_mb"
)
DISK_FULL: Final = "the disk has no room, and the buffer nothing that may go. Free the disk"


class Transactions:
    """What the attempts of one buffer share. The buffer's lock is around every call."""

    def __init__(
        self, settings: BufferSettings, *, origin: Origin, clock: Clock, boot: Boot, found: Found
    ) -> None:
        self.counters = Counters()
        self.ledger = Ledger(found.intact)
        self.database = Database(settings.path)
        self.table = Table(self.database)
        self.watch = Watch(settings.path)
        self.quota = Quota(self.table, quota_bytes=settings.quota_mb * MB)
        self.volatile: Volatile | None = None
        self.fault: Fault | None = None
        self._settings = settings
        self._path = settings.path
        self._clock = clock
        self._beginning = found.beginning
        self._pending: Pending | None = None
        self._left: Portion | None = None
        self._damage: str | None = None
        self.sealer = Sealer(origin, clock=clock, boot=boot, last=self._place.last)

    async def mend(self) -> None:
        """Make the connection usable after a failure; set damaged files aside."""
        if self._damage is not None:
            await self._quarantine(self._damage)
        elif await self.database.mend():
            self.counters = replace(self.counters, reopened=self.counters.reopened + 1)

    def failed(self, error: sqlite3.Error) -> BufferUnavailableError:
        """Return what a failure of SQLite means; damage is set aside before the next use."""
        if is_damage(error):
            self._damage = str(error)
        fault, space = fault_of(error), self.watch.space
        if fault is Fault.FAILING and space is not None and space.is_read_only:
            fault = Fault.READONLY
        return BufferUnavailableError(
            f"{self._path}: {error}. Check its free space, mount options and the disk's health",
            fault=fault,
        )

    @property
    def _place(self) -> Place:
        """Where the next batch goes."""
        if self.volatile is not None:
            return self.volatile.place_behind
        return self._durable_place

    @property
    def _durable_place(self) -> Place:
        return Place(head=self.ledger.head, beginning=self._beginning)

    async def _once(
        self, portion: Portion, given: Sequence[GivenUp], reason: LossReason
    ) -> tuple[Held, ...]:
        await self.mend()
        pending = self._pending or await self._sealed(portion, given, reason)
        if pending is None:
            return ()
        self._pending, self._left = pending, portion
        evicted = 0
        async with self.database.transaction():
            found = await self.table.head()
            await self._write_runs(pending.runs if found == pending.last else ())
            if found == pending.after:
                self.database.is_uncertain = False
                pending, evicted = await self._written(pending, portion)
            elif found != pending.last:
                raise RuntimeError(f"{self._path}: somebody else wrote batch {found[0]}")
        await self.quota.measure()
        return self._remembered(pending, evicted)

    async def _write_runs(self, others: Sequence[Run] = ()) -> None:
        """Bring the receipts to the disk; `others` are on it, and not in the books yet.

        After a COMMIT of which nobody knows, all of them: what it may have left is unknown.
        """
        if self.database.has_doubts:
            await self.table.replace_every_run((*self.ledger.runs, *others))
        else:
            await self.table.replace_runs(*self.ledger.unstored_runs)

    async def _sealed(
        self, portion: Portion, given: Sequence[GivenUp], reason: LossReason
    ) -> Pending | None:
        """Return a portion as signed batches behind the head; None if it says nothing."""
        after, place = self.ledger.head_place, self._place
        batches = await self.sealer.sealed(portion, place, given=given, reason=reason)
        if not batches:
            return None
        return Pending(
            after=after,
            segment=None if self.volatile is None else self.volatile.segment(after[0]),
            beginning=place.beginning,
            batches=batches,
            given=tuple(given),
            next_key=portion.key if isinstance(portion, NextKey) else None,
        )

    async def _written(self, pending: Pending, portion: Portion) -> tuple[Pending, int]:
        """Write batches, making room; return them, and how many receipted ones went for them."""
        await self.table.empty(pending.given)
        going = forgettable(self.ledger.runs, self.ledger.head_place[0])
        room = await self.quota.make_room(pending.every_batch, going)
        evicted = room.evicted
        while room.lacking:
            pending = await self._with_victims(pending, portion, room.lacking)
            room = await self.quota.make_room(pending.every_batch, ())
        self._pending = pending
        await insert(self.table, pending)
        ledger, given = self.ledger, pending.given
        await self.table.replace_emptied(ledger.emptied, ledger.emptied_with(given))
        await self.table.replace_gone(ledger.gone, ledger.gone_with(given))
        if portion.marks:
            await self.table.add_marks(portion.marks, MARKS_KEPT)
        return pending, evicted

    async def _with_victims(self, pending: Pending, portion: Portion, pages: int) -> Pending:
        """Give up the oldest readings inside the transaction; return what is to be written then.

        Raises:
            BufferFullError: there are none, or the settings say to stop before.

        """
        more: tuple[GivenUp, ...] = ()
        if self._settings.on_full is OnFull.EVICT_OLDEST:
            candidates = self.ledger.with_readings(pending.given)
            more = await oldest_readings(self.table, candidates, pages)
        is_disk = self.quota.level >= Level.SPENT
        if not more:
            raise (
                DiskFullError(DISK_FULL)
                if is_disk
                else BufferFullError(FULL.format(self._settings.quota_mb))
            )
        await self.table.empty(more)
        given = sorted((*pending.given, *more), key=lambda one: one.position)
        reason = LossReason.DISK_FULL if is_disk else LossReason.QUOTA
        again = await self._sealed(portion, given, reason)
        if again is None:
            raise RuntimeError("a loss event is always something to say")
        return again

    def _remembered(self, pending: Pending, evicted: int) -> tuple[Held, ...]:
        """Return the batches that are durable now, all of them noted."""
        ledger = self.ledger
        if pending.segment is not None:
            ledger.joined_by(pending.segment)
            self.volatile = None
            log.info("chain.durable", chain=str(pending.segment.beginning.chain_id))
        if pending.beginning is not None:
            ledger.chain_began(pending.beginning.chain_id, pending.first_position)
            if pending.segment is not None or pending.beginning is self._beginning:
                self._beginning = None
        if pending.next_key is not None:
            self.sealer.follow(pending.next_key)
            self._beginning = beginning(KEY_ROTATION)
        self._pending = self._left = None
        self.sealer.told()
        ledger.runs_stored()
        ledger.gave_up(pending.given)
        stored: list[Held] = []
        for position, batch in enumerate(pending.batches, start=pending.first_position):
            held = Held.of(batch.header, batch.batch_hash, len(batch.body))
            head = Head(position=position, header=batch.header, batch_hash=batch.batch_hash)
            ledger.added(head, held)
            stored.append(held)
            log.debug("batch.committed", batch_no=held.batch_no, readings=held.record_count)
        if pending.given:
            readings = sum(one.readings for one in pending.given)
            log.error("readings.given_up", batches=len(pending.given), readings=readings)
        self.counters = self.counters.after_commit(stored, pending.given, evicted=evicted)
        return tuple(stored)

    async def _quarantine(self, fault: str) -> None:
        """Move the damaged files aside and go on with a new chain behind the last batch."""
        await self.database.forget()
        utc_ns = self._clock.now().utc_ns
        boot_count = self.sealer.boot_count
        folder = await asyncio.to_thread(
            set_aside, self._path, utc_ns=utc_ns, boot_count=boot_count
        )
        log.error("buffer.quarantined", fault=fault, folder=str(folder))
        self._beginning = beginning("quarantine", self._durable_place.last)
        self._pending = None
        self._damage = None
        self.ledger = Ledger(Intact(chains={}))
        self.counters = replace(self.counters, quarantined=self.counters.quarantined + 1)
        await self.database.create()
