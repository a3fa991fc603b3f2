"""A few batches, a request with three of them, and answers to it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from edge_agent.uplink.answer import Answer, Place, Refusal
from edge_agent.uplink.held import Holding
from edge_agent.uplink.state import Part, Purpose, Request
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.vocabulary import NO_HASH, Hash, Verdict
from tests.edge_agent.uplink.model_centre import CENTRE_KEY, ModelCentre
from tests.edge_agent.uplink.model_gateway import GATEWAY, ModelBatch, arriving

if TYPE_CHECKING:
    from edge_agent.wire.signing import SigningKey

CHAIN = UUID(int=1)
CENTRE = ModelCentre(gateway_id=GATEWAY)


def batch(number: int, *, chain: UUID = CHAIN, size: int = 1000) -> ModelBatch:
    """Return one batch of a chain whose hashes are its numbers."""
    prev = Hash((number + 999).to_bytes(32, "big")) if number else NO_HASH
    return ModelBatch(
        chain_id=chain,
        batch_no=number,
        batch_hash=Hash((number + 1000).to_bytes(32, "big")),
        prev_batch_hash=prev,
        size=size,
        before=None,
    )


BATCHES = [batch(number) for number in range(10)]
REQUEST = Request(
    purpose=Purpose.BACKLOG,
    parts=tuple(Part(held=one, flags=FrameFlag(0)) for one in BATCHES[3:6]),
)


def receipt(index: int, verdict: Verdict = Verdict.ACCEPTED, key: SigningKey = CENTRE_KEY) -> bytes:
    """Return a receipt for one batch of REQUEST."""
    return CENTRE.receipt(arriving(REQUEST)[index], verdict, key=key)


def answer(
    status: int,
    receipts: tuple[bytes, ...] = (),
    *,
    code: str | None = None,
    frame: int | None = None,
    expected: int | None = None,
) -> Answer:
    """Return an answer of the centre; `expected` is a number in CHAIN."""
    refusal = None
    if code is not None:
        place = None if expected is None else Place(chain_id=CHAIN, batch_no=expected)
        refusal = Refusal(code=code, frame=frame, expected=place)
    return Answer(status=status, is_readable=True, receipts=receipts, refusal=refusal)


ALL = (receipt(0), receipt(1), receipt(2))


def waiting(*batches: ModelBatch, rewound: tuple[ModelBatch, ...] = ()) -> Holding:
    """Return what a buffer shows whose unreceipted batches are these."""
    return Holding(count=len(batches), oldest=batches, newest=batches, rewound=rewound, again=())


def sent(request: Request | None) -> list[tuple[int, int]]:
    """Return numbers and flags of a request's batches."""
    assert request is not None
    return [(part.held.batch_no, part.flags) for part in request.parts]
