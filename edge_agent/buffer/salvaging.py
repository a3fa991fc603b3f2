"""Brings back, in the background, every batch of damaged files that still verifies.

Files that were set aside are only read. What was done is kept in the buffer together with what was
brought back, so that a kill at any moment loses nothing and repeats little. New readings go first.
"""

import asyncio
import errno
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Never
from uuid import UUID

import structlog

from edge_agent.buffer.adopting import Salvaged, adopt
from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError
from edge_agent.buffer.missing import in_order, missing_of, present_of
from edge_agent.buffer.pages import Pages
from edge_agent.buffer.progress import Progress, Step, fact_of
from edge_agent.buffer.quarantine import folders, is_closed, is_seen
from edge_agent.buffer.reading import DAMAGE_ERRORS
from edge_agent.buffer.receipted import unsettled
from edge_agent.buffer.remains import Remains, Sighted, by_number
from edge_agent.buffer.salvage import Salvage, Tell
from edge_agent.buffer.store import Buffer
from edge_agent.buffer.writing import Writer
from edge_agent.clock import NS_PER_S, Clock
from edge_agent.wire.batch import Origin
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.events import Event

# Storage that is full or refuses is tried again so often.
PAUSE_NS: Final = 60 * NS_PER_S
# Batches of which only the header is left: so many tell what was lost.
MOST_SIGHTED: Final = 8_192

log = structlog.get_logger()


class SupersededError(Exception):
    """The buffer that was salvaged into was itself set aside: begin again with the new one."""


@dataclass(slots=True)
class Work:
    """One quarantine that is not done."""

    folder: Path
    progress: Progress


