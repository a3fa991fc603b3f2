"""A centre in its smallest form: the table of docs/wire-format.md section 12, and nothing else.

It keeps batches by hash and signs real receipts. It is the other side in the tests of the uplink,
not a part of the product, and decides only by what a header says.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, Hash, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

CENTRE_KEY = SigningKey.from_seed(b"c" * 32)
RECEIVED_NS = 1_800_000_000_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """What the centre looks at in one frame."""

    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    before: tuple[UUID, int, Hash] | None
    """The batch before; for a genesis the one its `continue` event names; None if there is none."""
    flags: FrameFlag


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """An answer before it is JSON."""

    status: int
    receipts: tuple[bytes, ...] = ()
    error: dict[str, object] | None = None
    wanted: tuple[tuple[UUID, int, Hash], ...] = ()
    wanted_bundles: tuple[Hash, ...] = ()

    def body(self) -> bytes:
        """Return the JSON of the answer."""
        return json.dumps(
            {
                "receipts": [b64encode(receipt).decode() for receipt in self.receipts],
                "head": None,
                "wanted": [
                    {"chain": str(chain), "batch_no": number, "batch_hash": digest.hex()}
                    for chain, number, digest in self.wanted
                ],
                "wanted_bundles": [digest.hex() for digest in self.wanted_bundles],
                "error": self.error,
            }
        ).encode()


@dataclass(slots=True, kw_only=True)
class ModelCentre:
    """A record of batches that may be copied (a backup) and put back."""

    gateway_id: UUID
    stored: dict[Hash, bytes] = field(default_factory=dict)
    """Receipts by batch hash."""
    main: dict[tuple[UUID, int], Hash] = field(default_factory=dict)
    missing: dict[Hash, tuple[UUID, int]] = field(default_factory=dict)
    wanted_bundles: tuple[Hash, ...] = ()

    def backup(self) -> ModelCentre:
        """Return a copy that can take this one's place later."""
        return ModelCentre(
            gateway_id=self.gateway_id,
            stored=dict(self.stored),
            main=dict(self.main),
            missing=dict(self.missing),
        )

    def receive(self, frames: Sequence[Arriving], *, stop_after: int | None = None) -> Reaction:
        """Handle frames in order; `stop_after` so many the centre is overloaded."""
        receipts: list[bytes] = []
        for index, frame in enumerate(frames):
            if index == stop_after:
                return self._reaction(503, receipts, {"code": "busy", "frame": index})
            if frame.batch_hash not in self.stored and self._is_gap(frame):
                return self._reaction(409, receipts, self._gap(frame, index))
            receipts.append(self._stored(frame))
        return self._reaction(200, receipts, None)

    def _is_gap(self, frame: Arriving) -> bool:
        hole_flags = FrameFlag.HOLDS_NONE_BEFORE | FrameFlag.BEFORE_FOLLOWS_LATER
        return (
            frame.before is not None
            and frame.before[2] not in self.stored
            and not frame.flags & hole_flags
        )

    def _gap(self, frame: Arriving, index: int) -> dict[str, object]:
        assert frame.before is not None
        chain_id, number, _ = frame.before
        head = max((no for chain, no in self.main if chain == chain_id), default=-1)
        return {
            "code": "gap",
            "frame": index,
            "expected": {"chain": str(chain_id), "batch_no": min(head + 1, number)},
        }

    def _stored(self, frame: Arriving) -> bytes:
        known = self.stored.get(frame.batch_hash)
        if known is not None:
            return known
        place = (frame.chain_id, frame.batch_no)
        verdict = Verdict.BRANCH if place in self.main else Verdict.ACCEPTED
        if frame.before is not None and frame.before[2] not in self.stored:
            self.missing[frame.before[2]] = frame.before[:2]
        receipt = self.receipt(frame, verdict)
        self.stored[frame.batch_hash] = receipt
        self.missing.pop(frame.batch_hash, None)
        self.main.setdefault(place, frame.batch_hash)
        return receipt

    def receipt(self, frame: Arriving, verdict: Verdict, *, key: SigningKey = CENTRE_KEY) -> bytes:
        """Return a receipt as the centre, or somebody else, would sign it."""
        place = BatchPlace(
            gateway_id=self.gateway_id,
            chain_id=frame.chain_id,
            batch_no=frame.batch_no,
            batch_hash=frame.batch_hash,
        )
        return sign_receipt(key, place, verdict=verdict, received_ns=RECEIVED_NS).pack()

    def _reaction(
        self, status: int, receipts: Iterable[bytes], error: dict[str, object] | None
    ) -> Reaction:
        wanted = sorted((*place, digest) for digest, place in self.missing.items())[:256]
        return Reaction(
            status=status,
            receipts=tuple(receipts),
            error=error,
            wanted=tuple(wanted),
            wanted_bundles=self.wanted_bundles,
        )


def before_of(chain_id: UUID, batch_no: int, previous: Hash) -> tuple[UUID, int, Hash] | None:
    """Return the batch before one that is no genesis."""
    return None if previous == NO_HASH else (chain_id, batch_no - 1, previous)
