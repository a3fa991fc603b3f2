"""A buffer whose disk is a value: the product's ledger and sealing, without files and tasks.

It commits as `edge_agent.buffer.writing` does: what is sealed goes to the disk together with the
receipts that came since, and a crash forgets what did not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from edge_agent.buffer.committing import (
    Beginning,
    Lot,
    Place,
    boot_count_after,
    opening_events,
    sealed,
    stamp_of,
)
from edge_agent.buffer.content import Intact, Tally
from edge_agent.buffer.giving_up import Copy, GivenUp, LossReason, given_up, losses
from edge_agent.buffer.ledger import Ledger
from edge_agent.buffer.records import Boot, Head, Held, Key
from edge_agent.buffer.retention import (
    forgettable,
    is_receipted,
    newest_positions,
    oldest_positions,
)
from edge_agent.clock import Instant
from edge_agent.clock import Trust as ClockTrust
from edge_agent.uplink.held import Holding
from edge_agent.uplink.request import LIVE_FRAMES
from edge_agent.uplink.state import LARGEST_FRAMES
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings
from edge_agent.wire.signing import BATCH_CONTEXT
from edge_agent.wire.vocabulary import HASH_SIZE, Hash
from tests.simulation.machine import Image, Sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_agent.uplink.request import Need
    from edge_agent.wire.batch import SignedBatch
    from edge_agent.wire.receipt import Receipt
    from edge_agent.wire.signing import SigningKey
    from tests.simulation.machine import Disk, Life

CLOCK = ClockTrust(state=1, error_ms=10)
# What a batch is said to weigh: a few fit one request, so that small backlogs are large ones.
SIZES = (500, 500, 300_000, 700_000, 900_000)
WITH_READINGS = 0.3


class MemoryBuffer:
    """What one machine keeps."""

    def __init__(self, life: Life, disk: Disk, *, previous: Head | None = None) -> None:
        self.life = life
        self.disk = disk
        self.made: list[SignedBatch] = []
        self.poison: set[bytes] = set()
        self.given_up: set[bytes] = set()
        self.rotten: set[bytes] = set()
        self._beginning: Beginning | None = None
        if not disk.batches:
            self.begin("enrol" if previous is None else "quarantine", previous)
        self.load()

    def load(self) -> None:
        """Read the disk, as an opening buffer does, in a new boot."""
        batches, runs = self.disk.batches, self.disk.runs
        last, head = max(batches, default=0), None
        if last:
            batch = batches[last].batch
            head = Head(position=last, header=batch.header, batch_hash=batch.batch_hash)
            self._beginning = None
        tally = Tally()
        for position, one in batches.items():
            if not is_receipted(runs, position):
                tally = tally.plus(one.held)
        self.ledger = Ledger(
            Intact(
                head=head,
                runs=runs,
                chains=dict(self.disk.chains),
                unreceipted=tally,
                emptied=self.disk.emptied,
                gone=self.disk.gone,
            )
        )
        self.boot = Boot(boot_id=UUID(int=self.life.rng.getrandbits(128)))
        self.boot_count = boot_count_after(self._place.last, self.boot.boot_id)

    def resume(self, image: Image) -> None:
        """Go on in the boot of a snapshot."""
        self.boot, self.boot_count = image.boot, image.boot_count

    def image(self) -> Image:
        """Return a copy of the machine, as a snapshot of it is."""
        return Image(disk=self.disk.image(), boot=self.boot, boot_count=self.boot_count)

    def begin(self, reason: str, previous: Head | None = None) -> None:
        """Let the next batch begin a chain."""
        chain_id = UUID(int=self.life.rng.getrandbits(128))
        self._beginning = Beginning(reason=reason, chain_id=chain_id, previous=previous)

    def seal(
        self, *, is_boot: bool = False, is_poison: bool = False, given: Sequence[GivenUp] = ()
    ) -> None:
        """Commit one batch.

        Args:
            is_boot: tells the boot.
            is_poison: it is signed, and its content is not what its header says.
            given: batches that lose their readings with it.

        """
        now = Instant(utc_ns=self.life.now_ns(), mono_ns=self.life.now_ns())
        stamp = stamp_of(now, CLOCK, boot_count=self.boot_count, boot_id=self.boot.boot_id)
        origin, place = self.life.origin, self._place
        boot = self.boot if is_boot else None
        first = opening_events(place, stamp=stamp, origin=origin, boot=boot)
        told = given if self.life.tells_losses else ()
        lost = losses(told, reason=LossReason.QUOTA, at=now)
        said = Event(
            type="note",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            fields={"who": "simulation", "text": str(self.life.serial())},
        )
        lot = Lot(
            readings=(_scan(now),) if self.life.rng.random() < WITH_READINGS else (),
            lines=tuple(event.line for event in (*first, *lost, said)),
        )
        (batch,) = sealed((lot,), place, stamp=stamp, origin=origin, is_last=False)
        if is_poison and place.beginning is None:
            batch = _poisoned(batch, origin.key)
            self.poison.add(batch.batch_hash)
        self._commit(batch)

    def evict(self, most: int) -> None:
        """Give up the readings of the oldest batches that wait, as a full quota makes it."""
        self._give_up(oldest_positions(self.ledger.with_readings(), most))

    def damage(self) -> None:
        """Let a bit of a batch that waits rot."""
        head = self.ledger.head_place[0]
        waiting = oldest_positions(self.ledger.waiting, head)
        rotten = [at for at in waiting if at != head and at in self.disk.batches]
        if rotten:
            at = self.life.rng.choice(rotten)
            self.disk.batches[at] = replace(self.disk.batches[at], is_damaged=True)

    def give_up(self, key: Key) -> bool:
        """Give up a batch whose copy is damaged; return whether there was something to give up."""
        position = self.ledger.position_of(key)
        spans = () if position is None else self.ledger.waiting_among([position])
        positions = oldest_positions(spans, 1)
        self._give_up(positions)
        return bool(positions)

    def _give_up(self, positions: Sequence[int]) -> None:
        stored = {at: self.disk.batches[at] for at in positions if at in self.disk.batches}
        given = [
            self._without_readings(at)
            for at, one in stored.items()
            if one.held.readings or one.is_damaged
        ]
        if not given:
            return
        self.seal(given=given)
        for one in given:
            was = self.disk.batches.pop(one.position)
            self.given_up.add(was.held.batch_hash)
            if not one.body:
                self.rotten.add(was.held.batch_hash)
            else:
                self.disk.batches[one.position] = Sealed(
                    batch=replace(was.batch, body=one.body),
                    held=replace(was.held, is_headstone=True),
                )
        self.ledger.gave_up(given)
        self.disk.emptied, self.disk.gone = self.ledger.emptied, self.ledger.gone

    def _without_readings(self, position: int) -> GivenUp:
        one = self.disk.batches[position]
        copy = Copy(
            position=position,
            batch_hash=one.held.batch_hash,
            header=one.batch.header_bytes,
            body=b"" if one.is_damaged else one.batch.body,
        )
        return given_up(copy, since=position)

    def seal_many(self, count: int) -> None:
        """Commit so many batches."""
        for _ in range(count):
            self.seal()

    def settle(self, receipts: Sequence[Receipt]) -> None:
        """Take verified receipts."""
        keys = (Key(chain_id=one.chain_id, batch_no=one.batch_no) for one in receipts)
        batches = self.disk.batches
        places = [self.ledger.position_of(key) for key in keys]
        placed = [(at, batches[at].held) for at in places if at is not None and at in batches]
        settlement = self.ledger.settlement(placed, receipts)
        self.ledger.settled(settlement, oldest=None, newest=None)

    def forget(self, most: int) -> None:
        """Delete receipted batches, oldest first, as a full quota makes it."""
        for span in forgettable(self.disk.runs, self.ledger.head_place[0]):
            for position in range(span.first, span.last + 1):
                if most and position in self.disk.batches:
                    del self.disk.batches[position]
                    most -= 1

    def holding(self, wish: Need, *, oldest: int, is_live_due: bool) -> Holding:
        """Return what the next request must see."""
        spans = self.ledger.waiting
        rewound: tuple[Held, ...] = ()
        if wish.rewind is not None:
            rewound = self._from(wish.rewind.chain_id, wish.rewind.batch_no)[:LARGEST_FRAMES]
        again: list[Held] = []
        for wanted in wish.again:
            chain_id, batch_no = wanted.place.chain_id, wanted.place.batch_no
            found = self._from(chain_id, batch_no)[:1]
            held = [one for one in found if one.batch_hash == wanted.batch_hash]
            if not held and wanted.batch_hash not in wish.sought:
                held = [one for one in self._from(chain_id, 0) if one.batch_no < batch_no][-1:]
            again += [one for one in held if one not in again]
        return Holding(
            count=self.ledger.backlog.unreceipted_count,
            oldest=self._at(oldest_positions(spans, oldest)),
            newest=self._at(newest_positions(spans, LIVE_FRAMES)) if is_live_due else (),
            rewound=rewound,
            again=tuple(again),
        )

    @property
    def _place(self) -> Place:
        return Place(head=self.ledger.head, beginning=self._beginning)

    def _commit(self, batch: SignedBatch) -> None:
        position = self.ledger.head_place[0] + 1
        if self._beginning is not None:
            self.disk.chains[self._beginning.chain_id] = position
            self.ledger.chain_began(self._beginning.chain_id, position)
            self._beginning = None
        held = Held.of(batch.header, batch.batch_hash, self.life.rng.choice(SIZES))
        self.disk.batches[position] = Sealed(batch=batch, held=held)
        self.disk.runs = self.ledger.runs
        self.ledger.runs_stored()
        head = Head(position=position, header=batch.header, batch_hash=batch.batch_hash)
        self.ledger.added(head, held)
        self.made.append(batch)

    def _at(self, positions: Iterable[int]) -> tuple[Held, ...]:
        batches = self.disk.batches
        return tuple(batches[position].held for position in positions if position in batches)

    def _from(self, chain_id: UUID, batch_no: int) -> tuple[Held, ...]:
        start = self.ledger.position_of(Key(chain_id=chain_id, batch_no=0))
        if start is None:
            return ()
        return self._at(range(start + batch_no, self.ledger.end_of_chain(chain_id) + 1))


def _scan(now: Instant) -> Readings:
    word = np.zeros(1, dtype=np.uint32)
    return Readings(
        at_ns=now.utc_ns,
        mono_ns=now.mono_ns,
        channel=word + np.uint32(1),
        raw=np.zeros(1, dtype=np.int64),
        status=word,
        quality=word,
    )


def _poisoned(batch: SignedBatch, key: SigningKey) -> SignedBatch:
    header = replace(batch.header, record_root=Hash(b"x" * HASH_SIZE))
    raw = header.pack()
    return replace(batch, header=header, header_bytes=raw, signature=key.sign(BATCH_CONTEXT, raw))
