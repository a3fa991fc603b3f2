"""Every store: what the fleet looks like, and which alarms are open."""

import pytest

from central_sync.model import AlarmCode
from edge_agent.wire.signing import SigningKey
from tests.central_sync.ingest.signed_chain import (
    LATER,
    TEN,
    S,
    SignedChain,
    framed,
    rows_at,
    uuid_of,
)
from tests.conformance.store.stores import Stored

HOUR = 3600 * S
KEY = SigningKey.from_seed(b"k" * 32)


@pytest.fixture
def chain(stored: Stored) -> SignedChain:
    chain = SignedChain()
    stored.register(chain)
    return chain


def test_the_fleet_shows_a_gateway_before_and_after_its_first_batch(
    stored: Stored, chain: SignedChain
) -> None:
    (state,) = stored.store.fleet()
    assert (state.last_seen_ns, state.newest, state.batch_count) == (None, None, 0)
    batch = chain.batch(rows_at([TEN + 5, TEN]))
    stored.take(chain, framed(batch))
    (state,) = stored.store.fleet()
    assert (state.last_seen_ns, state.last_data_ns) == (stored.now_ns, TEN + 5)
    assert (state.batch_count, state.record_count, state.missing_bundle_count) == (1, 4, 1)
    assert state.last_header == batch.header_bytes
    assert state.newest is not None
    assert state.newest.batch_hash == batch.batch_hash
    assert state.alarms == ()


def test_backlog_does_not_turn_back_what_the_fleet_shows(
    stored: Stored, chain: SignedChain
) -> None:
    zero, one = chain.batch(rows_at([TEN])), chain.batch(rows_at([TEN + HOUR]))
    stored.take(chain, framed(one, LATER))
    stored.take(chain, framed(zero))
    (state,) = stored.store.fleet()
    assert state.last_data_ns == TEN + HOUR
    assert state.last_header == one.header_bytes


def test_an_alarm_is_open_once_and_counted(stored: Stored, chain: SignedChain) -> None:
    store = stored.store
    for detail in ("first", "second"):
        store.raise_alarm(AlarmCode.CONTENT, chain.gateway_id, subject="a", detail=detail)
    store.raise_alarm(AlarmCode.CONTENT, chain.gateway_id, subject="b", detail="other")
    store.raise_alarm(AlarmCode.KEY, None, detail="stranger")
    told = [(one.subject, one.detail, one.seen_count) for one in store.alarms(is_open=True)]
    assert told == [("a", "second", 2), ("b", "other", 1), ("", "stranger", 1)]
    store.close_alarm(AlarmCode.CONTENT, chain.gateway_id, subject="a")
    store.raise_alarm(AlarmCode.CONTENT, chain.gateway_id, subject="a", detail="again")
    assert [one.detail for one in store.alarms(is_open=False)] == ["second"]
    assert [one.detail for one in store.alarms(is_open=True)] == ["other", "stranger", "again"]
    (state,) = store.fleet()
    assert {alarm.subject for alarm in state.alarms} == {"a", "b"}
    assert store.counts().open_alarms == 3


def test_gateways_take_turns_however_much_one_of_them_made_due(stored: Stored) -> None:
    one, other = (
        SignedChain(),
        SignedChain(gateway_id=uuid_of(8), key=SigningKey.from_seed(b"o" * 32)),
    )
    for chain in (one, other):
        stored.register(chain)
    stored.take(one, framed(one.batch(rows_at([TEN + hour * HOUR for hour in range(20)]))))
    stored.take(other, framed(other.batch()))
    first = stored.store.dirty_hours(3)
    assert [hour.gateway_id for hour in first] == [one.gateway_id, other.gateway_id, one.gateway_id]
    assert [hour.hour_ns for hour in first] == [TEN, TEN, TEN + HOUR]


def test_a_clock_that_runs_ahead_does_not_hide_that_nothing_comes(
    stored: Stored, chain: SignedChain
) -> None:
    stored.take(chain, framed(chain.batch(rows_at([TEN + 24 * 365 * 100 * HOUR]))))
    (state,) = stored.store.fleet()
    assert state.last_data_ns is not None
    assert state.last_data_ns <= stored.now_ns


def test_alarms_of_one_kind_of_one_gateway_are_bounded_and_counted(
    stored: Stored, chain: SignedChain
) -> None:
    store = stored.store
    for subject in range(40):
        store.raise_alarm(AlarmCode.HOLE, chain.gateway_id, subject=str(subject), detail="x")
    store.raise_alarm(AlarmCode.HOLE, None, subject="elsewhere", detail="x")
    store.raise_alarm(AlarmCode.CLOCK, chain.gateway_id, subject="0", detail="x")
    raised = store.alarms(is_open=True)
    assert len(raised) == 34
    assert sum(alarm.seen_count for alarm in raised) == 42


def test_the_largest_number_of_a_batch_is_a_number_like_any_other(
    stored: Stored, chain: SignedChain
) -> None:
    chain.batch()
    last = chain.forged(chain.batch(), batch_no=2**63 - 1)
    assert len(stored.take(chain, framed(last, LATER)).receipts) == 1
