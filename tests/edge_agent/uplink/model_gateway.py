"""A gateway without disk and network: batches in memory, and the product's own state machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from edge_agent.uplink.answer import parse_answer
from edge_agent.uplink.held import Holding
from edge_agent.uplink.protocol import after
from edge_agent.uplink.request import LIVE_FRAMES, need, next_request
from edge_agent.uplink.state import LARGEST_FRAMES, Request, State, Trust
from edge_agent.wire.vocabulary import NO_HASH, Hash
from tests.edge_agent.uplink.model_centre import CENTRE_KEY, Arriving, Reaction

if TYPE_CHECKING:
    from random import Random

    from edge_agent.wire.receipt import Receipt

GATEWAY = UUID(int=7)
# A few are so large that both limits of a request are met.
SIZES = (*[500] * 60, 900_000, 900_000, 900, 3_000_000)
TRUST = Trust(gateway_id=GATEWAY, receipt_keys={CENTRE_KEY.key_id: CENTRE_KEY.verifying_key})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBatch:
    """A batch without its contents."""

    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    prev_batch_hash: Hash
    size: int
    before: tuple[UUID, int, Hash] | None
    is_headstone: bool = False


@dataclass(slots=True, kw_only=True)
class ModelGateway:
    """A buffer in memory, and the product's own state machine on top of it."""

    rng: Random
    made: list[ModelBatch] = field(default_factory=list)
    held: list[ModelBatch] = field(default_factory=list)
    receipted: dict[Hash, Receipt] = field(default_factory=dict)
    state: State = field(default_factory=State)
    sizes: tuple[int, ...] = SIZES

    def seal(self, *, in_new_chain: bool = False) -> None:
        """Make the next batch durable."""
        last = self.made[-1] if self.made else None
        before = None if last is None else (last.chain_id, last.batch_no, last.batch_hash)
        chain_id, number, prev = UUID(int=len(self.made) + 100), 0, NO_HASH
        if last is not None and not in_new_chain:
            chain_id, number, prev = last.chain_id, last.batch_no + 1, last.batch_hash
        batch = ModelBatch(
            chain_id=chain_id,
            batch_no=number,
            batch_hash=Hash((len(self.made) + 1).to_bytes(32, "big")),
            prev_batch_hash=prev,
            size=self.sizes[len(self.made) % len(self.sizes)],
            before=before,
        )
        self.made.append(batch)
        self.held.append(batch)

    def forget(self) -> None:
        """Delete receipted batches, oldest first, as a buffer that needs room does."""
        while len(self.held) > 1 and self.held[0].batch_hash in self.receipted:
            self.held.pop(0)
            if self.rng.random() < 0.3:
                return

    def waiting(self) -> list[ModelBatch]:
        """Return the batches without a receipt, oldest first."""
        return [one for one in self.held if one.batch_hash not in self.receipted]

    def next_request(self) -> Request | None:
        """Look into the buffer as the client does, and return what the product would send."""
        wish = need(self.state)
        waiting = self.waiting()
        rewound: list[ModelBatch] = []
        if wish.rewind is not None:
            place = wish.rewind
            rewound = [
                one
                for one in self.held
                if one.chain_id == place.chain_id and one.batch_no >= place.batch_no
            ]
        wanted = {one.batch_hash for one in wish.again}
        holding = Holding(
            count=len(waiting),
            oldest=tuple(waiting[:LARGEST_FRAMES]),
            newest=tuple(waiting[-LIVE_FRAMES:]),
            rewound=tuple(rewound[:LARGEST_FRAMES]),
            again=tuple(one for one in self.held if one.batch_hash in wanted),
        )
        self.state, request = next_request(self.state, holding)
        return request

    def take(self, request: Request, reaction: Reaction | None) -> None:
        """Carry out what the product makes of an answer."""
        answer = None if reaction is None else parse_answer(reaction.status, reaction.body())
        outcome = after(self.state, request, answer, TRUST)
        self.state = outcome.state
        for receipt in outcome.settle:
            self.receipted.setdefault(receipt.batch_hash, receipt)


def arriving(request: Request) -> list[Arriving]:
    """Return what the centre sees of a request of model batches."""
    seen = []
    for part in request.parts:
        assert isinstance(part.held, ModelBatch)
        seen.append(
            Arriving(
                chain_id=part.held.chain_id,
                batch_no=part.held.batch_no,
                batch_hash=part.held.batch_hash,
                before=part.held.before,
                flags=part.flags,
            )
        )
    return seen
