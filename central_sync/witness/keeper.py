"""The task inside `serve` that makes checkpoints and seals segments, at a fixed pace."""

import asyncio
from dataclasses import dataclass
from typing import Final, NoReturn

import structlog

from central_sync.model import AlarmCode
from central_sync.store.port import StoreUnavailableError
from central_sync.witness.checkpoints import LogRewrittenError, Witness
from central_sync.witness.sealing import Sealer
from edge_agent.wire.refusal import RefusedError

log = structlog.get_logger()


THOROUGH_EVERY_S: Final = 86_400.0
"""How often every entry of the log is read again; also when the service starts."""


@dataclass(slots=True, kw_only=True)
class Keeper:
    """Does both every `interval_s`; a failure is told and tried again the next time."""

    witness: Witness
    sealer: Sealer
    interval_s: float
    _rounds: int = 0

    async def run(self) -> NoReturn:
        """Keep at it until cancelled; what is under way is finished in its thread."""
        while True:
            await asyncio.to_thread(self.round)
            await asyncio.sleep(self.interval_s)

    def round(self) -> None:
        """Seal what is due, and sign the log as it then is."""
        is_thorough = self._rounds % max(1, round(THOROUGH_EVERY_S / self.interval_s)) == 0
        self._rounds += 1
        try:
            moved = self.sealer.run()
            if moved:
                log.info("batches.sealed", count=moved)
        except (OSError, RefusedError, StoreUnavailableError) as fault:
            log.warning("sealing.postponed", reason=str(fault))
        try:
            checkpoint, _ = self.witness.checkpoint(is_thorough=is_thorough)
            log.debug("checkpoint.signed", size=checkpoint.size)
        except LogRewrittenError as fault:
            log.error("log.rewritten", reason=str(fault))
            self.witness.store.raise_alarm(AlarmCode.LOG, None, detail=str(fault))
        except (OSError, StoreUnavailableError) as fault:
            log.warning("checkpoint.postponed", reason=str(fault))
