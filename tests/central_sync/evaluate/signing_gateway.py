"""A gateway that signs whatever rows a test gives it, and a centre on the embedded store for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from central_sync.app import migrate, opened
from central_sync.config import CentreSettings
from central_sync.evaluate.hour import Evaluation, Evaluator
from central_sync.ingest.bundles import Bundles
from central_sync.ingest.receive import prepared
from central_sync.programs.plan import Plan
from central_sync.store.admission import Outcome
from edge_agent.wire.batch import Origin, Position, SignedBatch, Stamp, seal
from edge_agent.wire.bundle import ChannelRow, bundle_bytes, config_hash
from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame, FrameFlag, encode_batch
from edge_agent.wire.readings import ROW, RowArray
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, BatchFlag, ClockState, Hash, Reason
from tests.central_sync.channels import NOX

if TYPE_CHECKING:
    from central_sync.store.port import Store

NO_FLAGS = FrameFlag(0)
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
# 2026-11-20T10:00:00Z
TEN = 1_795_168_800 * SECOND
GATEWAY = UUID("0f0e0d0c-0b0a-4000-8000-000000000001")
CHAIN = UUID("0f0e0d0c-0b0a-4000-8000-000000000002")
BOOT = UUID("0f0e0d0c-0b0a-4000-8000-000000000003")


def rows(readings: Sequence[tuple[int, int, int]], *, quality: int = Reason.JUDGED) -> RowArray:
    """Return rows of (at_ns, channel, raw), each a scan of its own unless at_ns is the same."""
    made = np.zeros(len(readings), dtype=ROW)
    scan = -1
    before = None
    for place, (at_ns, channel, raw) in enumerate(readings):
        scan += at_ns != before
        before = at_ns
        made[place] = (scan, channel, at_ns, place, raw, 0, quality)
    return made


@dataclass
class SigningGateway:
    """One chain of one gateway; what it seals follows what it sealed before."""

    channels: Sequence[ChannelRow] = (NOX,)
    simulated: bool = False
    gateway_id: UUID = GATEWAY
    key: SigningKey = field(default_factory=lambda: SigningKey.from_seed(b"k" * 32))
    position: Position = field(default_factory=lambda: Position.genesis(CHAIN))
    clock_error_ms: int = 5

    @property
    def bundle(self) -> bytes:
        """The bundle of what is configured now."""
        return bundle_bytes(
            simulated=self.simulated, channels=self.channels, judging={}, agent={}, profiles={}
        )

    def batch(self, readings: RowArray, *, wall_ns: int) -> SignedBatch:
        """Return the next batch of the chain, closed at `wall_ns`."""
        lines = []
        if self.position.batch_no == 0:
            event = Event(
                type="continue",
                at_ns=wall_ns,
                mono_ns=0,
                fields={"reason": "enrol", "previous": None},
            )
            lines.append(event.line)
        made = seal(
            readings,
            lines,
            position=self.position,
            stamp=Stamp(
                boot_count=1,
                boot_id=BOOT,
                mono_ns=self.position.batch_no,
                wall_ns=wall_ns,
                wall_unc_ms=self.clock_error_ms,
                clock_state=ClockState.NTP,
            ),
            origin=Origin(
                gateway_id=self.gateway_id,
                config_hash=config_hash(self.bundle),
                software_hash=NO_HASH,
                key=self.key,
            ),
            flags=BatchFlag(0),
        )
        self.position = Position.after(made.header, made.batch_hash)
        return made


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        """Return the time, UTC ns."""
        return self.now_ns


class Centre:
    """A centre over a folder: its store, and the ways in."""

    def __init__(self, state: Path, *, now_ns: int = TEN + HOUR, plan: Plan | None = None) -> None:
        self.clock = Clock(now_ns)
        self.settings = CentreSettings(state=state, allow_simulated=True)
        migrate(self.settings)
        self._opened = opened(self.settings, now_ns=self.clock, may_restart_log=True)
        self.parts = self._opened.__enter__()
        self.store: Store = self.parts.store
        self.receipt_key = self.parts.receipt_key.verifying_key
        self.evaluator = Evaluator(store=self.store, plan=plan or Plan(), parts=self.settings.parts)

    def close(self) -> None:
        """Let go of the store."""
        self._opened.__exit__(None, None, None)

    def register(self, gateway: SigningGateway) -> None:
        """Accept this gateway's key from now on."""
        self.store.add_gateway(
            gateway.gateway_id,
            facility="PLANT",
            name="stack 1",
            public_key=gateway.key.public_bytes,
        )

    def take(self, *batches: SignedBatch, flags: FrameFlag = NO_FLAGS) -> Outcome:
        """Take an upload of batches."""
        request = b"".join(
            encode_batch(
                BatchFrame(
                    flags=flags,
                    header_bytes=one.header_bytes,
                    signature=one.signature,
                    body=one.body,
                )
            )
            for one in batches
        )
        return self.take_request(batches[0].header.gateway_id, request)

    def take_request(self, gateway_id: UUID, request: bytes) -> Outcome:
        """Take the frames of an upload."""
        submission = prepared(gateway_id, request, store=self.store, receipt_key=self.receipt_key)
        (outcome,) = self.store.accept([submission])
        return outcome

    def take_bundle(self, body: bytes) -> Hash:
        """Take a bundle that stored batches name."""
        named = config_hash(body)
        Bundles(store=self.store, allow_simulated=True).put_bundle(named, body)
        return named

    def compute(self) -> Mapping[int, Evaluation]:
        """Compute every hour that is dirty; return what became of each, by hour."""
        return {
            hour.hour_ns: self.evaluator.evaluate(hour, now_ns=self.clock())
            for hour in self.store.dirty_hours(1000)
        }
