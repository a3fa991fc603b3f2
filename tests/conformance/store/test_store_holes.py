"""Every store: what is missing, how it is filled, lost or given up, and when that alarms."""

from dataclasses import replace

from central_sync.model import AlarmCode, Hole
from edge_agent.wire.batch import SignedBatch
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.ingest.signed_chain import (
    LATER,
    NONE_BEFORE,
    TEN,
    S,
    SignedChain,
    framed,
    loss_of,
    named_loss_of,
    rows_at,
    uuid_of,
)
from tests.conformance.store.stores import Stored, open_codes, verdict_of

HOUR = 3600 * S


def hole_before(batch: SignedBatch) -> Hole:
    header = batch.header
    return Hole(
        chain_id=header.chain_id,
        batch_no=header.batch_no - 1,
        batch_hash=header.prev_batch_hash,
    )


def test_a_gap_stores_nothing_and_tells_where_to_go_on(stored: Stored, chain: SignedChain) -> None:
    zero, _, _, three = chain.batches(4)
    stored.take(chain, framed(zero))
    outcome = stored.take(chain, framed(three))
    assert outcome.receipts == ()
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.expected) == ("gap", 1)
    assert outcome.wanted == ()
    assert open_codes(stored) == set()


def test_live_before_backlog_opens_a_hole_that_fills_from_below(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(6)
    stored.take(chain, framed(batches[0]))
    outcome = stored.take(chain, framed(batches[4], LATER), framed(batches[5]))
    assert len(outcome.receipts) == 2
    assert outcome.wanted == (hole_before(batches[4]),)
    (head,) = stored.store.heads(chain.gateway_id)
    assert (head.batch_no, head.contiguous_no) == (5, 0)
    assert head.contiguous_ns == batches[0].header.wall_ns
    for filling in batches[1:3]:
        outcome = stored.take(chain, framed(filling))
        assert outcome.wanted == (hole_before(batches[4]),)
    assert stored.take(chain, framed(batches[3])).wanted == ()
    (head,) = stored.store.heads(chain.gateway_id)
    assert (head.batch_no, head.contiguous_no) == (5, 5)
    assert stored.store.counts().holes == 0
    assert open_codes(stored) == set()


def test_filling_from_above_moves_the_hole_down(stored: Stored, chain: SignedChain) -> None:
    batches = chain.batches(4)
    for number in (3, 2, 1):
        outcome = stored.take(chain, framed(batches[number], LATER))
        assert outcome.wanted == (hole_before(batches[number]),)
    (head,) = stored.store.heads(chain.gateway_id)
    assert head.contiguous_no is None
    assert stored.take(chain, framed(batches[0])).wanted == ()


def test_what_the_gateway_no_longer_holds_is_an_alarm_until_it_is_filled(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(3)
    outcome = stored.take(chain, framed(batches[2], NONE_BEFORE))
    assert outcome.wanted == (hole_before(batches[2]),)
    assert open_codes(stored) == {AlarmCode.HOLE}
    stored.take(chain, framed(batches[0]), framed(batches[1]))
    assert open_codes(stored) == set()
    (closed,) = stored.store.alarms(is_open=False)
    assert (closed.code, closed.closed_ns) == (AlarmCode.HOLE, stored.now_ns)


def test_loss_events_that_cover_a_hole_close_it(stored: Stored, chain: SignedChain) -> None:
    batches = chain.batches(5)
    stored.take(chain, framed(batches[0]))
    stored.take(chain, framed(batches[4], NONE_BEFORE))
    part = chain.batch(events=[loss_of(chain, 1, 2)])
    assert stored.take(chain, framed(part)).wanted == (hole_before(batches[4]),)
    assert open_codes(stored) == {AlarmCode.HOLE}
    rest = chain.batch(events=[loss_of(chain, 3, 3)])
    assert stored.take(chain, framed(rest)).wanted == ()
    assert open_codes(stored) == set()
    (head,) = stored.store.heads(chain.gateway_id)
    assert head.contiguous_no == 6


def test_a_loss_told_before_the_hole_opens_closes_it_too(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(3)
    teller = replace(chain, previous=batches[0])
    teller.position = replace(
        teller.position,
        chain_id=uuid_of(8),
        batch_no=0,
        first_seq=0,
        prev_batch_hash=Hash(bytes(32)),
    )
    stored.take(chain, framed(batches[0]))
    stored.take(chain, framed(teller.batch(events=[loss_of(chain, 1, 1)])))
    assert stored.take(chain, framed(batches[2], NONE_BEFORE)).wanted == ()
    assert open_codes(stored) == set()


def test_what_is_missing_below_a_batch_that_is_lost_by_name_is_wanted(
    stored: Stored, chain: SignedChain
) -> None:
    zero, one, two, three, four = chain.batches(5)
    stored.take(chain, framed(zero))
    stored.take(chain, framed(chain.batch(), LATER))
    told = chain.batch(events=[named_loss_of(chain, three)])
    assert [hole.batch_no for hole in stored.take(chain, framed(told)).wanted] == [4]
    assert stored.take(chain, framed(four, NONE_BEFORE)).wanted == (hole_before(three),)
    assert open_codes(stored) == {AlarmCode.HOLE}
    assert stored.take(chain, framed(one), framed(two)).wanted == ()
    assert open_codes(stored) == set()


def test_one_batch_after_the_other_that_is_lost_by_name_closes_the_hole_in_any_order(
    stored: Stored, chain: SignedChain
) -> None:
    zero, one, two, three = chain.batches(4)
    stored.take(chain, framed(zero))
    stored.take(chain, framed(chain.batch(events=[named_loss_of(chain, one)]), LATER))
    stored.take(chain, framed(chain.batch(events=[named_loss_of(chain, three)])))
    assert stored.take(chain, framed(chain.batch(events=[named_loss_of(chain, two)]))).wanted == ()
    assert stored.store.counts().holes == 0


def test_a_first_batch_lost_by_name_closes_the_hole_below_it(
    stored: Stored, chain: SignedChain
) -> None:
    zero, one = chain.batches(2)
    stored.take(chain, framed(one, NONE_BEFORE))
    assert stored.take(chain, framed(chain.batch(events=[named_loss_of(chain, zero)]))).wanted == ()
    assert open_codes(stored) == set()


def test_a_loss_that_leaves_headstones_closes_no_hole_of_a_batch(
    stored: Stored, chain: SignedChain
) -> None:
    zero, _, two = chain.batches(3)
    stored.take(chain, framed(zero))
    stored.take(chain, framed(two, LATER))
    told = chain.batch(events=[loss_of(chain, 1, 1, "quota")])
    assert stored.take(chain, framed(told)).wanted == (hole_before(two),)


def in_contact(stored: Stored, chain: SignedChain, known: SignedBatch, *, hours: int) -> None:
    """Let hours pass in which the gateway is heard every quarter of an hour."""
    for _ in range(4 * hours):
        stored.now_ns += HOUR // 4
        stored.take(chain, framed(known))


def test_days_without_contact_do_not_count_against_a_hole(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(4)
    stored.take(chain, framed(batches[0]))
    stored.take(chain, framed(batches[3], LATER))
    in_contact(stored, chain, batches[3], hours=12)
    stored.now_ns += 72 * HOUR
    in_contact(stored, chain, batches[3], hours=11)
    assert open_codes(stored) == set()
    in_contact(stored, chain, batches[3], hours=2)
    assert open_codes(stored) == {AlarmCode.HOLE}


def test_a_hole_that_does_not_shrink_for_a_day_becomes_an_alarm(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(6)
    stored.take(chain, framed(batches[0]))
    stored.take(chain, framed(batches[4], LATER))
    in_contact(stored, chain, batches[4], hours=23)
    stored.take(chain, framed(batches[1]))
    in_contact(stored, chain, batches[4], hours=24)
    assert open_codes(stored) == set()
    stored.now_ns += 1
    stored.take(chain, framed(batches[5]))
    assert open_codes(stored) == {AlarmCode.HOLE}
    stored.take(chain, framed(batches[2]), framed(batches[3]))
    assert open_codes(stored) == set()


def test_a_headstone_is_wanted_until_its_readings_come(stored: Stored, chain: SignedChain) -> None:
    zero = chain.batch()
    rows = rows_at([TEN + 10 * S])
    one = chain.batch(rows)
    stone = chain.headstone(rows, [], one)
    first = stored.take(chain, framed(zero), framed(stone, FrameFlag.HEADSTONE))
    assert verdict_of(stored, one) is Verdict.HEADSTONE
    assert [hole.batch_hash for hole in first.wanted] == [one.batch_hash]
    (head,) = stored.store.heads(chain.gateway_id)
    assert head.contiguous_no == 1
    again = stored.take(chain, framed(stone, FrameFlag.HEADSTONE))
    assert again.receipts == first.receipts[1:]
    completed = stored.take(chain, framed(one))
    assert completed.wanted == ()
    assert completed.receipts != first.receipts[1:]
    assert Receipt.unpack(completed.receipts[0]).verdict is Verdict.ACCEPTED
    assert stored.take(chain, framed(stone, FrameFlag.HEADSTONE)).receipts == completed.receipts
    touching = stored.store.batches_touching(chain.gateway_id, TEN, TEN + HOUR)
    assert [found.batch_no for found in touching] == [0, 1]
    assert stored.store.counts().batches == 2


def test_a_headstone_whose_readings_are_lost_is_wanted_no_more(
    stored: Stored, chain: SignedChain
) -> None:
    rows = rows_at([TEN + 10 * S])
    zero, one = chain.batch(), chain.batch(rows)
    stone = chain.headstone(rows, [], one)
    stored.take(chain, framed(zero), framed(stone, FrameFlag.HEADSTONE))
    lost = chain.batch(events=[loss_of(chain, 1, 1, "quota")])
    assert stored.take(chain, framed(lost)).wanted == ()
