"""The decision table of docs/wire-format.md section 12 as data."""

from dataclasses import dataclass, replace

from central_sync.store.admission import Candidate, Damaged, Sight, Unread
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.ingest.admit_frames import (
    AFTER_ONE,
    AFTER_ZERO,
    CHAIN,
    CONTINUES,
    DAMAGED,
    FALLING_BOOT,
    FALLING_CLOCK,
    HEAD_ZERO,
    HEADSTONE,
    LATE_SEQ,
    NEW_BOOT_ID,
    NOTHING,
    ONE,
    STRAYS,
    THREE,
    TWO,
    UNFIT,
    ZERO,
    candidate,
    known,
)
from tests.central_sync.ingest.signed_chain import LATER, NONE_BEFORE

# Kept as evidence: it does not count on from the batch before it.
OUT_OF_CHAIN = "keep quarantined chain"


@dataclass(frozen=True)
class Row:
    """One row: what comes, what is known, what must be decided, whether the body matters."""

    name: str
    comes: Candidate
    sight: Sight
    is_told: str
    is_read: bool = True


TABLE = [
    Row(
        "a known batch gets the same receipt",
        candidate(ONE, Unread()),
        replace(AFTER_ZERO, same=known(ONE)),
        "repeat",
        is_read=False,
    ),
    Row(
        "a known batch whose body is damaged now gets the same receipt all the same",
        candidate(ONE, DAMAGED),
        replace(AFTER_ZERO, same=known(ONE)),
        "repeat",
        is_read=False,
    ),
    Row(
        "a known batch gets the same receipt even where what it follows is missing",
        candidate(ONE, Unread()),
        replace(NOTHING, same=known(ONE)),
        "repeat",
        is_read=False,
    ),
    Row(
        "a known headstone gets the same receipt",
        candidate(ONE, Unread(), HEADSTONE),
        replace(AFTER_ZERO, same=known(ONE, Verdict.HEADSTONE)),
        "repeat",
        is_read=False,
    ),
    Row(
        "a headstone of a batch that is here with its readings changes nothing",
        candidate(ONE, Unread(), HEADSTONE),
        replace(AFTER_ZERO, same=known(ONE)),
        "repeat",
        is_read=False,
    ),
    Row(
        "the readings of a stored headstone complete it",
        candidate(ONE),
        replace(AFTER_ZERO, same=known(ONE, Verdict.HEADSTONE)),
        "keep accepted completes",
    ),
    Row(
        "damaged readings of a stored headstone are not kept",
        candidate(ONE, DAMAGED),
        replace(AFTER_ZERO, same=known(ONE, Verdict.HEADSTONE)),
        "422 body payload",
    ),
    Row(
        "unfit readings of a stored headstone replace it as evidence",
        candidate(ONE, UNFIT),
        replace(AFTER_ZERO, same=known(ONE, Verdict.HEADSTONE)),
        "keep quarantined completes content",
    ),
    Row("the next batch is accepted", candidate(ONE), AFTER_ZERO, "keep accepted"),
    Row(
        "the batch after a quarantined one is accepted",
        candidate(ONE),
        replace(AFTER_ZERO, before=known(ZERO, Verdict.QUARANTINED)),
        "keep accepted",
    ),
    Row("a genesis that continues nothing is accepted", candidate(ZERO), NOTHING, "keep accepted"),
    Row(
        "a genesis that continues a stored batch is accepted",
        candidate(ZERO, CONTINUES),
        replace(NOTHING, before=known(THREE)),
        "keep accepted",
    ),
    Row(
        "a genesis that continues a missing batch is a gap in that chain",
        candidate(ZERO, CONTINUES),
        replace(NOTHING, head_no=39),
        "409 gap expected 40",
    ),
    Row(
        "a genesis that continues a batch of an unknown chain is a gap from its beginning",
        candidate(ZERO, CONTINUES),
        NOTHING,
        "409 gap expected 0",
    ),
    Row(
        "a genesis that continues a batch no longer held opens a hole",
        candidate(ZERO, CONTINUES, NONE_BEFORE),
        NOTHING,
        "keep accepted hole 41 hole",
    ),
    Row(
        "a genesis that continues a batch that follows later opens a hole",
        candidate(ZERO, CONTINUES, LATER),
        NOTHING,
        "keep accepted hole 41",
    ),
    Row(
        "a batch whose previous is missing is a gap from behind the head",
        candidate(THREE, Unread()),
        HEAD_ZERO,
        "409 gap expected 1",
        is_read=False,
    ),
    Row(
        "a batch of an unknown chain is a gap from its beginning",
        candidate(THREE, Unread()),
        NOTHING,
        "409 gap expected 0",
        is_read=False,
    ),
    Row(
        "a gap below a head that ran ahead expects the missing number",
        candidate(TWO, Unread()),
        replace(NOTHING, head_no=9),
        "409 gap expected 1",
        is_read=False,
    ),
    Row(
        "a gap comes before a damaged body",
        candidate(THREE, DAMAGED),
        HEAD_ZERO,
        "409 gap expected 1",
        is_read=False,
    ),
    Row(
        "behind what the gateway no longer holds a hole opens with an alarm",
        candidate(THREE, flags=NONE_BEFORE),
        HEAD_ZERO,
        "keep accepted hole 2 hole",
    ),
    Row(
        "live before backlog a hole opens without an alarm",
        candidate(THREE, flags=LATER),
        HEAD_ZERO,
        "keep accepted hole 2",
    ),
    Row(
        "a hole does not excuse a damaged body",
        candidate(THREE, DAMAGED, LATER),
        HEAD_ZERO,
        "422 body payload",
    ),
    Row(
        "unfit content behind a hole is evidence, and the hole opens",
        candidate(THREE, UNFIT, LATER),
        HEAD_ZERO,
        "keep quarantined hole 2 content",
    ),
    Row(
        "hole flags mean nothing where the previous batch is here",
        candidate(ONE, flags=NONE_BEFORE),
        AFTER_ZERO,
        "keep accepted",
    ),
    Row(
        "the batch that the next one names fills the hole",
        candidate(ONE),
        replace(AFTER_ZERO, after=(known(TWO),)),
        "keep accepted",
    ),
    Row(
        "what stands behind a filled hole and does not follow raises an alarm",
        candidate(ONE),
        replace(AFTER_ZERO, after=(known(CHAIN.forged(TWO, first_seq=TWO.header.first_seq + 5)),)),
        "keep accepted chain",
    ),
    Row("a damaged body is not kept", candidate(ONE, DAMAGED), AFTER_ZERO, "422 body payload"),
    Row("unfit content is evidence", candidate(ONE, UNFIT), AFTER_ZERO, "keep quarantined content"),
    Row(
        "an unfit genesis is evidence, whatever it would have continued",
        candidate(ZERO, UNFIT),
        NOTHING,
        "keep quarantined content",
    ),
    Row(
        "first_seq that does not follow is evidence",
        candidate(LATE_SEQ),
        AFTER_ZERO,
        OUT_OF_CHAIN,
    ),
    Row("a falling boot_count is evidence", candidate(FALLING_BOOT), AFTER_ZERO, OUT_OF_CHAIN),
    Row("a second boot_id is evidence", candidate(NEW_BOOT_ID), AFTER_ZERO, OUT_OF_CHAIN),
    Row(
        "a clock that falls within a boot is evidence",
        candidate(FALLING_CLOCK),
        AFTER_ONE,
        OUT_OF_CHAIN,
    ),
    Row(
        "content is looked at before the rules of succession",
        candidate(LATE_SEQ, UNFIT),
        AFTER_ZERO,
        "keep quarantined content",
    ),
    Row(
        "a headstone is kept as one", candidate(ONE, flags=HEADSTONE), AFTER_ZERO, "keep headstone"
    ),
    Row(
        "a headstone that does not fold is not kept",
        candidate(ONE, Damaged(code=Code.HEADSTONE, detail="does not fold"), HEADSTONE),
        AFTER_ZERO,
        "422 body headstone",
    ),
    Row(
        "a headstone behind what is no longer held opens a hole",
        candidate(THREE, flags=HEADSTONE | NONE_BEFORE),
        HEAD_ZERO,
        "keep headstone hole 2 hole",
    ),
    Row(
        "a body that nobody read is asked for again",
        candidate(ONE, Unread()),
        AFTER_ZERO,
        "503 busy",
    ),
    Row(
        "times that belong to no hour are a finding, not a reason to refuse",
        candidate(ONE, STRAYS),
        AFTER_ZERO,
        "keep accepted clock",
    ),
    Row(
        "the readings of a headstone may bear such times, too",
        candidate(ONE, STRAYS),
        replace(AFTER_ZERO, same=known(ONE, Verdict.HEADSTONE)),
        "keep accepted completes clock",
    ),
]
