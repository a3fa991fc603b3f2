"""Every store: finding batches by time, and the bundles without which they cannot be read."""

from dataclasses import replace

from central_sync.model import AlarmCode
from edge_agent.wire.bundle import config_hash
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.ingest.signed_chain import (
    LATER,
    TEN,
    S,
    SignedChain,
    bundle_of,
    framed,
    rows_at,
)
from tests.conformance.store.stores import Stored, open_codes

HOUR = 3600 * S


def test_batches_are_found_by_the_quarter_hours_of_their_rows(
    stored: Stored, chain: SignedChain
) -> None:
    zero = chain.batch(rows_at([TEN]))
    one = chain.batch(rows_at([TEN - 1, TEN + 2 * HOUR]))
    stored.take(chain, framed(zero), framed(one))

    def numbers(from_ns: int, to_ns: int) -> list[int]:
        found = stored.store.batches_touching(chain.gateway_id, from_ns, to_ns)
        return [batch.batch_no for batch in found]

    assert numbers(TEN, TEN + HOUR) == [0]
    assert numbers(TEN - HOUR, TEN) == [1]
    assert numbers(TEN - HOUR, TEN + 1) == [0, 1]
    assert numbers(TEN + HOUR, TEN + 2 * HOUR) == []
    assert numbers(TEN + 2 * HOUR, TEN + 3 * HOUR) == [1]


def test_order_of_arrival_does_not_show(stored: Stored, chain: SignedChain) -> None:
    batches = chain.batches(5)
    for number in (4, 2, 0, 3, 1):
        stored.take(chain, framed(batches[number], LATER))
    found = stored.store.batches_touching(chain.gateway_id, TEN, TEN + HOUR)
    assert [batch.batch_hash for batch in found] == [batch.batch_hash for batch in batches]


def test_a_bundle_is_wanted_until_it_is_here(stored: Stored, chain: SignedChain) -> None:
    named = config_hash(chain.bundle)
    profile = Hash(b"p" * 32)
    assert not stored.store.is_bundle_wanted(named)
    assert stored.take(chain, framed(chain.batch())).wanted_bundles == (named,)
    assert stored.store.is_bundle_wanted(named)
    assert stored.store.bundle(named) is None
    assert not stored.store.is_profile_wanted(profile)
    stored.store.put_bundle(named, chain.bundle, profile_hashes=[profile])
    assert stored.store.bundle(named) == chain.bundle
    assert stored.store.missing_bundles(chain.gateway_id) == ()
    assert stored.take(chain, framed(chain.batch())).wanted_bundles == ()
    assert stored.store.is_profile_wanted(profile)
    assert stored.store.profile(profile) is None
    stored.store.put_profile(profile, b"text")
    stored.store.put_profile(profile, b"text")
    assert stored.store.profile(profile) == b"text"


def test_a_bundle_that_arrives_makes_its_hours_dirty_again_once(
    stored: Stored, chain: SignedChain
) -> None:
    other = replace(chain, bundle=bundle_of(profile=b"newer"))
    zero = chain.batch()
    other.position = chain.position
    stored.take(chain, framed(zero), framed(other.batch(rows_at([TEN + HOUR]))))
    settle_all(stored)
    named = config_hash(other.bundle)
    stored.store.put_bundle(named, other.bundle, profile_hashes=[])
    assert [hour.hour_ns for hour in stored.store.dirty_hours(9)] == [TEN + HOUR]
    settle_all(stored)
    stored.store.put_bundle(named, other.bundle, profile_hashes=[])
    assert stored.store.dirty_hours(9) == ()


def settle_all(stored: Stored) -> None:
    for hour in stored.store.dirty_hours(99):
        assert stored.store.settle_hour(hour, None, [])


def test_a_refused_bundle_is_not_wanted_until_refusals_are_forgotten(
    stored: Stored, chain: SignedChain
) -> None:
    named = config_hash(chain.bundle)
    stored.take(chain, framed(chain.batch()))
    stored.store.refuse_bundle(named, code=AlarmCode.SIMULATED, detail="simulated")
    assert stored.store.missing_bundles(chain.gateway_id) == ()
    assert open_codes(stored) == {AlarmCode.SIMULATED}
    stored.store.forget_refusals()
    assert stored.store.missing_bundles(chain.gateway_id) == (named,)
    stored.store.put_bundle(named, chain.bundle, profile_hashes=[])
    assert open_codes(stored) == set()
