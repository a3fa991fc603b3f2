"""Every store: two lines of one chain, told apart by their hashes, whatever came first."""

import tempfile
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central_sync.model import AlarmCode
from edge_agent.wire.batch import Position, SignedBatch
from edge_agent.wire.events import Event
from edge_agent.wire.receipt import Receipt
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.central_sync.ingest.signed_chain import (
    LATER,
    NONE_BEFORE,
    PLAIN,
    TEN,
    S,
    SignedChain,
    framed,
    loss_of,
    named_loss_of,
    rows_at,
    uuid_of,
)
from tests.conformance.store.stores import ADAPTERS, Stored, open_codes, verdict_of
from tests.simulation.judge import Batch, main_line

HOUR = 3600 * S


def two_lines(chain: SignedChain) -> tuple[list[SignedBatch], list[SignedBatch]]:
    """Return five batches of a chain, and three that a copy made of it behind the second."""
    start = chain.batches(2)
    position = chain.position
    first = [*start, *chain.batches(3)]
    chain.position = position
    second = [chain.batch(rows_at([TEN + HOUR + number * S])) for number in range(3)]
    return first, second


def line_of(stored: Stored, batches: list[SignedBatch]) -> list[bool]:
    """Return for each batch whether it is the one of its number on the main line."""
    found = [
        stored.store.batch(one.header.gateway_id, one.header.chain_id, one.header.batch_no)
        for one in batches
    ]
    return [
        kept is not None and kept.batch_hash == one.batch_hash
        for kept, one in zip(found, batches, strict=True)
    ]


def verdicts(receipts: tuple[bytes, ...]) -> list[Verdict]:
    return [Receipt.unpack(one).verdict for one in receipts]


def fed(stored: Stored, chain: SignedChain) -> set[Hash]:
    """Return the batches that feed calculations."""
    found = stored.store.batches_touching(chain.gateway_id, TEN, TEN + 2 * HOUR)
    return {one.batch_hash for one in found}


def test_another_batch_under_a_taken_number_is_stored_beside_with_what_follows_it(
    stored: Stored, chain: SignedChain
) -> None:
    first, second = two_lines(chain)
    stored.take(chain, *map(framed, first))
    due = stored.store.dirty_hours(9)
    outcome = stored.take(chain, *map(framed, second))
    assert outcome.refusal is None
    assert verdicts(outcome.receipts) == [Verdict.BRANCH] * 3
    assert open_codes(stored) == {AlarmCode.FORK}
    assert line_of(stored, first) == [True] * 5
    assert fed(stored, chain) == {one.batch_hash for one in first}
    beside = stored.store.branches_touching(chain.gateway_id, TEN, TEN + 2 * HOUR)
    assert [one.batch_hash for one in beside] == [one.batch_hash for one in second]
    assert stored.store.dirty_hours(9) == due
    assert outcome.head is not None
    assert outcome.head.batch_hash == first[-1].batch_hash
    stored.reopen()
    assert stored.take(chain, *map(framed, second)).receipts == outcome.receipts


def test_the_main_line_goes_on_beside_a_longer_branch(stored: Stored, chain: SignedChain) -> None:
    first, second = two_lines(chain)
    stored.take(chain, *map(framed, first[:3]))
    stored.take(chain, *map(framed, second))
    outcome = stored.take(chain, *map(framed, first[3:]))
    assert verdicts(outcome.receipts) == [Verdict.ACCEPTED] * 2
    (head,) = stored.store.heads(chain.gateway_id)
    assert (head.batch_hash, head.contiguous_no) == (first[-1].batch_hash, 4)


def test_what_fills_a_hole_shows_that_what_stood_behind_it_was_a_branch(
    stored: Stored, chain: SignedChain
) -> None:
    first, second = two_lines(chain)
    stored.take(chain, *map(framed, first[:2]))
    early = stored.take(chain, framed(second[1], LATER), framed(second[2]))
    assert verdicts(early.receipts) == [Verdict.ACCEPTED] * 2
    assert line_of(stored, second[1:]) == [True, True]
    assert open_codes(stored) == set()
    late = stored.take(chain, *map(framed, first[2:]))
    assert verdicts(late.receipts) == [Verdict.ACCEPTED] * 3
    assert open_codes(stored) == {AlarmCode.FORK}
    assert line_of(stored, second[1:]) == [False, False]
    assert fed(stored, chain) == {one.batch_hash for one in first}
    assert TEN + HOUR in {due.hour_ns for due in stored.store.dirty_hours(9)}
    assert [hole.batch_hash for hole in late.wanted] == [second[0].batch_hash]
    (head,) = stored.store.heads(chain.gateway_id)
    assert (head.batch_hash, head.contiguous_no) == (first[-1].batch_hash, 4)
    filled = stored.take(chain, framed(second[0]))
    assert (verdicts(filled.receipts), filled.wanted) == ([Verdict.BRANCH], ())


