"""Every store: signed batches in, the same bytes and receipts out, whatever comes twice."""

from dataclasses import replace

import pytest

from central_sync.model import AlarmCode
from edge_agent.wire.frame import encode_receipt
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt, verify_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.ingest.signed_chain import (
    TEN,
    S,
    SignedChain,
    framed,
    uuid_of,
)
from tests.conformance.store.stores import RECEIPT_KEY, Stored, open_codes, verdict_of

HOUR = 3600 * S


def test_a_batch_is_kept_byte_for_byte_with_a_receipt_that_verifies(
    stored: Stored, chain: SignedChain
) -> None:
    batch = chain.batch()
    (receipt,) = stored.take(chain, framed(batch)).receipts
    stored.reopen()
    kept = stored.store.batch(chain.gateway_id, uuid_of(2), 0)
    assert kept is not None
    assert (kept.header_bytes, kept.signature, kept.body) == (
        batch.header_bytes,
        batch.signature,
        batch.body,
    )
    assert (kept.batch_hash, kept.receipt, kept.record_count) == (batch.batch_hash, receipt, 2)
    assert (kept.verdict, kept.received_ns) == (Verdict.ACCEPTED, stored.now_ns)
    assert (kept.at_min, kept.at_max) == (TEN, TEN)
    place = BatchPlace.of(batch.header, batch.batch_hash)
    verify_receipt(Receipt.unpack(receipt), RECEIPT_KEY.verifying_key, place)


def test_a_replay_changes_nothing_and_gives_the_same_receipts(
    stored: Stored, chain: SignedChain
) -> None:
    frames = [framed(batch) for batch in chain.batches(3)]
    first = stored.take(chain, *frames)
    before = (stored.store.counts(), stored.store.dirty_hours(9), stored.store.fleet())
    stored.now_ns += HOUR
    again = stored.take(chain, *frames)
    assert again.receipts == first.receipts
    assert again.verdicts == ()
    assert again.new_readings == 0
    counts, dirty, (state,) = (
        stored.store.counts(),
        stored.store.dirty_hours(9),
        stored.store.fleet(),
    )
    assert (counts, dirty) == before[:2]
    assert replace(state, last_seen_ns=before[2][0].last_seen_ns) == before[2][0]


