"""The gateway's side of an upload as a state machine: no await, no clock, no randomness.

`request.next_request` says what to send, `after` says what an answer means. A batch is settled
only against a receipt whose signature, key, gateway, chain, number and hash all agree; whatever
else the centre answers, nothing is forgotten.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from edge_agent.uplink.answer import Place
from edge_agent.uplink.genuine import genuine_receipts
from edge_agent.uplink.state import (
    LARGEST_BYTES,
    LASTING,
    MOST_BLAMES,
    MOST_RESENT,
    MOST_REWINDS,
    SMALLEST_BYTES,
    Alarm,
    Blame,
    Outcome,
    Pause,
    Purpose,
    Rewind,
    State,
)
from edge_agent.wire.vocabulary import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from edge_agent.uplink.answer import Answer, Refusal
    from edge_agent.uplink.held import Held
    from edge_agent.uplink.state import Request, Trust
    from edge_agent.wire.receipt import Receipt
    from edge_agent.wire.vocabulary import Hash


def interval_began(state: State) -> State:
    """Return the state at the start of an upload interval: live batches are due again."""
    return replace(state, is_live_due=True, resent=frozenset(), rewinds=0)


def after(state: State, request: Request, answer: Answer | None, trust: Trust) -> Outcome:
    """Return what an answer, or its absence, means for a request.

    Source: docs/wire-format.md sections 12 and 13.
    """
    if answer is None:
        return _lost(state, request)
    receipts, is_forged = genuine_receipts(answer.receipts, request, trust)
    verdicts = {receipt.verdict for receipt in receipts}
    raised = {
        Alarm.RECEIPT_REFUSED: is_forged,
        Alarm.FORK: Verdict.BRANCH in verdicts,
        Alarm.QUARANTINED: Verdict.QUARANTINED in verdicts,
        Alarm.NOT_UNDERSTOOD: answer.status == 200 and not answer.is_readable,
    }
    alarms = (state.alarms & LASTING) | {alarm for alarm, is_raised in raised.items() if is_raised}
    settled = _settled(replace(state, alarms=alarms), request, receipts)
    # Below, a receipt is one that counts.
    answer = replace(answer, receipts=tuple(receipt.pack() for receipt in receipts))
    outcome = _by_status(_asked_again(settled, answer, receipts), request, answer)
    return _forked(replace(outcome, settle=receipts, wanted_bundles=answer.wanted_bundles))


def _forked(outcome: Outcome) -> Outcome:
    """Return the outcome with the chains that turned out to be forked, each named once.

    A genesis is no sign of a fork of its own chain, whatever its verdict.
    """
    found = frozenset(
        receipt.chain_id
        for receipt in outcome.settle
        if receipt.verdict is Verdict.BRANCH and receipt.batch_no
    )
    state = replace(outcome.state, forked=outcome.state.forked | found)
    return replace(outcome, state=state, forked=found - outcome.state.forked)


def examined(outcome: Outcome, *, is_good: bool) -> Outcome:
    """Return the outcome once our own copy of `outcome.examine` was checked.

    The readings of a damaged copy are to be given up. A good one that the centre refused
    MOST_BLAMES times is kept and not sent; the batches behind it go on, saying that it follows
    later.
    """
    state, held = outcome.state, outcome.examine
    if held is None:
        return outcome
    if not is_good:
        withheld = _withheld(outcome, held, Alarm.OWN_COPY_DAMAGED)
        return replace(withheld, give_up=held)
    if state.is_held:
        return replace(outcome, examine=None)
    is_same = state.blamed is not None and state.blamed.batch_hash == held.batch_hash
    count = state.blamed.count + 1 if is_same and state.blamed else 1
    if count >= MOST_BLAMES:
        return _withheld(outcome, held, Alarm.GOOD_COPY_REFUSED)
    blame = Blame(batch_hash=held.batch_hash, count=count)
    return replace(outcome, state=replace(state, blamed=blame), examine=None)


def gave_up(outcome: Outcome) -> Outcome:
    """Return the outcome once the readings of `outcome.give_up` are given up, signed as a loss."""
    state, held = outcome.state, outcome.give_up
    if held is None:
        return outcome
    state = replace(
        state,
        withheld=state.withheld - {held.batch_hash},
        given_up=state.given_up | {held.batch_hash},
    )
    return replace(outcome, state=state, give_up=None)


def _withheld(outcome: Outcome, held: Held, alarm: Alarm) -> Outcome:
    state = replace(
        outcome.state,
        withheld=outcome.state.withheld | {held.batch_hash},
        is_held=False,
        alarms=(outcome.state.alarms & LASTING) | {alarm},
    )
    return replace(outcome, state=state, pause=Pause.NONE, examine=None)


def _lost(state: State, request: Request) -> Outcome:
    """Return the outcome when no answer came: the next request is half as large."""
    budget_bytes = max(SMALLEST_BYTES, min(request.size, state.budget_bytes) // 2)
    return Outcome(
        state=replace(state, failures=state.failures + 1, budget_bytes=budget_bytes),
        pause=Pause.BACK_OFF,
    )


def _settled(state: State, request: Request, receipts: Sequence[Receipt]) -> State:
    """Return the state once these batches are known to have arrived."""
    if request.purpose is Purpose.LIVE:
        state = replace(state, is_live_due=False)
    if not receipts:
        return state
    arrived = {receipt.batch_hash for receipt in receipts}
    last = receipts[-1]
    state = replace(
        state,
        failures=0,
        is_held=False,
        holes=state.holes - arrived,
        proof=_newest(state.proof, receipts),
        budget_bytes=min(LARGEST_BYTES, state.budget_bytes * 2),
    )
    match request.purpose:
        case Purpose.LIVE:
            place = Place(chain_id=last.chain_id, batch_no=last.batch_no)
            return replace(state, live_head=place)
        case Purpose.REWOUND:
            rewind = _moved(state.rewind, last, arrived)
            return replace(state, rewind=rewind, resent=state.resent | arrived)
        case Purpose.AGAIN:
            return replace(state, resent=state.resent | arrived)
        case Purpose.BACKLOG | Purpose.PROBE:
            return state


def _newest(known: Receipt | None, received: Sequence[Receipt]) -> Receipt:
    """Return the receipt that was given last: a centre set back to before it does not know it."""
    last = max(reversed(received), key=lambda receipt: receipt.received_ns)
    return last if known is None or last.received_ns >= known.received_ns else known


def _moved(rewind: Rewind | None, last: Receipt, arrived: set[Hash]) -> Rewind | None:
    if rewind is None or rewind.refused.batch_hash in arrived:
        return None
    return replace(rewind, start=last.batch_no + 1, has_moved=True)


def _asked_again(state: State, answer: Answer, receipts: Sequence[Receipt]) -> State:
    """Return the state with what the centre wants once more; an answer replaces the one before."""
    if not answer.is_readable or len(state.resent) >= MOST_RESENT:
        return replace(state, again=())
    known = state.resent | {receipt.batch_hash for receipt in receipts}
    return replace(state, again=tuple(one for one in answer.wanted if one.batch_hash not in known))


def _by_status(state: State, request: Request, answer: Answer) -> Outcome:
    rule = _RULES.get(answer.status, _busy if answer.status >= 500 else _unexpected)
    return rule(state, request, answer)


def _taken(state: State, request: Request, answer: Answer) -> Outcome:
    """Return the outcome of 200; one that brings no receipt is no progress."""
    del request
    return Outcome(state=state, pause=Pause.NONE) if answer.receipts else _waiting(state)


def _busy(state: State, request: Request, answer: Answer) -> Outcome:
    del request, answer
    return _waiting(state)


def _unexpected(state: State, request: Request, answer: Answer) -> Outcome:
    del request, answer
    return _held(state, Alarm.HELD_FOR_STATUS)


def _compressed_in_vain(state: State, request: Request, answer: Answer) -> Outcome:
    if state.is_plain:
        return _unexpected(state, request, answer)
    return Outcome(state=replace(state, is_plain=True), pause=Pause.NONE)


def _waiting(state: State, *alarms: Alarm) -> Outcome:
    state = replace(state, failures=state.failures + 1, alarms=state.alarms | set(alarms))
    return Outcome(state=state, pause=Pause.BACK_OFF)


def _held(state: State, alarm: Alarm) -> Outcome:
    state = replace(state, failures=state.failures + 1, is_held=True, alarms=state.alarms | {alarm})
    return Outcome(state=state, pause=Pause.HOLD)


def _sent_back(state: State, request: Request, answer: Answer) -> Outcome:
    """Return the outcome of a gap: the centre lacks what is before one of these batches."""
    refusal = answer.refusal
    refused = _refused(request, refusal)
    if refused is None or refusal is None or refusal.expected is None:
        return _waiting(state, Alarm.NOT_UNDERSTOOD)
    was, expected = state.rewind, refusal.expected
    is_deeper = (
        was is not None
        and not was.has_moved
        and was.expected.chain_id == expected.chain_id
        and expected.batch_no < was.expected.batch_no
    )
    steps = was.steps + 1 if was is not None and is_deeper else 0
    rewind = Rewind(
        expected=expected,
        # Twice as far back each time: to find a long hole's beginning takes few questions.
        start=max(0, expected.batch_no + 1 - 2**steps),
        refused=refused if was is None else was.refused,
        behind=refused,
        steps=steps,
    )
    is_first = was is None and refused.batch_hash not in state.holes
    state = replace(state, rewind=rewind, rewinds=state.rewinds + 1)
    if state.rewinds <= MOST_REWINDS and (answer.receipts or is_deeper or is_first):
        return Outcome(state=state, pause=Pause.NONE)
    return _waiting(state)


def _too_large(state: State, request: Request, answer: Answer) -> Outcome:
    del answer
    if len(request.parts) == 1:
        return _waiting(state, Alarm.TOO_LARGE)
    return Outcome(state=replace(state, ceiling_bytes=request.size // 2), pause=Pause.NONE)


def _blamed(state: State, request: Request, answer: Answer) -> Outcome:
    """Return the outcome when a batch is refused; our own copy may be damaged."""
    refused = _refused(request, answer.refusal)
    return replace(_waiting(state, Alarm.BATCH_REFUSED), examine=refused)


def _key_refused(state: State, request: Request, answer: Answer) -> Outcome:
    """Return the outcome when the sender is refused; a damaged header looks the same."""
    refused = _refused(request, answer.refusal)
    return replace(_held(state, Alarm.HELD_FOR_KEY), examine=refused)


def _refused(request: Request, refusal: Refusal | None) -> Held | None:
    if refusal is None or refusal.frame is None or refusal.frame >= len(request.parts):
        return None
    return request.parts[refusal.frame].held


_RULES: Final[Mapping[int, Callable[[State, Request, Answer], Outcome]]] = {
    200: _taken,
    400: _blamed,
    403: _key_refused,
    408: _busy,
    409: _sent_back,
    413: _too_large,
    415: _compressed_in_vain,
    422: _blamed,
    429: _busy,
}