def test_what_fills_a_hole_can_show_that_a_branch_is_the_main_line(
    stored: Stored, chain: SignedChain
) -> None:
    first, second = two_lines(chain)
    stored.take(chain, framed(second[1], LATER), framed(second[2]))
    beside = stored.take(chain, framed(first[3], LATER), framed(first[4]))
    assert verdicts(beside.receipts) == [Verdict.BRANCH] * 2
    stored.take(chain, *map(framed, first[:3]))
    assert line_of(stored, first) == [True] * 5
    assert fed(stored, chain) == {one.batch_hash for one in first}
    assert verdict_of(stored, first[3]) is Verdict.BRANCH
    assert stored.take(chain, framed(first[3])).receipts == beside.receipts[:1]


def test_two_lines_may_each_lack_a_batch_of_one_number(stored: Stored, chain: SignedChain) -> None:
    first, second = two_lines(chain)
    stored.take(chain, *map(framed, first[:2]))
    stored.take(chain, framed(first[3], LATER), framed(second[1], LATER))
    wanted = stored.store.holes(chain.gateway_id)
    assert {hole.batch_hash for hole in wanted} == {first[2].batch_hash, second[0].batch_hash}
    outcome = stored.take(chain, framed(first[2]))
    assert [hole.batch_hash for hole in outcome.wanted] == [second[0].batch_hash]
    assert stored.take(chain, framed(second[0])).wanted == ()


@pytest.mark.parametrize("adapter", ADAPTERS)
@settings(max_examples=25)
@given(rng=st.randoms(use_true_random=False))
def test_in_whatever_order_lines_arrive_the_main_one_is_found_from_the_hashes(
    adapter: str, rng: Random
) -> None:
    chain = SignedChain()
    made = chain.batches(1)
    ends = [chain.position]
    for number in range(rng.randrange(4, 14)):
        place = rng.choice([-1, -1, -1, rng.randrange(len(ends))])
        chain.position = ends[place]
        made.append(chain.batch(rows_at([TEN + (number + 1) * S])))
        ends.append(Position.after(made[-1].header, made[-1].batch_hash))
    sent = rng.sample(made, len(made))
    with tempfile.TemporaryDirectory() as folder:
        stored = Stored(Path(folder), ADAPTERS[adapter])
        stored.register(chain)
        arrived: list[Batch] = []
        for batch in sent:
            assert len(stored.take(chain, framed(batch, LATER)).receipts) == 1
            header = batch.header
            before = header.prev_batch_hash if header.batch_no else b""
            arrived.append(Batch(batch.batch_hash, header.chain_id.bytes, header.batch_no, before))
            main = main_line(arrived)
            assert fed(stored, chain) == main
            here = [one for one in made if one.batch_hash in {name for name, *_ in arrived}]
            assert line_of(stored, here) == [one.batch_hash in main for one in here]
            assert (AlarmCode.FORK in open_codes(stored)) == (len(main) < len(arrived))
            (head,) = stored.store.heads(chain.gateway_id)
            top = max((one for one in arrived if one.name in main), key=lambda one: one.number)
            assert head.batch_hash == top.name
        assert stored.store.holes(chain.gateway_id) == ()
        assert all(stored.take(chain, framed(one, PLAIN)).receipts for one in made)
        stored.store.close()


def with_a_hole_in_each_line(stored: Stored, chain: SignedChain) -> tuple[SignedBatch, SignedBatch]:
    """Store two lines that both lack their batch of number 3; return the missing ones."""
    first, second = two_lines(chain)
    stored.take(chain, *map(framed, (*first[:3], second[0])))
    stored.take(chain, framed(first[4], NONE_BEFORE))
    stored.take(chain, framed(second[2], NONE_BEFORE))
    return first[3], second[1]


def wanted_after(stored: Stored, chain: SignedChain, told: Event) -> set[Hash]:
    """Return what is wanted once another chain of the gateway has told a loss."""
    teller = SignedChain(position=Position.genesis(uuid_of(8)))
    outcome = stored.take(chain, framed(teller.batch(events=[told])))
    return {one.batch_hash for one in outcome.wanted}


def test_a_loss_by_name_closes_the_hole_of_its_own_line_alone(
    stored: Stored, chain: SignedChain
) -> None:
    own, other = with_a_hole_in_each_line(stored, chain)
    assert wanted_after(stored, chain, named_loss_of(chain, own)) == {other.batch_hash}
    assert open_codes(stored) == {AlarmCode.FORK, AlarmCode.HOLE}


def test_a_loss_by_number_closes_no_hole_of_a_chain_with_two_lines(
    stored: Stored, chain: SignedChain
) -> None:
    missing = with_a_hole_in_each_line(stored, chain)
    expected = {one.batch_hash for one in missing}
    assert wanted_after(stored, chain, loss_of(chain, 3, 3)) == expected
