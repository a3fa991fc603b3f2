"""The decision table of docs/wire-format.md section 12: what to do with one frame.

Pure: it sees a verified header, what is known of the body, and what is stored around it. Checks
come in the order of that section; the first that fails decides.
"""

from dataclasses import replace
from typing import assert_never

from central_sync.model import AlarmCode, Hole
from central_sync.store.admission import (
    Candidate,
    Contents,
    Damaged,
    Decision,
    Keep,
    Previous,
    Refusal,
    Refuse,
    Repeat,
    Sight,
    Unfit,
    Unread,
    Warned,
)
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.vocabulary import BatchFlag, Verdict

# A fork needs a person; until then the gateway keeps its batches and asks again.
FORK_RETRY_S = 300


def admit(candidate: Candidate, sight: Sight) -> Decision:
    """Return what to do with a candidate."""
    known = sight.same_number
    if known is not None and known.batch_hash == candidate.batch_hash:
        if not _completes(candidate, sight):
            return Repeat(receipt=known.receipt)
        return _by_body(candidate, sight, hole=None)
    if not _is_genesis(candidate) and sight.before is None:
        return _without_previous(candidate, sight, _named(candidate))
    if _is_fork(candidate, sight):
        return _forked(candidate)
    return _by_body(candidate, sight, hole=None)


def must_read(candidate: Candidate, sight: Sight) -> bool:
    """Return whether the decision depends on the body, so that it is worth unpacking.

    The candidate's body is Unread here.
    """
    known = sight.same_number
    if known is not None and known.batch_hash == candidate.batch_hash:
        return _completes(candidate, sight)
    if not _is_genesis(candidate) and sight.before is None and not _hole_flags(candidate):
        return False
    return not _is_fork(candidate, sight)


def _completes(candidate: Candidate, sight: Sight) -> bool:
    """Return whether this frame brings the readings of a batch stored as a headstone."""
    known = sight.same_number
    return (
        known is not None
        and known.verdict is Verdict.HEADSTONE
        and not candidate.flags & FrameFlag.HEADSTONE
    )


def _is_genesis(candidate: Candidate) -> bool:
    return bool(candidate.header.flags & BatchFlag.GENESIS)


def _hole_flags(candidate: Candidate) -> FrameFlag:
    return candidate.flags & (FrameFlag.HOLDS_NONE_BEFORE | FrameFlag.BEFORE_FOLLOWS_LATER)


def _named(candidate: Candidate) -> Previous:
    """Return the batch that a header names as the one before it."""
    header = candidate.header
    return Previous(
        chain_id=header.chain_id,
        batch_no=header.batch_no - 1,
        batch_hash=header.prev_batch_hash,
    )


def _is_fork(candidate: Candidate, sight: Sight) -> bool:
    """Return whether another batch stands at this number, or another is named by the next one."""
    if sight.same_number is not None:
        return sight.same_number.batch_hash != candidate.batch_hash
    return sight.after is not None and sight.after.header.prev_batch_hash != candidate.batch_hash


def _forked(candidate: Candidate) -> Refuse:
    header = candidate.header
    detail = f"chain {header.chain_id} has two batches numbered {header.batch_no}"
    return Refuse(
        refusal=Refusal(
            status=503,
            code="fork",
            frame=candidate.index,
            detail=detail,
            retry_after_s=FORK_RETRY_S,
        ),
        alarms=(Warned(code=AlarmCode.FORK, subject=str(header.chain_id), detail=detail),),
    )


def _without_previous(candidate: Candidate, sight: Sight, missing: Previous) -> Decision:
    """Decide on a batch whose previous batch is not stored: a hole if announced, else a gap."""
    if _hole_flags(candidate):
        if _is_fork(candidate, sight):
            return _forked(candidate)
        return _by_body(candidate, sight, hole=missing)
    after_head = 0 if sight.head_no is None else sight.head_no + 1
    return Refuse(
        refusal=Refusal(
            status=409,
            code="gap",
            frame=candidate.index,
            detail=f"batch {missing.batch_no} of chain {missing.chain_id} is not stored",
            chain_id=missing.chain_id,
            expected=min(after_head, missing.batch_no),
        )
    )


