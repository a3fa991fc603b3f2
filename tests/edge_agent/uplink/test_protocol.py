"""What answers mean for the exchanges that follow: rewinds, holds, blame, sizes, alarms."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from edge_agent.uplink.answer import Answer, Place, Refusal, Wanted
from edge_agent.uplink.protocol import after, examined, gave_up, interval_began
from edge_agent.uplink.request import next_request
from edge_agent.uplink.state import (
    LARGEST_BYTES,
    MOST_BLAMES,
    MOST_RESENT,
    MOST_REWINDS,
    SMALLEST_BYTES,
    Alarm,
    Outcome,
    Part,
    Pause,
    Purpose,
    Request,
    State,
)
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.edge_agent.uplink.model_centre import CENTRE_KEY
from tests.edge_agent.uplink.model_gateway import GATEWAY, TRUST, arriving
from tests.edge_agent.uplink.samples import (
    ALL,
    BATCHES,
    CENTRE,
    CHAIN,
    REQUEST,
    answer,
    batch,
    receipt,
    sent,
    waiting,
)


def exchanged(state: State, *answers: Answer | None, request: Request = REQUEST) -> Outcome:
    """Return the outcome of the last of these answers to the same request."""
    outcome = Outcome(state=state, pause=Pause.NONE)
    for one in answers:
        outcome = after(outcome.state, request, one, TRUST)
    return outcome


def test_failures_count_up_until_a_receipt_comes() -> None:
    assert exchanged(State(), None, None, answer(503)).state.failures == 3
    assert exchanged(State(), None, None, answer(200, ALL)).state.failures == 0


def test_the_next_request_is_smaller_after_silence_and_grows_again() -> None:
    lost = exchanged(State(), *[None] * 20).state
    assert lost.budget_bytes == SMALLEST_BYTES
    assert exchanged(lost, answer(200, ALL)).state.budget_bytes == 2 * SMALLEST_BYTES
    assert exchanged(lost, *[answer(200, ALL)] * 20).state.budget_bytes == LARGEST_BYTES


def test_too_large_halves_for_good_and_a_single_batch_too_large_is_an_alarm() -> None:
    halved = exchanged(State(), answer(413)).state
    assert halved.ceiling_bytes == REQUEST.size // 2
    assert exchanged(halved, answer(200, ALL)).state.ceiling_bytes == REQUEST.size // 2
    single = replace(REQUEST, parts=REQUEST.parts[:1])
    outcome = exchanged(halved, answer(413), request=single)
    assert outcome.pause is Pause.BACK_OFF
    assert outcome.state.alarms == {Alarm.TOO_LARGE}


def test_a_centre_that_refuses_plain_requests_too_is_held() -> None:
    outcome = exchanged(State(), answer(415), answer(415))
    assert (outcome.pause, outcome.state.is_plain) == (Pause.HOLD, True)


def test_lasting_alarms_stay_and_the_others_end() -> None:
    outcome = exchanged(State(), answer(200, (receipt(0, Verdict.BRANCH),)), answer(404))
    assert outcome.state.alarms == {Alarm.FORK, Alarm.HELD_FOR_STATUS}
    assert exchanged(outcome.state, answer(200, ALL)).state.alarms == {Alarm.FORK}


def test_silence_neither_raises_nor_ends_an_alarm() -> None:
    held = exchanged(State(), answer(404)).state
    assert exchanged(held, None).state.alarms == {Alarm.HELD_FOR_STATUS}


def test_a_fork_is_named_once_and_a_genesis_is_no_fork() -> None:
    branch = answer(200, (receipt(0, Verdict.BRANCH),))
    outcome = exchanged(State(), branch)
    assert outcome.forked == {CHAIN}
    assert not exchanged(outcome.state, branch).forked
    request = Request(purpose=Purpose.BACKLOG, parts=(Part(held=BATCHES[0], flags=FrameFlag(0)),))
    genesis = CENTRE.receipt(arriving(request)[0], Verdict.BRANCH)
    assert not exchanged(State(), answer(200, (genesis,)), request=request).forked


def test_an_answer_about_two_chains_names_both_forks() -> None:
    other = UUID(int=2)
    held = (BATCHES[3], batch(4, chain=other))
    parts = tuple(Part(held=one, flags=FrameFlag(0)) for one in held)
    request = Request(purpose=Purpose.BACKLOG, parts=parts)
    receipts = tuple(CENTRE.receipt(one, Verdict.BRANCH) for one in arriving(request))
    assert exchanged(State(), answer(200, receipts), request=request).forked == {CHAIN, other}


def test_the_receipt_given_last_shows_what_the_centre_has_had() -> None:
    early, late = (
        sign_receipt(
            CENTRE_KEY,
            BatchPlace(
                gateway_id=GATEWAY,
                chain_id=CHAIN,
                batch_no=one.batch_no,
                batch_hash=one.batch_hash,
            ),
            verdict=Verdict.ACCEPTED,
            received_ns=at_ns,
        )
        for one, at_ns in ((BATCHES[5], 1), (BATCHES[4], 2))
    )
    state = exchanged(State(), answer(200, (early.pack(),)), answer(200, (late.pack(),))).state
    assert state.proof == late
    assert exchanged(state, answer(200, (early.pack(),))).state.proof == late


BLAMES = [answer(422, code="body", frame=1), answer(400, code="frame", frame=1)]


@pytest.mark.parametrize("blame", BLAMES, ids=["422", "400"])
def test_a_damaged_copy_is_to_be_given_up_and_those_behind_it_go_on(blame: Answer) -> None:
    outcome = examined(after(State(), REQUEST, blame, TRUST), is_good=False)
    assert outcome.pause is Pause.NONE
    assert outcome.state.alarms == {Alarm.OWN_COPY_DAMAGED}
    assert outcome.give_up == BATCHES[4]
    _, request = next_request(outcome.state, waiting(*BATCHES[3:6]))
    assert sent(request) == [(3, 0), (5, FrameFlag.BEFORE_FOLLOWS_LATER)]
    outcome = gave_up(outcome)
    assert (outcome.give_up, outcome.state.withheld) == (None, frozenset())
    _, request = next_request(outcome.state, waiting(BATCHES[3], BATCHES[5]))
    assert sent(request) == [(3, 0), (5, FrameFlag.HOLDS_NONE_BEFORE)]
    assert gave_up(outcome) == outcome


def test_a_damaged_header_looks_like_a_wrong_key_and_does_not_hold_the_uplink() -> None:
    refused = after(State(), REQUEST, answer(403, code="key", frame=0), TRUST)
    outcome = examined(refused, is_good=False)
    assert (outcome.state.is_held, outcome.pause) == (False, Pause.NONE)
    assert examined(refused, is_good=True).pause is Pause.HOLD


def test_a_good_copy_is_sent_again_a_few_times_and_then_withheld() -> None:
    state = State()
    for _ in range(MOST_BLAMES - 1):
        outcome = examined(after(state, REQUEST, BLAMES[0], TRUST), is_good=True)
        assert (outcome.pause, outcome.state.withheld) == (Pause.BACK_OFF, frozenset())
        state = outcome.state
    outcome = examined(after(state, REQUEST, BLAMES[0], TRUST), is_good=True)
    assert outcome.state.withheld == {BATCHES[4].batch_hash}
    assert outcome.state.alarms == {Alarm.GOOD_COPY_REFUSED}


GAP = answer(409, code="gap", frame=0, expected=1)


def test_a_gap_is_answered_from_the_expected_batch_on() -> None:
    state = after(State(), REQUEST, GAP, TRUST).state
    _, request = next_request(state, waiting(*BATCHES[3:6], rewound=tuple(BATCHES[1:6])))
    assert sent(request) == [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)]


def test_what_is_held_after_a_hole_says_that_nothing_before_it_is_held() -> None:
    state = after(State(), REQUEST, GAP, TRUST).state
    _, request = next_request(state, waiting(*BATCHES[3:6], rewound=tuple(BATCHES[2:6])))
    assert sent(request)[0] == (2, FrameFlag.HOLDS_NONE_BEFORE)


def test_a_refused_batch_itself_says_so_when_nothing_of_that_chain_is_held() -> None:
    elsewhere = Refusal(code="gap", frame=0, expected=Place(chain_id=UUID(int=5), batch_no=8))
    gap = Answer(status=409, is_readable=True, refusal=elsewhere)
    state = after(State(), REQUEST, gap, TRUST).state
    _, request = next_request(state, waiting(*BATCHES[3:6]))
    assert sent(request)[0] == (3, FrameFlag.HOLDS_NONE_BEFORE)


def test_a_first_batch_says_so_too_once_all_of_the_chain_before_was_sent_again() -> None:
    elsewhere = Refusal(code="gap", frame=0, expected=Place(chain_id=UUID(int=5), batch_no=8))
    gap = Answer(status=409, is_readable=True, refusal=elsewhere)
    state = after(State(), REQUEST, gap, TRUST).state
    assert state.rewind is not None
    moved = replace(state, rewind=replace(state.rewind, has_moved=True, start=12))
    state, request = next_request(moved, waiting(*BATCHES[3:6]))
    assert state.rewind is None
    assert sent(request) == [(3, FrameFlag.HOLDS_NONE_BEFORE), (4, 0), (5, 0)]


def test_a_rewind_with_nothing_to_send_is_over() -> None:
    state = after(State(), REQUEST, GAP, TRUST).state
    damaged = replace(state, withheld=frozenset({BATCHES[1].batch_hash}))
    state, request = next_request(damaged, waiting(*BATCHES[3:6], rewound=(BATCHES[1],)))
    assert state.rewind is None
    assert request is not None
    assert request.purpose is Purpose.BACKLOG


def test_a_centre_that_repeats_the_same_gap_is_waited_for() -> None:
    assert exchanged(State(), GAP, GAP).pause is Pause.BACK_OFF


def test_going_further_back_needs_no_wait_and_strides_double() -> None:
    gaps = [answer(409, code="gap", frame=0, expected=number) for number in (9000, 8999, 8998)]
    starts = []
    state = State()
    for gap in gaps:
        outcome = after(state, REQUEST, gap, TRUST)
        assert outcome.pause is Pause.NONE
        assert outcome.state.rewind is not None
        starts.append(outcome.state.rewind.start)
        state = outcome.state
    assert starts == [9000, 8998, 8995]


def test_rewinds_without_end_are_slowed_down_until_the_next_interval() -> None:
    gap = answer(409, ALL[:1], code="gap", frame=1, expected=1)
    outcome = exchanged(State(), *[gap] * (MOST_REWINDS + 1))
    assert outcome.pause is Pause.BACK_OFF
    assert after(interval_began(outcome.state), REQUEST, gap, TRUST).pause is Pause.NONE


def wanting(number: int) -> Answer:
    """Return an answer that has all and wants one batch more."""
    wanted = Wanted(
        place=Place(chain_id=CHAIN, batch_no=number), batch_hash=BATCHES[number].batch_hash
    )
    return replace(answer(200, ALL), wanted=(wanted,))


def test_a_wanted_batch_is_sent_when_nothing_else_waits() -> None:
    state = after(State(), REQUEST, wanting(1), TRUST).state
    holding = replace(waiting(), again=(BATCHES[1],))
    assert sent(next_request(state, holding)[1]) == [(1, 0)]
    backlog = replace(waiting(BATCHES[8]), again=(BATCHES[1],))
    assert sent(next_request(state, backlog)[1]) == [(8, 0)]


def test_a_batch_is_not_wanted_again_in_the_answer_that_receipts_it() -> None:
    assert after(State(), REQUEST, wanting(4), TRUST).state.again == ()


@pytest.mark.parametrize("purpose", [Purpose.AGAIN, Purpose.REWOUND])
def test_a_batch_wanted_for_ever_is_sent_once_per_interval(purpose: Purpose) -> None:
    again = replace(REQUEST, purpose=purpose)
    state = after(State(), again, answer(200, ALL), TRUST).state
    elsewhere = Request(purpose=Purpose.BACKLOG, parts=(Part(held=BATCHES[8], flags=FrameFlag(0)),))
    still = replace(wanting(4), receipts=())
    assert after(state, elsewhere, still, TRUST).state.again == ()
    assert after(interval_began(state), elsewhere, still, TRUST).state.again == still.wanted


def test_what_is_resent_in_one_interval_has_a_limit() -> None:
    resent = frozenset(Hash(number.to_bytes(32, "big")) for number in range(MOST_RESENT))
    state = replace(State(), resent=resent)
    assert after(state, REQUEST, wanting(1), TRUST).state.again == ()
    assert after(interval_began(state), REQUEST, wanting(1), TRUST).state.again != ()


def test_a_held_uplink_tries_single_batches_until_one_is_taken() -> None:
    held = exchanged(State(), answer(404)).state
    _, probe = next_request(held, waiting(*BATCHES[3:6]))
    assert sent(probe) == [(3, 0)]
    assert probe is not None
    assert not exchanged(held, answer(200, ALL[:1]), request=probe).state.is_held
