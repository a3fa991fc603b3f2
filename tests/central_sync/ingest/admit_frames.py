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
NOTHING = Sight(same_number=None, before=None, after=None, head_no=None)
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


def known(batch: SignedBatch, verdict: Verdict = Verdict.ACCEPTED) -> Known:
    return Known(
        header=batch.header, batch_hash=batch.batch_hash, verdict=verdict, receipt=b"receipt"
    )


FORGED_ONE = CHAIN.forged(ONE, wall_ns=7)
LATE_SEQ = CHAIN.forged(ONE, first_seq=ONE.header.first_seq + 1)
FALLING_BOOT = CHAIN.forged(ONE, boot_count=0)
NEW_BOOT_ID = CHAIN.forged(ONE, boot_id=uuid_of(7))
FALLING_CLOCK = CHAIN.forged(TWO, mono_ns=0)
AFTER_ZERO = replace(NOTHING, before=known(ZERO))
AFTER_ONE = replace(NOTHING, before=known(ONE))
HEAD_ZERO = replace(NOTHING, head_no=0)
