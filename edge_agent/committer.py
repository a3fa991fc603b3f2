"""Makes durable what the intake gives out: the only writer of readings.

Nothing is dropped while the agent runs, however long the buffer is full or the storage refuses.
While it refuses, readings go out from memory on a chain of their own, and no device is told that
they are durable.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final, Generic, Protocol, TypeVar

import structlog

from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError, Fault
from edge_agent.clock import NS_PER_S
from edge_agent.memory import give_back
from edge_agent.pipeline import Intake, Judge, Portion
from edge_agent.wire.batch import Origin

# Storage that refuses is tried again so often; nothing is accepted meanwhile.
STORAGE_PAUSE_NS: Final = NS_PER_S

log = structlog.get_logger()


class Storage(Protocol):
    """What the committer needs of the buffer, `buffer.store.Buffer`."""

    async def append(self, portion: Portion) -> object:
        """Make a portion durable."""
        ...

    async def append_volatile(self, portion: Portion) -> bool:
        """Keep in memory what could not be made durable; False where it must wait here."""
        ...

    async def has_space(self) -> None:
        """Return once it is worth trying again after BufferFullError."""
        ...

    async def apply(self, origin: Origin) -> None:
        """Seal under another configuration from now on."""
        ...


StorageT = TypeVar("StorageT", bound=Storage)


class Committer(Generic[StorageT]):
    """Stores portion after portion until the intake ends."""

    def __init__(self, intake: Intake, buffer: StorageT) -> None:
        self._intake = intake
        self._lock = asyncio.Lock()
        self._taken: Portion | None = None
        self.buffer = buffer
        self.is_blocked = False
        # Why the storage refuses; None while it does not.
        self.fault: Fault | None = None
        self._is_volatile = False

    async def run(self) -> None:
        """Commit every portion when it is due; return after the last one."""
        try:
            is_end = False
            while not is_end:
                await self._intake.due()
                async with self._lock:
                    is_end = await self._commit()
        except asyncio.CancelledError:
            self._tell_dropped()
            raise

    async def switch(self, judges: Mapping[str, Judge], origin: Origin) -> None:
        """Commit what waits under the old configuration; judge and seal by the new one after it.

        No poller may run whose judge changes. Cancelled, it leaves what it took to `run`.
        """
        async with self._lock:
            await self._commit()
            self._intake.judge_by(judges)
            await self.buffer.apply(origin)

    @asynccontextmanager
    async def between_commits(self) -> AsyncIterator[None]:
        """Commit what waits, and let nothing else be committed while the block runs."""
        async with self._lock:
            await self._commit()
            yield

    async def _commit(self) -> bool:
        """Make what waits durable, and return whether nothing more can come.

        However long the buffer is full or the storage refuses: waiting here fills the intake,
        which stops the pollers. Nothing more is accepted then, and what is not read meanwhile is
        told as a gap. What a cancelled commit has taken goes first with the next one.
        """
        portion = self._taken
        is_end = portion is None and self._intake.waiting.has_ended
        if portion is None:
            portion = self._taken = self._intake.take()
        if portion.readings or portion.events:
            while not await self._is_kept(portion):
                continue
        self._taken = None
        if not self._is_volatile:
            self._intake.stored()
        give_back()
        return is_end

    def _tell_dropped(self) -> None:
        """Log what is given up: the portion in hand, and what still waits behind it."""
        waiting, taken = self._intake.waiting, self._taken
        rows, event_count = waiting.rows, waiting.event_count
        if taken is not None:
            rows += sum(len(scan.channel) for scan in taken.readings)
            event_count += len(taken.events)
        if rows or event_count:
            reason = "nothing could be stored before the agent had to stop"
            log.error("readings.dropped", rows=rows, events=event_count, reason=reason)

    async def _is_kept(self, portion: Portion) -> bool:
        """Return whether a portion is durable, or safe in memory and on its way."""
        try:
            await self.buffer.append(portion)
        except BufferFullError as error:
            self._blocked(error)
            await self.buffer.has_space()
            return False
        except BufferUnavailableError as error:
            self._blocked(error)
            self._is_volatile = await self.buffer.append_volatile(portion)
            if not self._is_volatile:
                await self._intake.pause(STORAGE_PAUSE_NS)
            return self._is_volatile
        if self.is_blocked:
            log.info("buffer.freed")
        self.is_blocked = self._is_volatile = False
        self.fault = None
        return True

    def _blocked(self, error: BufferFullError | BufferUnavailableError) -> None:
        if not self.is_blocked:
            log.error("buffer.blocked", reason=str(error))
        self.is_blocked = True
        self.fault = error.fault if isinstance(error, BufferUnavailableError) else None
