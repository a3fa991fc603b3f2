"""One upload from its bytes to its outcome: prepared in a thread, committed in a group, counted.

HTTP stays in `central_sync.api`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from central_sync.ingest.allowance import Allowances
from central_sync.ingest.committer import Committer, OverloadedError
from central_sync.ingest.decoder import ReadBodies, read_here
from central_sync.ingest.metrics import IngestMetrics
from central_sync.ingest.receive import prepared, unpacked
from central_sync.store.admission import Outcome, Refusal, Submission
from central_sync.store.port import Store
from edge_agent.wire.signing import VerifyingKey
from edge_agent.wire.vocabulary import Verdict

# A gateway that keeps us busy, for whatever reason, must leave room for the others.
AT_ONCE_PER_GATEWAY: Final = 4
THREADS: Final = 8

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """What an upload needs; `on_stored` is called after batches of a gateway were stored."""

    store: Store
    committer: Committer
    receipt_key: VerifyingKey
    metrics: IngestMetrics
    on_stored: Callable[[UUID], None]
    allowances: Allowances
    read_bodies: ReadBodies = read_here
    under_way: Counter[UUID] = field(default_factory=Counter)
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, thread_name_prefix="ingest")
    )

    async def upload(self, gateway_id: UUID, body: bytes, encoding: str) -> Outcome:
        """Return the outcome of one request; all that it gives a receipt for is durable.

        Args:
            gateway_id: the gateway that is named in the address.
            body: the request's body as received.
            encoding: its Content-Encoding, "" for none.

        Raises:
            RefusedError: FRAME: the body cannot be unpacked.
            UnknownEncodingError: neither zstd nor none.
            TooLargeError: more bytes or frames than one request may have.
            OverloadedError: nothing was done; come again.
            StoreUnavailableError: nothing was done; come again.

        """
        self.metrics.request_bytes.inc(len(body))
        submission = await self._prepared(gateway_id, body, encoding)
        if submission.candidates:
            self.allowances.spent(gateway_id, len(body))
        outcome = await self.committer.commit(submission)
        self._count(submission, outcome)
        if outcome.verdicts:
            self.on_stored(gateway_id)
        return outcome

    async def _prepared(self, gateway_id: UUID, body: bytes, encoding: str) -> Submission:
        """Look a request through in a thread, a few of one gateway at a time."""
        if self.under_way[gateway_id] >= AT_ONCE_PER_GATEWAY:
            raise OverloadedError(f"{AT_ONCE_PER_GATEWAY} requests of {gateway_id} are under way")
        self.under_way[gateway_id] += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self.threads, self._submission, gateway_id, body, encoding
            )
        finally:
            self.under_way[gateway_id] -= 1
            if not self.under_way[gateway_id]:
                del self.under_way[gateway_id]

    def _submission(self, gateway_id: UUID, body: bytes, encoding: str) -> Submission:
        """Look a request through: everything that costs time and needs no turn at the store."""
        request = unpacked(body, encoding)
        return prepared(
            gateway_id,
            request,
            store=self.store,
            receipt_key=self.receipt_key,
            read_bodies=self.read_bodies,
        )

    def _count(self, submission: Submission, outcome: Outcome) -> None:
        for verdict in outcome.verdicts:
            self.metrics.frames.labels(result=verdict.name.lower()).inc()
        repeated = len(outcome.receipts) - len(outcome.verdicts)
        if repeated:
            self.metrics.frames.labels(result="repeated").inc(repeated)
        self.metrics.readings.inc(outcome.new_readings)
        if outcome.refusal is not None:
            self._told(submission.gateway_id, outcome.refusal)
        if Verdict.QUARANTINED in outcome.verdicts:
            log.error("batch.quarantined", gateway=str(submission.gateway_id))
        if Verdict.BRANCH in outcome.verdicts:
            log.error("chain.forked", gateway=str(submission.gateway_id))

    def _told(self, gateway_id: UUID, refusal: Refusal) -> None:
        self.metrics.frames.labels(result=refusal.code).inc()
        if refusal.code == "gap":  # the protocol's own way to find its place
            return
        if refusal.code == "key":
            self.metrics.signature_failures.inc()
        log.warning(
            "frame.refused",
            gateway=str(gateway_id),
            code=refusal.code,
            check=refusal.check,
            frame=refusal.frame,
            detail=refusal.detail,
        )
