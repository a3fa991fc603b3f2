"""Waits until files are set aside; what salvages them loads then, and not before.

A gateway that is never damaged keeps what `salvaging` and all below it takes, in memory and at
each start (docs/adr/0007-start.md).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Never

from edge_agent.buffer.quarantine import folders
from edge_agent.buffer.store import Buffer
from edge_agent.clock import Clock
from edge_agent.wire.batch import Origin
from edge_agent.wire.events import Event

if TYPE_CHECKING:
    from edge_agent.buffer.salvaging import Salvager

Tell = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """All quarantines together.

    Attributes:
        folders: how many there are.
        unseen: of these, how many no operator has looked at.
        is_running: whether something is being brought back now.
        salvaged_batches: brought back.
        lost_batches: known to have existed, and nowhere any more: told in signed loss events.
        reason: why it does not go on; None while nothing is in its way.

    """

    folders: int = 0
    unseen: int = 0
    is_running: bool = False
    salvaged_batches: int = 0
    lost_batches: int = 0
    reason: str | None = None


class Standby:
    """Salvages into one buffer until it is cancelled, once there is something to salvage."""

    def __init__(
        self, buffer: Buffer, path: Path, *, origin: Origin, clock: Clock, tell: Tell
    ) -> None:
        """Prepare; the arguments are those of `Salvager`."""
        self._buffer = buffer
        self._path = path
        self._origin = origin
        self._clock = clock
        self._tell = tell
        self._salvager: Salvager | None = None

    def status(self) -> Salvage:
        """Return what has been salvaged so far, and whether an operator has looked."""
        return Salvage() if self._salvager is None else self._salvager.status()

    async def run(self) -> Never:
        """Salvage what was set aside before, and whatever will be."""
        count = self._buffer.counters.quarantined
        if not await asyncio.to_thread(folders, self._path):
            while self._buffer.counters.quarantined == count:
                await self._buffer.changed()
        # See the module.
        from edge_agent.buffer.salvaging import Salvager  # noqa: PLC0415 - see the line above

        self._salvager = Salvager(
            self._buffer, self._path, origin=self._origin, clock=self._clock, tell=self._tell
        )
        await self._salvager.run()