def test_several_requests_go_into_one_transaction_each_seeing_those_before(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(4)
    # Looked through while nothing is stored: only the request that begins the chain can be read.
    submissions = [stored.submission(chain, framed(one)) for one in batches[:1]]
    submissions.append(stored.submission(chain, *map(framed, batches)))
    first, second = stored.store.accept(submissions)
    assert second.receipts[:1] == first.receipts
    assert len(second.receipts) == 4


def test_what_fails_inside_the_transaction_leaves_no_trace(
    stored: Stored, chain: SignedChain
) -> None:
    batches = chain.batches(3)
    stored.take(chain, framed(batches[0]))
    sign = stored.sign
    failed = []

    def failing(place: BatchPlace, verdict: Verdict, at_ns: int, log_index: int) -> bytes:
        if place.batch_no == 2:
            failed.append(place.batch_hash)
            raise RuntimeError("the key is gone")
        return sign(place, verdict, at_ns, log_index)

    stored.sign = failing
    stored.reopen()
    with pytest.raises(RuntimeError):
        stored.take(chain, *map(framed, batches))
    stored.sign = sign
    stored.reopen()
    assert failed == [batches[2].batch_hash]
    assert stored.store.counts().batches == 1
    assert len(stored.take(chain, *map(framed, batches)).receipts) == 3


def test_a_request_ends_at_the_first_frame_that_is_not_stored(
    stored: Stored, chain: SignedChain
) -> None:
    zero, one, two, three = chain.batches(4)
    damaged = replace(two, body=one.body)
    outcome = stored.take(chain, *map(framed, (zero, one, damaged, three)))
    assert len(outcome.receipts) == 2
    assert outcome.refusal is not None
    assert (outcome.refusal.status, outcome.refusal.frame) == (422, 2)
    assert outcome.head is not None
    assert outcome.head.batch_hash == one.batch_hash
    assert verdict_of(stored, three) is None


def test_unfit_content_is_kept_as_evidence_and_the_chain_goes_on(
    stored: Stored, chain: SignedChain
) -> None:
    zero, unfit, two = chain.batch(), chain.unfit(), chain.batch()
    outcome = stored.take(chain, *map(framed, (zero, unfit, two)))
    assert [Receipt.unpack(one).verdict for one in outcome.receipts] == [0, 1, 0]
    kept = stored.store.batch(chain.gateway_id, uuid_of(2), 1)
    assert kept is not None
    assert (kept.body, kept.at_min) == (unfit.body, None)
    assert open_codes(stored) == {AlarmCode.CONTENT}
    touching = stored.store.batches_touching(chain.gateway_id, TEN, TEN + HOUR)
    assert [one.batch_no for one in touching] == [0, 2]
    assert stored.store.counts().quarantined == 1


def test_two_gateways_may_use_the_same_chain_id(stored: Stored, chain: SignedChain) -> None:
    other = SignedChain(gateway_id=uuid_of(50), key=SigningKey.from_seed(b"o" * 32))
    stored.register(other, "stack 2")
    mine, theirs = chain.batch(), other.batch()
    stored.take(chain, framed(mine))
    stored.take(other, framed(theirs))
    kept = stored.store.batch(other.gateway_id, uuid_of(2), 0)
    assert kept is not None
    assert kept.batch_hash == theirs.batch_hash


def test_a_receipt_of_ours_for_a_batch_that_is_not_here_says_that_we_were_set_back(
    stored: Stored, chain: SignedChain
) -> None:
    zero, one, two, three = chain.batches(4)
    stored.take(chain, framed(zero), framed(one))
    given = sign_receipt(
        RECEIPT_KEY,
        BatchPlace.of(one.header, one.batch_hash),
        verdict=Verdict.ACCEPTED,
        received_ns=1,
    )
    stored.take(chain, encode_receipt(given.pack()))
    assert open_codes(stored) == set()
    ahead = sign_receipt(
        RECEIPT_KEY,
        BatchPlace.of(three.header, three.batch_hash),
        verdict=Verdict.ACCEPTED,
        received_ns=1,
    )
    outcome = stored.take(chain, encode_receipt(ahead.pack()), framed(three))
    assert open_codes(stored) == {AlarmCode.SERVER_BEHIND}
    assert [hole.batch_hash for hole in outcome.wanted] == [three.batch_hash]
    outcome = stored.take(chain, framed(two), framed(three))
    assert outcome.wanted == ()
    assert open_codes(stored) == set()


def test_a_receipt_under_another_key_says_nothing(stored: Stored, chain: SignedChain) -> None:
    batch = chain.batch()
    forged = sign_receipt(
        SigningKey.from_seed(b"x" * 32),
        BatchPlace.of(batch.header, batch.batch_hash),
        verdict=Verdict.ACCEPTED,
        received_ns=1,
    )
    stored.take(chain, encode_receipt(forged.pack()))
    assert open_codes(stored) == set()


def test_a_forged_frame_is_kept_until_the_quota_is_full(
    stored: Stored, chain: SignedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = chain.batch()
    forged = framed(replace(batch, signature=bytes(64)))
    outcome = stored.take(chain, forged)
    assert outcome.refusal is not None
    assert (outcome.refusal.status, outcome.head, outcome.wanted) == (403, None, ())
    (alarm,) = stored.store.alarms(is_open=True)
    assert (alarm.code, alarm.gateway_id) == (AlarmCode.KEY, chain.gateway_id)
    stranger = SignedChain(gateway_id=uuid_of(77))
    for _ in range(3):
        stored.take(stranger, framed(stranger.batch()))
    unknown = [one for one in stored.store.alarms(is_open=True) if one.gateway_id is None]
    assert [(one.code, one.seen_count) for one in unknown] == [(AlarmCode.KEY, 3)]
    assert stored.store.counts().batches == 0
    (state,) = stored.store.fleet()
    assert state.last_seen_ns is None