def _by_body(candidate: Candidate, sight: Sight, hole: Previous | None) -> Decision:
    """Decide on a batch whose place is settled, by what its body is."""
    match candidate.body:
        case Unread():
            # Stored between the first look and the transaction: the gateway simply asks again.
            return Refuse(
                refusal=Refusal(
                    status=503,
                    code="busy",
                    frame=candidate.index,
                    detail="the chain moved while this request was being read",
                    retry_after_s=1,
                )
            )
        case Damaged(code=code, detail=detail):
            return Refuse(
                refusal=Refusal(
                    status=422, code="body", frame=candidate.index, check=code, detail=detail
                )
            )
        case Unfit(code=code, detail=detail):
            kept = _evidence(candidate, hole, AlarmCode.CONTENT, f"{code}: {detail}")
            return replace(kept, completes=_completes(candidate, sight))
        case Contents() as contents:
            return _by_place(candidate, sight, contents, hole)
        case _:
            assert_never(candidate.body)


def _by_place(
    candidate: Candidate, sight: Sight, contents: Contents, hole: Previous | None
) -> Decision:
    """Decide on a batch that is readable, by whether it follows from what is stored."""
    strays = _stray_alarm(candidate, contents)
    if _completes(candidate, sight):
        return Keep(verdict=Verdict.ACCEPTED, completes=True, alarms=strays)
    if hole is None and contents.previous is not None and sight.before is None:
        if not _hole_flags(candidate):
            return _without_previous(candidate, sight, contents.previous)
        hole = contents.previous
    if not _is_genesis(candidate) and sight.before is not None:
        fault = successor_fault(sight.before.header, candidate.header)
        if fault is not None:
            return _evidence(candidate, hole, AlarmCode.CHAIN, fault)
    is_headstone = bool(candidate.flags & FrameFlag.HEADSTONE)
    return Keep(
        verdict=Verdict.HEADSTONE if is_headstone else Verdict.ACCEPTED,
        hole=_hole(hole),
        alarms=_hole_alarm(candidate, hole) + _late_fault(candidate, sight) + strays,
    )


def _evidence(candidate: Candidate, hole: Previous | None, code: AlarmCode, fault: str) -> Keep:
    header = candidate.header
    detail = f"batch {header.batch_no} of chain {header.chain_id}: {fault}"
    return Keep(
        verdict=Verdict.QUARANTINED,
        hole=_hole(hole),
        alarms=(
            Warned(code=code, subject=str(header.chain_id), detail=detail),
            *_hole_alarm(candidate, hole),
        ),
    )


def _hole(missing: Previous | None) -> Hole | None:
    if missing is None:
        return None
    return Hole(chain_id=missing.chain_id, batch_no=missing.batch_no, batch_hash=missing.batch_hash)


def _hole_alarm(candidate: Candidate, missing: Previous | None) -> tuple[Warned, ...]:
    if missing is None or not candidate.flags & FrameFlag.HOLDS_NONE_BEFORE:
        return ()
    detail = f"the gateway holds no batch before {missing.batch_no + 1} of {missing.chain_id}"
    return (Warned(code=AlarmCode.HOLE, subject=str(missing.chain_id), detail=detail),)


def _stray_alarm(candidate: Candidate, contents: Contents) -> tuple[Warned, ...]:
    """Return an alarm if readings bear times for which no hour is computed."""
    if not contents.has_strays:
        return ()
    header = candidate.header
    detail = f"batch {header.batch_no} of chain {header.chain_id}: times that belong to no hour"
    return (Warned(code=AlarmCode.CLOCK, subject=str(header.chain_id), detail=detail),)


def _late_fault(candidate: Candidate, sight: Sight) -> tuple[Warned, ...]:
    """Return an alarm if the batch stored behind a hole does not follow from what fills it."""
    if sight.after is None:
        return ()
    fault = successor_fault(candidate.header, sight.after.header)
    if fault is None:
        return ()
    after = sight.after.header
    detail = f"batch {after.batch_no} of chain {after.chain_id}: {fault}"
    return (Warned(code=AlarmCode.CHAIN, subject=str(after.chain_id), detail=detail),)
