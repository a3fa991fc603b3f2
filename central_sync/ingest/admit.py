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
    Standing,
    Unfit,
    Unread,
    Warned,
)
from central_sync.store.lines import fork_alarm, main_at
from edge_agent.wire.chain import successor_fault
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.vocabulary import Verdict


def admit(candidate: Candidate, sight: Sight) -> Decision:
    """Return what to do with a candidate."""
    known = sight.same
    if known is not None:
        if not _completes(candidate, sight):
            return Repeat(receipt=known.receipt)
        return _by_body(candidate, sight, hole=None)
    hole = None
    if not candidate.header.is_genesis and sight.before is None:
        hole = _named(candidate)
        if not _hole_flags(candidate):
            return _gap(candidate, sight, hole)
    return _by_body(candidate, sight, hole=hole)


def must_read(candidate: Candidate, sight: Sight) -> bool:
    """Return whether the decision depends on the body, so that it is worth unpacking.

    The candidate's body is Unread here.
    """
    if sight.same is not None:
        return _completes(candidate, sight)
    is_placed = candidate.header.is_genesis or sight.before is not None
    return is_placed or bool(_hole_flags(candidate))


def _completes(candidate: Candidate, sight: Sight) -> bool:
    """Return whether this frame brings the readings of a batch stored as a headstone."""
    return (
        sight.same is not None
        and sight.same.verdict is Verdict.HEADSTONE
        and not candidate.flags & FrameFlag.HEADSTONE
    )


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


def _is_branch(candidate: Candidate, sight: Sight) -> bool:
    """Return whether this batch stands beside the main line of its chain.

    A genesis that continues a batch of a branch begins a chain of its own, whose main line it is.
    """
    if sight.same is not None:
        return sight.same.is_branch
    header = candidate.header
    own = Standing(
        batch_hash=candidate.batch_hash,
        prev_batch_hash=header.prev_batch_hash,
        is_behind=not header.is_genesis and sight.before is not None,
    )
    return main_at((*sight.beside, own), sight.main_before) != candidate.batch_hash


def _gap(candidate: Candidate, sight: Sight, missing: Previous) -> Refuse:
    """Refuse a batch whose previous batch is not stored, and tell from where on to send."""
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
            return _evidence(candidate, sight, hole, (AlarmCode.CONTENT, f"{code}: {detail}"))
        case Contents() as contents:
            return _by_place(candidate, sight, contents, hole)
        case _:
            assert_never(candidate.body)


def _by_place(
    candidate: Candidate, sight: Sight, contents: Contents, hole: Previous | None
) -> Decision:
    """Decide on a batch that is readable, by whether it follows from what is stored."""
    if sight.same is None and contents.previous is not None and sight.before is None:
        hole = contents.previous
        if not _hole_flags(candidate):
            return _gap(candidate, sight, hole)
    if sight.same is None and not candidate.header.is_genesis and sight.before is not None:
        fault = successor_fault(sight.before.header, candidate.header)
        if fault is not None:
            return _evidence(candidate, sight, hole, (AlarmCode.CHAIN, fault))
    alarms = _late_faults(candidate, sight) + _stray_alarm(candidate, contents)
    is_branch = _is_branch(candidate, sight)
    verdict = Verdict.BRANCH if is_branch else Verdict.ACCEPTED
    if candidate.flags & FrameFlag.HEADSTONE:
        verdict = Verdict.HEADSTONE
    return _kept(candidate, sight, hole, Keep(verdict=verdict, alarms=alarms))


def _evidence(
    candidate: Candidate, sight: Sight, hole: Previous | None, fault: tuple[AlarmCode, str]
) -> Keep:
    code, detail = fault
    header = candidate.header
    detail = f"batch {header.batch_no} of chain {header.chain_id}: {detail}"
    alarm = Warned(code=code, subject=str(header.chain_id), detail=detail)
    return _kept(candidate, sight, hole, Keep(verdict=Verdict.QUARANTINED, alarms=(alarm,)))


def _kept(candidate: Candidate, sight: Sight, hole: Previous | None, keep: Keep) -> Keep:
    """Return how a batch is kept: on which line, behind which hole, with which alarms of those."""
    is_branch = _is_branch(candidate, sight)
    if _completes(candidate, sight):
        return replace(keep, completes=True, is_branch=is_branch)
    alarms = _hole_alarm(candidate, hole) + keep.alarms
    if is_branch:
        alarms = (fork_alarm(candidate.header.chain_id, candidate.header.batch_no), *alarms)
    return replace(keep, hole=_hole(hole), alarms=alarms, is_branch=is_branch)


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


def _late_faults(candidate: Candidate, sight: Sight) -> tuple[Warned, ...]:
    """Return alarms for batches stored behind a hole that do not follow from what fills it."""
    if sight.same is not None:
        return ()
    alarms: list[Warned] = []
    for known in sight.after:
        after = known.header
        fault = successor_fault(candidate.header, after)
        if fault is not None:
            detail = f"batch {after.batch_no} of chain {after.chain_id}: {fault}"
            alarms.append(Warned(code=AlarmCode.CHAIN, subject=str(after.chain_id), detail=detail))
    return tuple(alarms)
