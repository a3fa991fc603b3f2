"""A gateway as the centre meets it: signs what a test wants signed, right or wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Unpack
from uuid import UUID

import numpy as np

from edge_agent.wire.arrow import arrow_stream
from edge_agent.wire.batch import Origin, Position, SignedBatch, Stamp, record_root, seal
from edge_agent.wire.bundle import bundle_bytes, config_hash
from edge_agent.wire.compression import compress
from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame, FrameFlag, encode_batch
from edge_agent.wire.header import Header
from edge_agent.wire.headstone import make_headstone
from edge_agent.wire.payload import join
from edge_agent.wire.readings import ROW, RowArray
from edge_agent.wire.signing import BATCH_CONTEXT, SigningKey
from edge_agent.wire.vocabulary import NO_HASH, BatchFlag, ClockState, Hash, Reason
from tests.central_sync.channels import NOX
from tests.header_fields import HeaderFields

S = 1_000_000_000
# 2026-11-20T10:00:00Z, the full hour.
TEN = 1_795_168_800 * S
NO_FLAGS = BatchFlag(0)
PLAIN = FrameFlag(0)
LATER = FrameFlag.BEFORE_FOLLOWS_LATER
NONE_BEFORE = FrameFlag.HOLDS_NONE_BEFORE


def uuid_of(number: int) -> UUID:
    """Return a UUID that a reader recognises."""
    return UUID(int=0x4000_8000_0000_0000_0000 + number)


def rows_at(at_ns: Sequence[int], *, channels: int = 2) -> RowArray:
    """Return one scan of `channels` channels for each time."""
    rows = np.zeros(len(at_ns) * channels, dtype=ROW)
    rows["scan"] = np.repeat(np.arange(len(at_ns)), channels)
    rows["channel"] = np.tile(np.arange(1, channels + 1), len(at_ns))
    rows["at"] = np.repeat(np.array(at_ns, dtype=np.int64), channels)
    rows["raw"] = np.arange(len(rows))
    rows["quality"] = Reason.JUDGED
    return rows


def bundle_of(*, simulated: bool = False, profile: bytes = b"profile") -> bytes:
    """Return a configuration bundle of two channels."""
    row = replace(NOX, profile_hash=sha256(profile).hexdigest())
    return bundle_bytes(
        simulated=simulated,
        channels=[row, replace(row, channel=2, name="SO2", parameter="SO2")],
        judging={},
        agent={},
        profiles={"test": sha256(profile).hexdigest()},
    )


def loss_of(chain: "SignedChain", first: int, last: int, reason: str = "damaged storage") -> Event:
    """Return the event that gives up batches first to last."""
    return Event(
        type="loss",
        at_ns=TEN,
        mono_ns=0,
        fields={
            "chain": str(chain.position.chain_id),
            "first_batch": first,
            "last_batch": last,
            "first_seq": 0,
            "last_seq": 0,
            "channels": [],
            "from_ns": TEN,
            "to_ns": TEN,
            "reason": reason,
        },
    )


def named_loss_of(chain: "SignedChain", lost: SignedBatch) -> Event:
    """Return the event that gives up one batch by its name."""
    header = lost.header
    told = loss_of(chain, header.batch_no, header.batch_no, "damaged_copy")
    names = {
        "batch_hash": lost.batch_hash.hex(),
        "prev_batch_hash": header.prev_batch_hash.hex(),
    }
    return replace(told, fields={**told.fields, **names})


def framed(batch: SignedBatch, flags: FrameFlag = PLAIN) -> bytes:
    """Return a batch as a frame."""
    return encode_batch(
        BatchFrame(
            flags=flags,
            header_bytes=batch.header_bytes,
            signature=batch.signature,
            body=batch.body,
        )
    )


@dataclass
class SignedChain:
    """One chain of one gateway. `batch` moves on; `forged` signs whatever it is given."""

    gateway_id: UUID = field(default_factory=lambda: uuid_of(1))
    key: SigningKey = field(default_factory=lambda: SigningKey.from_seed(b"k" * 32))
    bundle: bytes = field(default_factory=bundle_of)
    previous: SignedBatch | None = None
    position: Position = field(default_factory=lambda: Position.genesis(uuid_of(2)))

    @property
    def origin(self) -> Origin:
        """Who signs."""
        return Origin(
            gateway_id=self.gateway_id,
            config_hash=config_hash(self.bundle),
            software_hash=NO_HASH,
            key=self.key,
        )

    def batch(
        self,
        rows: RowArray | None = None,
        events: Sequence[Event] = (),
        *,
        moves: bool = True,
    ) -> SignedBatch:
        """Return the next batch; with `moves` False the chain stays where it is."""
        if rows is None:
            rows = rows_at([TEN + self.position.batch_no * 10 * S])
        if self.position.batch_no == 0:
            events = [self._continue(), *events]
        made = seal(
            rows,
            [event.line for event in events],
            position=self.position,
            stamp=Stamp(
                boot_count=1,
                boot_id=uuid_of(3),
                mono_ns=self.position.batch_no * S,
                wall_ns=TEN + self.position.batch_no * 10 * S,
                wall_unc_ms=5,
                clock_state=ClockState.NTP,
            ),
            origin=self.origin,
            flags=NO_FLAGS,
        )
        if moves:
            self.position = Position.after(made.header, made.batch_hash)
        return made

    def batches(self, count: int) -> list[SignedBatch]:
        """Return the next batches."""
        return [self.batch() for _ in range(count)]

    def forged(self, batch: SignedBatch, **fields: Unpack[HeaderFields]) -> SignedBatch:
        """Return a batch with other header fields under a good signature."""
        header = replace(batch.header, **fields)
        return self.signed(header.pack(), batch.body)

    def signed(self, header_bytes: bytes, body: bytes) -> SignedBatch:
        """Return any header bytes, signed."""
        return SignedBatch(
            header=Header.unpack(header_bytes),
            header_bytes=header_bytes,
            signature=self.key.sign(BATCH_CONTEXT, header_bytes),
            body=body,
        )

    def with_payload(
        self, batch: SignedBatch, payload: bytes, *, record_root: Hash | None = None
    ) -> SignedBatch:
        """Return a batch whose header vouches for this payload, whatever is in it."""
        digest = Hash(sha256(payload).digest())
        made = self.forged(
            batch,
            payload_len=len(payload),
            payload_sha256=digest,
            record_root=record_root or batch.header.record_root,
        )
        return replace(made, body=compress(payload))

    def unfit(self, *, moves: bool = True) -> SignedBatch:
        """Return the next batch, its rows not those of the root that was signed."""
        good = self.batch(moves=False)
        rows = rows_at([TEN])
        rows["raw"] += 7
        bad = self.with_payload(good, join(arrow_stream(rows), []))
        if moves:
            self.position = Position.after(bad.header, bad.batch_hash)
        return bad

    def headstone(self, rows: RowArray, lines: Sequence[bytes], of: SignedBatch) -> SignedBatch:
        """Return a batch as its own headstone: the same header, its readings given up."""
        assert record_root(rows, lines) == of.header.record_root
        return replace(of, body=make_headstone(rows, lines).pack())

    def _continue(self) -> Event:
        previous = None
        if self.previous is not None:
            previous = {
                "chain": str(self.previous.header.chain_id),
                "batch_no": str(self.previous.header.batch_no),
                "batch_hash": self.previous.batch_hash.hex(),
            }
        return Event(
            type="continue",
            at_ns=TEN,
            mono_ns=0,
            fields={"reason": "enrol" if previous is None else "reset", "previous": previous},
        )
