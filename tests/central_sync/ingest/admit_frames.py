"""The frames and sights from which the decision table is made."""

from dataclasses import replace

from central_sync.store.admission import (
    Body,
    Candidate,
    Contents,
    Damaged,
    Known,
    Previous,
    Sight,
    Standing,
    Unfit,
)
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.ingest.signed_chain import (
    PLAIN,
    SignedChain,
    uuid_of,
)

CHAIN = SignedChain()
ZERO, ONE, TWO, THREE = CHAIN.batches(4)
OTHER_CHAIN = Previous(chain_id=uuid_of(9), batch_no=41, batch_hash=Hash(b"p" * 32))
READ = Contents(at_min=1, at_max=2, quarters=(0,), previous=None, losses=())
CONTINUES = replace(READ, previous=OTHER_CHAIN)
STRAYS = replace(READ, has_strays=True)
DAMAGED = Damaged(code=Code.PAYLOAD, detail="payload_sha256 differs")
UNFIT = Unfit(code=Code.ROOT, detail="record_root differs")
NOTHING = Sight()
HEADSTONE = FrameFlag.HEADSTONE


def candidate(batch: SignedBatch, body: Body = READ, flags: FrameFlag = PLAIN) -> Candidate:
    return Candidate(
        index=3,
        flags=flags,
        header=batch.header,
        header_bytes=batch.header_bytes,
        signature=batch.signature,
        body_bytes=batch.body,
        batch_hash=batch.batch_hash,
        body=body,
    )


def known(
    batch: SignedBatch, verdict: Verdict = Verdict.ACCEPTED, *, is_branch: bool = False
) -> Known:
    return Known(
        header=batch.header,
        batch_hash=batch.batch_hash,
        verdict=verdict,
        receipt=b"receipt",
        is_branch=is_branch,
    )


def standing(batch: SignedBatch, *, is_behind: bool = True) -> Standing:
    return Standing(
        batch_hash=batch.batch_hash,
        prev_batch_hash=batch.header.prev_batch_hash,
        is_behind=is_behind,
    )


FORGED_ONE = CHAIN.forged(ONE, wall_ns=7)
LATE_SEQ = CHAIN.forged(ONE, first_seq=ONE.header.first_seq + 1)
FALLING_BOOT = CHAIN.forged(ONE, boot_count=0)
NEW_BOOT_ID = CHAIN.forged(ONE, boot_id=uuid_of(7))
FALLING_CLOCK = CHAIN.forged(TWO, mono_ns=0)
AFTER_ZERO = replace(NOTHING, before=known(ZERO), main_before=ZERO.batch_hash)
AFTER_ONE = replace(NOTHING, before=known(ONE), main_before=ONE.batch_hash)
BEHIND_BRANCH = replace(
    NOTHING, before=known(FORGED_ONE, Verdict.BRANCH, is_branch=True), main_before=ONE.batch_hash
)
BRANCH_TWO = CHAIN.forged(TWO, prev_batch_hash=FORGED_ONE.batch_hash)
STRANGE_ONE = CHAIN.forged(ONE, prev_batch_hash=Hash(b"z" * 32))
FORGED_ZERO = CHAIN.forged(ZERO, wall_ns=7)
HEAD_ZERO = replace(NOTHING, head_no=0)
