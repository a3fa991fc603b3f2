"""A key that follows another: when the centre believes it, and when it only raises an alarm."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from central_sync.ingest.decoder import Asked, read_here
from central_sync.ingest.decoder_answer import packed, unpacked
from central_sync.ingest.receive import prepared
from central_sync.model import AlarmCode
from central_sync.store.admission import Body, Contents, Rotation
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Verdict
from tests.central_sync.ingest.rotating import NEXT, following, rotated
from tests.central_sync.ingest.signed_chain import SignedChain, framed, uuid_of
from tests.conformance.store.stores import RECEIPT_KEY, Stored, embedded, open_codes

OTHER = SigningKey.from_seed(b"o" * 32)


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Stored]:
    made = Stored(tmp_path, embedded)
    yield made
    made.store.close()


@pytest.fixture
def chain(stored: Stored) -> SignedChain:
    made = SignedChain()
    stored.register(made)
    return made


def test_the_next_key_counts_from_the_batch_on_that_names_it(
    stored: Stored, chain: SignedChain
) -> None:
    last = chain.batch(events=[rotated(chain)])
    after = following(chain)
    after.previous = last
    early = stored.take(after, framed(after.batch(moves=False)))
    assert early.refusal is not None
    assert early.refusal.status == 403
    stored.now_ns += 1
    assert stored.take(chain, framed(last)).verdicts == (Verdict.ACCEPTED,)
    assert stored.take(after, framed(after.batch())).verdicts == (Verdict.ACCEPTED,)
    assert [key.key_id for key in stored.store.key_states(chain.gateway_id)] == [
        chain.key.key_id,
        NEXT.key_id,
    ]


def test_both_sides_of_a_change_may_come_in_one_request(stored: Stored, chain: SignedChain) -> None:
    first, last = chain.batch(), chain.batch(events=[rotated(chain)])
    after = following(chain)
    after.previous = last
    frames = [framed(first), framed(last), framed(after.batch()), framed(after.batch())]
    outcome = stored.take(chain, *frames)
    assert (outcome.verdicts, outcome.refusal) == ((Verdict.ACCEPTED,) * 4, None)


def test_a_frame_that_skips_the_change_is_refused(stored: Stored, chain: SignedChain) -> None:
    first, last = chain.batch(), chain.batch(events=[rotated(chain)])
    after = following(chain)
    after.previous = last
    outcome = stored.take(chain, framed(first), framed(after.batch()))
    assert outcome.verdicts == (Verdict.ACCEPTED,)
    assert outcome.refusal is not None
    assert (outcome.refusal.status, outcome.refusal.frame) == (403, 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"proof": "00" * 64},
        {"proof": "00"},
        {"public_key": None},
        {"public_key": "00"},
        {"public_key": "zz"},
        {"public_key": OTHER.public_bytes.hex()},
        {"key": OTHER.key_id.hex()},
        {"key": OTHER.key_id.hex(), "public_key": OTHER.public_bytes.hex()},
    ],
)
def test_a_proof_that_does_not_hold_changes_no_key_and_no_verdict(
    stored: Stored, chain: SignedChain, changed: dict[str, object]
) -> None:
    outcome = stored.take(chain, framed(chain.batch(events=[rotated(chain, **changed)])))
    assert outcome.verdicts == (Verdict.ACCEPTED,)
    assert open_codes(stored) == {AlarmCode.KEY}
    (only,) = stored.store.key_states(chain.gateway_id)
    assert only.key_id == chain.key.key_id


def test_a_proof_made_for_another_chain_does_not_hold(stored: Stored, chain: SignedChain) -> None:
    elsewhere = SignedChain()
    elsewhere.position = replace(elsewhere.position, chain_id=uuid_of(30))
    stored.take(chain, framed(chain.batch(events=[rotated(elsewhere)])))
    assert open_codes(stored) == {AlarmCode.KEY}


def test_a_key_of_another_gateway_or_a_revoked_one_does_not_follow(
    stored: Stored, chain: SignedChain
) -> None:
    stored.store.add_gateway(
        uuid_of(40), facility="PLANT", name="two", public_key=NEXT.public_bytes
    )
    stored.take(chain, framed(chain.batch(events=[rotated(chain)])))
    (alarm,) = stored.store.alarms(is_open=True)
    assert (alarm.code, "another gateway" in alarm.detail) == (AlarmCode.KEY, True)


def test_what_a_revoked_key_signed_before_stays_and_what_comes_later_is_refused(
    stored: Stored, chain: SignedChain
) -> None:
    before = chain.batch()
    stored.take(chain, framed(before))
    last = chain.batch(events=[rotated(chain)])
    stored.now_ns += 1
    stored.take(chain, framed(last))
    stored.store.revoke_key(chain.gateway_id, chain.key.key_id, reason="stolen")
    stored.store.revoke_key(chain.gateway_id, chain.key.key_id, reason="again")
    late = stored.take(chain, framed(chain.batch()))
    assert late.refusal is not None
    assert late.refusal.status == 403
    assert stored.store.batch(chain.gateway_id, before.header.chain_id, 0) is not None
    after = following(chain)
    after.previous = last
    assert stored.take(after, framed(after.batch())).verdicts == (Verdict.ACCEPTED,)
    old, new = stored.store.key_states(chain.gateway_id)
    assert (old.revoked_ns, old.revoked_reason) == (stored.now_ns, "stolen")
    assert new.revoked_ns is None
    with stored.store._db.read() as connection:  # type: ignore[attr-defined] # the adapter's own
        rows = connection.execute("select key_id, batch_no from revoked_from").fetchall()
    assert rows == [(chain.key.key_id, 2)]


def test_a_key_that_is_not_the_gateways_cannot_be_revoked(
    stored: Stored, chain: SignedChain
) -> None:
    with pytest.raises(KeyError):
        stored.store.revoke_key(chain.gateway_id, NEXT.key_id, reason="x")


def test_a_decoder_that_lies_brings_in_no_key(stored: Stored, chain: SignedChain) -> None:
    def lying(asked: Sequence[Asked]) -> list[Body]:
        told: list[Body] = []
        for body in read_here(asked):
            assert isinstance(body, Contents)
            told.append(replace(body, rotation=Rotation(public_key=OTHER.public_bytes)))
        return told

    submission = prepared(
        chain.gateway_id,
        framed(chain.batch()),
        store=stored.store,
        receipt_key=RECEIPT_KEY.verifying_key,
        read_bodies=lying,
    )
    (outcome,) = stored.store.accept([submission])
    assert outcome.verdicts == (Verdict.ACCEPTED,)
    (only,) = stored.store.key_states(chain.gateway_id)
    assert only.key_id == chain.key.key_id


def test_what_a_decoder_says_of_a_key_comes_back_from_its_answer(chain: SignedChain) -> None:
    batch = chain.batch(events=[rotated(chain)])
    told = read_here([Asked(batch.header, batch.body, FrameFlag(0))])
    assert unpacked(packed(told), 1) == told
