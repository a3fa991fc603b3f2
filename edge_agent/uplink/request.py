"""Which batches to send next, in which order and with which frame flags. Pure.

Oldest first; while more waits than one request takes, the newest go before their turn and say
that what is before them follows (docs/wire-format.md sections 3 and 12).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edge_agent.uplink.state import LARGEST_FRAMES, MOST_RESENT, Part, Purpose, Request
from edge_agent.wire.frame import FrameFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.uplink.answer import Place, Wanted
    from edge_agent.uplink.held import Held, Holding
    from edge_agent.uplink.state import Outcome, Rewind, State
    from edge_agent.wire.vocabulary import Hash

# A minute of one-second batches: what an upload interval brings goes as one live request.
LIVE_FRAMES: Final = 64
# Each is looked up by itself; what is left out is wanted again in the next answer.
AGAIN_FRAMES: Final = 32
PROVING: Final = frozenset({Purpose.LIVE, Purpose.REWOUND, Purpose.AGAIN})
# While a centre keeps asking for something still earlier, most of a request would be in vain.
SEARCHING_FRAMES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the next choice must see of the buffer, besides the oldest and the newest."""

    rewind: Place | None
    again: tuple[Wanted, ...]
    sought: frozenset[Hash]
    """Of those, which were looked for before."""


def need(state: State) -> Need:
    """Return what must be looked up in the buffer before `next_request`."""
    rewind, again = state.rewind, state.again[:AGAIN_FRAMES]
    is_full = len(state.sought) >= MOST_RESENT
    return Need(
        rewind=None if rewind is None else replace(rewind.expected, batch_no=rewind.start),
        again=again,
        sought=frozenset(
            one.batch_hash for one in again if is_full or one.batch_hash in state.sought
        ),
    )


def next_request(state: State, holding: Holding) -> tuple[State, Request | None]:
    """Return the next upload, or None when there is nothing to send.

    A request holds at most LARGEST_FRAMES batches and the bytes that centre and line carry; one
    batch always goes, however large.
    """
    backlog = _parts(state, holding.oldest)
    if state.is_held:
        return state, _request(state, Purpose.PROBE, backlog[:1])
    fitting = _fitting(state, backlog)
    if state.is_live_due:
        if len(fitting) < holding.count - len(state.withheld):
            live = _live(state, holding)
            if live:
                return state, _request(state, Purpose.LIVE, live)
        state = replace(state, is_live_due=False)
    if state.rewind is not None:
        state, rewound = _rewound(state, state.rewind, holding)
        if rewound:
            return state, _request(state, Purpose.REWOUND, rewound)
        fitting = _fitting(state, _parts(state, holding.oldest))
    if fitting:
        return state, _request(state, Purpose.BACKLOG, fitting)
    return _again(state, holding)


def is_finished(holding: Holding, request: Request, outcome: Outcome) -> bool:
    """Return whether an interval's work is done: all that waited when it was looked is settled.

    What was committed meanwhile waits for the next interval.
    """
    state = outcome.state
    return (
        request.purpose is Purpose.BACKLOG
        and len(outcome.settle) >= holding.count - len(state.withheld)
        and not state.again
        and state.rewind is None
    )


def _request(state: State, purpose: Purpose, parts: Sequence[Part]) -> Request | None:
    """Return the request, with the newest receipt where the centre may have been set back.

    In order, a centre that lacks what it receipted refuses the next batch; what is sent out of
    order it takes, and would not know.
    """
    proof = state.proof if purpose in PROVING else None
    return Request(purpose=purpose, parts=tuple(parts), proof=proof) if parts else None


def _parts(state: State, held: Sequence[Held]) -> list[Part]:
    return [
        Part(held=one, flags=_flags(state, one))
        for one in held
        if one.batch_hash not in state.withheld
    ]


def _flags(state: State, one: Held) -> FrameFlag:
    if one.batch_hash in state.holes or one.prev_batch_hash in state.given_up:
        return FrameFlag.HOLDS_NONE_BEFORE
    if one.prev_batch_hash in state.withheld:
        return FrameFlag.BEFORE_FOLLOWS_LATER
    return FrameFlag(0)


def _fitting(state: State, parts: Sequence[Part]) -> list[Part]:
    """Return the first parts that fit into one request, at least one."""
    budget_bytes = min(state.budget_bytes, state.ceiling_bytes)
    fitting: list[Part] = []
    for part in parts[:LARGEST_FRAMES]:
        budget_bytes -= part.held.size
        if budget_bytes < 0 and fitting:
            break
        fitting.append(part)
    return fitting


def _live(state: State, holding: Holding) -> list[Part]:
    """Return the newest batches that were not sent before their turn, as many as fit."""
    head = state.live_head
    fresh = [
        one
        for one in holding.newest[-LIVE_FRAMES:]
        if head is None or one.chain_id != head.chain_id or one.batch_no > head.batch_no
    ]
    newest_first = _fitting(state, _parts(state, fresh)[::-1])
    return [replace(part, flags=FrameFlag.BEFORE_FOLLOWS_LATER) for part in reversed(newest_first)]


def _again(state: State, holding: Holding) -> tuple[State, Request | None]:
    """Return what the centre wants once more, and the state in which that was looked for."""
    request = _request(state, Purpose.AGAIN, _fitting(state, _parts(state, holding.again)))
    sought = state.sought
    if len(sought) < MOST_RESENT:
        sought |= {one.batch_hash for one in need(state).again}
    return replace(state, again=(), sought=sought), request


def _rewound(state: State, rewind: Rewind, holding: Holding) -> tuple[State, list[Part]]:
    """Return what to send of a chain that is sent again; nothing when that has come to its end."""
    if not rewind.has_moved:
        first = holding.rewound[0] if holding.rewound else rewind.refused
        if first.chain_id != rewind.expected.chain_id or first.batch_no > rewind.expected.batch_no:
            state = replace(state, holes=state.holes | {first.batch_hash})
    is_searching = rewind.steps > 0 and not rewind.has_moved
    # One frame less than otherwise: the receipt is one as well.
    most = SEARCHING_FRAMES if is_searching else LARGEST_FRAMES - 1
    parts = _fitting(state, _parts(state, holding.rewound)[:most])
    if parts:
        return state, parts
    state = replace(state, rewind=None)
    if rewind.refused.chain_id != rewind.expected.chain_id:
        # The first batch of a chain: all that is held of the one before is there now. If it
        # follows something else, that is not held; if not, its flag says nothing.
        state = replace(state, holes=state.holes | {rewind.refused.batch_hash})
    return state, []