class Salvager:
    """Salvages into one buffer until it is cancelled."""

    def __init__(
        self, buffer: Buffer, path: Path, *, origin: Origin, clock: Clock, tell: Tell
    ) -> None:
        """Prepare.

        Args:
            buffer: open.
            path: of its file, beside which the quarantines are.
            origin: whose batches count.
            clock: the agent's.
            tell: makes events durable, signed, and returns then.

        """
        self._buffer = buffer
        self._path = path
        self._gateway_id = origin.gateway_id
        self._clock = clock
        self._tell = tell
        self._generation = buffer.counters.quarantined
        self._done: dict[Path, Progress] = {}
        self._is_running = False
        self._reason: str | None = None

    def status(self) -> Salvage:
        """Return what has been salvaged so far, and whether an operator has looked."""
        each = self._done.values()
        return Salvage(
            folders=len(self._done),
            unseen=sum(not is_seen(folder) for folder in self._done),
            is_running=self._is_running,
            salvaged_batches=sum(one.salvaged for one in each),
            lost_batches=sum(one.lost for one in each),
            reason=self._reason,
        )

    async def run(self) -> Never:
        """Salvage what was set aside before, and whatever will be."""
        while True:
            self._generation = self._buffer.counters.quarantined
            try:
                await self.once()
            except SupersededError:
                continue
            except (BufferFullError, BufferUnavailableError, OSError, *DAMAGE_ERRORS) as error:
                # Whatever the damaged bytes do to a reader, the agent goes on without them.
                await self._postpone(f"{type(error).__name__}: {error}")
                continue
            while self._buffer.counters.quarantined == self._generation:
                await self._buffer.changed()

    async def once(self) -> None:
        """Salvage everything that was set aside so far.

        Raises:
            BufferFullError, BufferUnavailableError: the rest must wait; what was done is kept.
            PermissionError: all is done but what may not be read.
            SupersededError: the buffer itself was set aside meanwhile.

        """
        pending, closed = await self._pending()
        self._is_running = bool(pending)
        try:
            for work in pending:
                await self._take_tables(work)
            for work in pending:
                await self._take_batches(work)
            if pending:
                await self._tell_losses(pending)
        finally:
            self._is_running = False
        if closed:
            raise PermissionError(errno.EACCES, "the agent may not read it", str(closed[0]))
        self._reason = None

    async def _pending(self) -> tuple[list[Work], list[Path]]:
        """Return what is not done, and of that the folders with files that may not be read."""
        found: list[Work] = []
        closed: list[Path] = []
        for folder in await asyncio.to_thread(folders, self._path):
            async with self._lent() as writer:
                progress = Progress.parse(await writer.table.fact(fact_of(folder)))
            self._done[folder] = progress
            if progress.step is Step.DONE:
                continue
            if is_closed(folder / self._path.name):
                closed.append(folder)
            else:
                found.append(Work(folder=folder, progress=progress))
        return found, closed

    async def _take_tables(self, work: Work) -> None:
        """Take receipts and documents, so that batches find them."""
        if work.progress.step is not Step.TABLES:
            return
        async with self._remains(work.folder) as (pages, remains):
            log.info("buffer.salvage_begun", folder=str(work.folder), size_bytes=pages.size)
            receipted = await asyncio.to_thread(remains.receipts)
            documents = remains.documents()
            while (document := await asyncio.to_thread(next, documents, None)) is not None:
                await self._adopt(work, Salvaged(documents=(document,)))
            step = replace(
                work.progress, step=Step.BATCHES, size=pages.size, chains=unsettled(receipted)
            )
            await self._adopt(work, Salvaged(receipted=receipted), step)

    async def _take_batches(self, work: Work) -> None:
        """Take every batch that verifies; half of the time is left to others."""
        async with self._remains(work.folder) as (_, remains):
            while work.progress.step is Step.BATCHES:
                began_ns = self._clock.now().mono_ns
                lot = await asyncio.to_thread(remains.lot, work.progress.at)
                if lot is None:
                    await self._adopt(work, Salvaged(), replace(work.progress, step=Step.LOSSES))
                    return
                progress = work.progress.after(lot)
                await self._adopt(work, Salvaged(batches=lot.batches), progress)
                now_ns = self._clock.now().mono_ns
                await self._clock.sleep_until(now_ns + now_ns - began_ns)

    async def _tell_losses(self, pending: Sequence[Work]) -> None:
        """Tell, signed, which batches of the old chains are nowhere any more."""
        sighted: dict[tuple[UUID, int], Sighted] = {}
        for work in pending:
            found, untold = await self._sighted(work)
            work.progress = work.progress.among((*(chain for chain, _ in found), *untold))
            sighted |= found
        chains = {chain for work in pending for chain in work.progress.chains}
        async with self._lent() as writer:
            missing = await missing_of(writer, chains)
        missing = in_order([one.seen(sighted) for one in missing])
        now = self._clock.now()
        losses = [loss for one in missing for loss in one.losses()]
        lost = {one.chain_id: one.lost_count for one in missing}
        for work in pending:
            work.progress = replace(
                work.progress,
                step=Step.DONE,
                lost=sum(lost.get(chain, 0) for chain in work.progress.chains),
            )
        fields = [
            *(("loss", loss.fields) for loss in losses),
            *(("note", _note(work)) for work in pending),
        ]
        await self._tell(
            [
                Event(type=kind, at_ns=now.utc_ns, mono_ns=now.mono_ns, fields=each)
                for kind, each in fields
            ]
        )
        for work in pending:
            await self._adopt(work, Salvaged())
            log.warning(
                "buffer.salvage_ended",
                folder=str(work.folder),
                salvaged=work.progress.salvaged,
                lost=work.progress.lost,
                foreign=work.progress.foreign,
            )

    async def _sighted(
        self, work: Work
    ) -> tuple[Mapping[tuple[UUID, int], Sighted], Sequence[UUID]]:
        """Return batches that are nowhere but for their headers, and chains by their names."""
        async with self._lent() as writer:
            is_present = present_of(writer.ledger)
        async with self._remains(work.folder) as (_, remains):
            found = await asyncio.to_thread(
                lambda: by_number(remains.sighted(MOST_SIGHTED, is_present))
            )
            # In files with batches of another gateway or key the chains may be theirs too.
            untold = () if work.progress.foreign else await asyncio.to_thread(remains.untold)
        return found, untold

    async def _adopt(
        self, work: Work, salvaged: Salvaged, progress: Progress | None = None
    ) -> None:
        """Store a lot and the progress with it."""
        progress = progress or work.progress
        async with self._lent() as writer:
            work.progress = await adopt(writer, salvaged, progress, fact=fact_of(work.folder))
        self._done[work.folder] = work.progress

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Writer]:
        async with self._buffer.lent() as writer:
            if writer.counters.quarantined != self._generation:
                raise SupersededError
            yield writer

    @asynccontextmanager
    async def _remains(self, folder: Path) -> AsyncIterator[tuple[Pages, Remains]]:
        async with self._lent() as writer:
            origin = writer.sealer.origin  # another key may have followed since the start
        pages = await asyncio.to_thread(Pages, folder / self._path.name)
        with pages:
            yield (
                pages,
                Remains(
                    pages,
                    gateway_id=self._gateway_id,
                    key=origin.key.verifying_key,
                    earlier=origin.earlier,
                ),
            )

    async def _postpone(self, reason: str) -> None:
        if reason != self._reason:
            log.warning("buffer.salvage_postponed", reason=reason)
        self._reason = reason
        await self._clock.sleep_until(self._clock.now().mono_ns + PAUSE_NS)


def _note(work: Work) -> dict[str, JsonValue]:
    """Return the fields of the event that says what became of a quarantine."""
    progress = work.progress
    text = (
        f"salvage of {work.folder.name}: {progress.salvaged} batches brought back,"
        f" {progress.lost} lost, {progress.foreign} of another gateway or key"
    )
    return {"who": "agent", "text": text}
