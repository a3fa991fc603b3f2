"""Another signing key while the agent runs: signed in as the last word of the old one.

In this order: the new key is on the disk; the batch that names it is durable; its file takes the
place of the old one; the old one is kept until the centre has everything that it signed. A cut
between any two of them is mended at the next start, by what the buffer says.
"""

import asyncio
from pathlib import Path
from typing import Final, Never

import structlog

from edge_agent.buffer.reading import key_after
from edge_agent.buffer.records import NextKey as Ending
from edge_agent.buffer.store import Buffer, BufferFullError, BufferUnavailableError
from edge_agent.clock import NS_PER_S, Clock
from edge_agent.committer import Committer
from edge_agent.errors import OperatorError
from edge_agent.identity import NextKey, load_signing_key
from edge_agent.wire.signing import SigningKey

LOOK_NS: Final = 2 * NS_PER_S

log = structlog.get_logger()


def settled_key(files: NextKey, buffer: Path, credentials: Path | None) -> SigningKey:
    """Return the key that signs from this start on.

    A key that was signed in before the last stop, and not yet moved to its place, is moved now.

    Raises:
        OperatorError: a key cannot be used.

    """
    waiting = files.waiting
    if waiting is not None and key_after(buffer) == waiting.key_id:
        files.promote()
    return load_signing_key(files.key_file, credentials=credentials)


class Rekeying:
    """Carries out a change of keys that waits on the disk, and forgets the key before."""

    def __init__(self, files: NextKey, committer: Committer[Buffer], *, clock: Clock) -> None:
        self._files = files
        self._committer = committer
        self._clock = clock

    async def carried_out(self) -> SigningKey | None:
        """Let the key that waits sign from now on; return it, or None where none waits.

        What is wrong with the files is logged; the present key goes on then.
        """
        try:
            waiting = await asyncio.to_thread(lambda: self._files.waiting)
        except OperatorError as fault:
            log.error("key.refused", reason=str(fault))
            return None
        if waiting is None:
            return None
        await self._signed_in(waiting)
        try:
            await asyncio.to_thread(self._files.promote)
        except OperatorError as fault:
            log.error("key.unmoved", reason=str(fault))
        log.info("key.rotated", key_id=waiting.key_id.hex())
        return waiting

    async def _signed_in(self, key: SigningKey) -> None:
        """Return once it is durable that this key follows, however long the storage refuses.

        Cancelled, it may be so or not: the next start sees.
        """
        ending, buffer = Ending(key=key), self._committer.buffer
        async with self._committer.between_commits():
            while True:
                try:
                    await buffer.append(ending)
                except BufferFullError:
                    await buffer.has_space()
                except BufferUnavailableError:
                    await self._clock.sleep_until(self._clock.now().mono_ns + NS_PER_S)
                else:
                    return

    async def watch(self) -> Never:
        """Wipe the key before as soon as the centre has all that it signed, for ever."""
        while True:
            if self._files.old_file.exists() and not self._files.waiting_file.exists():
                try:
                    await asyncio.to_thread(self._forget_old)
                except OperatorError as fault:
                    log.error("key.unwiped", reason=str(fault))
            await self._clock.sleep_until(self._clock.now().mono_ns + LOOK_NS)

    def _forget_old(self) -> None:
        old = self._files.old
        oldest = self._committer.buffer.backlog().oldest
        if old is None or (oldest is not None and oldest.key_id == old.key_id):
            return
        self._files.forget_old()
        log.info("key.wiped", key_id=old.key_id.hex())
