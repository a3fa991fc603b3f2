"""Fuzz target of the centre as a whole: requests that a gateway could have signed, one by one.

Batches follow one another, fork, leave holes, are headstones, are altered behind their signature or
before it. What is stored stays: later requests meet it, and a seed repeats a run, not an input.
"""

from __future__ import annotations

import atexit
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from central_sync.app import opened
from central_sync.config import CentreSettings
from central_sync.ingest.receive import TooLargeError, prepared
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.headstone import make_headstone
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.signing import RECEIPT_CONTEXT
from edge_agent.wire.vocabulary import Hash
from tests.fuzz.content import rows
from tests.fuzz.mutation import mutated, with_number
from tests.fuzz.target import Target
from tests.fuzz.wire import NUMBERS, RECEIPT
from tests.vectors.pieces import (
    EVENTFUL,
    GATEWAY,
    GENESIS,
    KEY,
    ONLY_EVENTS,
    ORDINARY,
    Made,
    event,
    made,
    resigned,
    with_header_bytes,
    with_payload,
)

if TYPE_CHECKING:
    import random

    from central_sync.store.port import Store
    from edge_agent.wire.signing import VerifyingKey

FLAGS: Final = tuple(FrameFlag(flag) for flag in (0, 0, 0, 4, 8))
# So many batches are remembered to be followed, forked and sent again.
REMEMBERED: Final = 40


def upload() -> Target:
    """Return the target of an upload: what a centre stores it receipts, and nothing stops it."""
    known: list[Made] = [GENESIS, ORDINARY, EVENTFUL, ONLY_EVENTS]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-centre-"))
    stack = ExitStack()
    atexit.register(stack.close)
    centre = stack.enter_context(opened(CentreSettings(state=folder / "centre")))
    centre.store.add_gateway(GATEWAY, facility="F", name="fuzz", public_key=KEY.public_bytes)

    def make(chance: random.Random) -> bytes:
        return b"".join(_frame(chance, known) for _ in range(chance.randint(1, 4)))

    def run(content: bytes) -> bool:
        return _taken(content, centre.store, centre.receipt_key.verifying_key)

    return Target(make=make, run=run)


def _frame(chance: random.Random, known: list[Made]) -> bytes:
    """Return one frame: as a rule of a batch that follows a known one."""
    batch = chance.choice(known)
    match chance.randrange(10):
        case 0:
            return batch.frame
        case 1:
            receipt = RECEIPT if chance.random() < 0.5 else mutated(RECEIPT, chance, 1)
            return (4 + len(receipt)).to_bytes(4, "little") + b"\2\0\0\0" + receipt
        case 2:
            content = with_number(batch.header_bytes, *chance.choice(NUMBERS), chance)
            batch = with_header_bytes(batch, content)
        case 3:
            with suppress(RefusedError):  # too little is left for a header to vouch for
                batch = with_payload(batch, mutated(batch.payload, chance, 2))
        case 4:
            batch = replace(batch, body=mutated(batch.body, chance, 1))
        case 5:
            stone = make_headstone(batch.rows, batch.lines).pack()
            batch = replace(batch, body=stone, flags=FrameFlag.HEADSTONE)
        case 6:
            batch = resigned(_following(chance, batch), prev_batch_hash=Hash(chance.randbytes(32)))
        case _:
            batch = _following(chance, batch)
            known.append(batch)
            del known[: max(0, len(known) - REMEMBERED)]
    return replace(batch, flags=batch.flags | chance.choice(FLAGS)).frame


def _following(chance: random.Random, before: Made) -> Made:
    """Return a batch behind another one."""
    some_rows = rows(chance)
    told = [event("note", who="fuzz", text=str(chance.random()))]
    return made(some_rows, told, after=before)


def _taken(content: bytes, store: Store, key: VerifyingKey) -> bool:
    """Upload; return whether a frame had a good signature."""
    try:
        submission = prepared(GATEWAY, content, store=store, receipt_key=key)
    except TooLargeError:
        return False
    (outcome,) = store.accept([submission])
    if len(outcome.receipts) > len(submission.candidates):
        raise ValueError("more receipts than batches")
    for candidate, packed in zip(submission.candidates, outcome.receipts, strict=False):
        receipt = Receipt.unpack(packed)
        key.verify(RECEIPT_CONTEXT, receipt.signed_bytes, receipt.signature)
        if receipt.batch_hash != candidate.batch_hash:
            raise ValueError("a receipt of another batch")
    return bool(submission.candidates)
