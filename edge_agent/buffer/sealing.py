"""Seals portions: knows configuration, key, clock and boot, and what must be told first."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from edge_agent.buffer.committing import (
    Place,
    boot_count_after,
    lots,
    opening_events,
    rotation_event,
    sealed,
    stamp_of,
)
from edge_agent.buffer.giving_up import GivenUp, LossReason, losses
from edge_agent.buffer.records import Boot, Head, NextKey, Portion
from edge_agent.clock import Clock
from edge_agent.wire.batch import Origin, SignedBatch
from edge_agent.wire.signing import SigningKey

# Sealing so many rows holds the loop for some 6 ms on the machine of docs/adr/0003-buffer-layout.md
# and must stay below 20 ms on one three times slower; more goes to a thread.
ROWS_ON_LOOP: Final = 4_000


class Sealer:
    """Signs for one gateway; `origin` may be exchanged between portions."""

    def __init__(self, origin: Origin, *, clock: Clock, boot: Boot, last: Head | None) -> None:
        self.origin = origin
        self.clock = clock
        self.boot_count = boot_count_after(last, boot.boot_id)
        self._boot = boot
        self._is_boot_told = False

    async def sealed(
        self,
        portion: Portion,
        place: Place,
        *,
        given: Sequence[GivenUp] = (),
        reason: LossReason = LossReason.QUOTA,
        is_durable: bool = True,
    ) -> tuple[SignedBatch, ...]:
        """Return a portion as signed batches; none if it says nothing.

        Args:
            portion: readings and events.
            place: where the first batch goes.
            given: batches that lose their readings with it.
            reason: why they do.
            is_durable: whether it goes to the disk; only there the boot is told.

        """
        now = self.clock.now()
        stamp = stamp_of(
            now, self.clock.trust(), boot_count=self.boot_count, boot_id=self._boot.boot_id
        )
        boot = self._boot if is_durable and not self._is_boot_told else None
        first = opening_events(
            place, stamp=stamp, origin=self.origin, boot=boot, told=portion.events
        )
        lost = losses(given, reason=reason, at=now)
        lines = [event.line for event in (*first, *lost, *portion.events)]
        if isinstance(portion, NextKey):
            told = rotation_event(place, stamp=stamp, origin=self.origin, key=portion.key)
            lines.append(told.line)
        cut = lots(portion.readings, lines)
        if not cut:
            return ()
        seal_all = partial(
            sealed, cut, place, stamp=stamp, origin=self.origin, is_last=portion.is_last
        )
        is_small = sum(len(scan.channel) for scan in portion.readings) <= ROWS_ON_LOOP
        return seal_all() if is_small else await asyncio.to_thread(seal_all)

    def follow(self, key: SigningKey) -> None:
        """Sign with another key from now on; what this one signed is still known."""
        earlier = (*self.origin.earlier, self.origin.key.verifying_key)
        self.origin = replace(self.origin, key=key, earlier=earlier)

    def told(self) -> None:
        """Say that the boot has been told."""
        self._is_boot_told = True
