"""What is sent next: order, limits, flags, and the newest batches before the backlog."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.uplink.answer import Place, Wanted
from edge_agent.uplink.held import Holding
from edge_agent.uplink.request import LIVE_FRAMES, need, next_request
from edge_agent.uplink.state import LARGEST_BYTES, LARGEST_FRAMES, MOST_RESENT, Purpose, State
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash
from tests.edge_agent.uplink.samples import CHAIN, batch, receipt, sent, waiting

CALM = replace(State(), is_live_due=False)
LATER = FrameFlag.BEFORE_FOLLOWS_LATER


def test_nothing_waiting_means_no_request() -> None:
    assert next_request(State(), waiting())[1] is None


def test_what_fits_into_one_request_goes_in_order_without_flags() -> None:
    batches = [batch(number) for number in range(LARGEST_FRAMES)]
    _, request = next_request(State(), waiting(*batches))
    assert sent(request) == [(number, 0) for number in range(LARGEST_FRAMES)]


def test_while_more_waits_than_one_request_takes_the_newest_go_first() -> None:
    batches = [batch(number) for number in range(LARGEST_FRAMES + 1)]
    state, request = next_request(State(), waiting(*batches))
    assert request is not None
    assert request.purpose is Purpose.LIVE
    first = LARGEST_FRAMES + 1 - LIVE_FRAMES
    assert sent(request) == [(number, LATER) for number in range(first, LARGEST_FRAMES + 1)]
    _, request = next_request(replace(state, is_live_due=False), waiting(*batches))
    assert sent(request)[0] == (0, 0)


def test_the_next_live_request_begins_after_the_last_one() -> None:
    batches = [batch(number) for number in range(400)]
    state = replace(State(), live_head=Place(chain_id=CHAIN, batch_no=393))
    _, request = next_request(state, waiting(*batches))
    assert [number for number, _ in sent(request)] == [394, 395, 396, 397, 398, 399]


def test_without_news_since_the_last_live_request_the_backlog_goes_on() -> None:
    batches = [batch(number) for number in range(400)]
    state = replace(State(), live_head=Place(chain_id=CHAIN, batch_no=399))
    _, request = next_request(state, waiting(*batches))
    assert request is not None
    assert request.purpose is Purpose.BACKLOG


def test_a_narrow_line_carries_the_very_newest_live() -> None:
    batches = [batch(number, size=50_000) for number in range(20)]
    state = replace(State(), budget_bytes=100_000)
    _, request = next_request(state, waiting(*batches))
    assert sent(request) == [(18, LATER), (19, LATER)]


def test_a_batch_larger_than_every_limit_goes_alone() -> None:
    batches = [batch(0, size=LARGEST_BYTES + 1), batch(1)]
    assert sent(next_request(CALM, waiting(*batches))[1]) == [(0, 0)]


@given(
    sizes=st.lists(st.integers(400, 4_200_000), min_size=1, max_size=300),
    budget_bytes=st.integers(1, LARGEST_BYTES),
    ceiling_bytes=st.integers(1, LARGEST_BYTES),
    is_live_due=st.booleans(),
)
def test_no_request_passes_a_limit_and_none_is_empty(
    sizes: list[int], budget_bytes: int, ceiling_bytes: int, *, is_live_due: bool
) -> None:
    batches = tuple(batch(number, size=size) for number, size in enumerate(sizes))
    state = State(budget_bytes=budget_bytes, ceiling_bytes=ceiling_bytes, is_live_due=is_live_due)
    holding = Holding(
        count=len(batches),
        oldest=batches[:LARGEST_FRAMES],
        newest=batches[-LIVE_FRAMES:],
        rewound=(),
        again=(),
    )
    _, request = next_request(state, holding)
    assert request is not None
    assert 1 <= len(request.parts) <= LARGEST_FRAMES
    assert request.size <= min(budget_bytes, ceiling_bytes) or len(request.parts) == 1
    numbers = [part.held.batch_no for part in request.parts]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_what_goes_out_of_order_goes_with_the_newest_receipt() -> None:
    batches = [batch(number) for number in range(LARGEST_FRAMES + 1)]
    proof = Receipt.unpack(receipt(0))
    state = replace(State(), proof=proof)
    _, live = next_request(state, waiting(*batches))
    _, in_order = next_request(replace(state, is_live_due=False), waiting(*batches))
    assert live is not None
    assert in_order is not None
    assert (live.purpose, live.proof) == (Purpose.LIVE, proof)
    assert (in_order.purpose, in_order.proof) == (Purpose.BACKLOG, None)


def test_what_is_below_a_wanted_batch_that_is_gone_is_looked_for_once() -> None:
    wanted = Wanted(place=Place(chain_id=CHAIN, batch_no=5), batch_hash=batch(5).batch_hash)
    state = replace(CALM, again=(wanted,))
    assert need(state).sought == frozenset()
    holding = replace(waiting(), again=(batch(3),))
    state, request = next_request(state, holding)
    assert request is not None
    assert (request.purpose, sent(request)) == (Purpose.AGAIN, [(3, 0)])
    assert need(replace(state, again=(wanted,))).sought == {wanted.batch_hash}
    full = replace(CALM, again=(wanted,), sought=frozenset(map(hash_of, range(MOST_RESENT))))
    assert need(full).sought == {wanted.batch_hash}
    assert next_request(full, holding)[0].sought == full.sought


def hash_of(number: int) -> Hash:
    return Hash((number + 7_000_000).to_bytes(32, "big"))
