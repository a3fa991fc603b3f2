"""Every store: who may send, what must be computed, and what was."""

from dataclasses import replace

import pytest

from central_sync.model import DirtyHour, HourlyValue, Part
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.ingest.signed_chain import (
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


def value_of(
    *, channel: int = 1, facility: str = "PLANT", hour_ns: int = TEN, value: str | None = "12.5"
) -> HourlyValue:
    return HourlyValue(
        gateway_id=uuid_of(1),
        facility=facility,
        channel=channel,
        name="NOX",
        parameter="NOx",
        unit_of_measure="ppm",
        hour_ns=hour_ns,
        value=value,
        total=2**70,
        reading_count=3600,
        used_count=3599,
        quadrants=0b1111,
        is_valid=True,
        is_provisional=False,
        is_simulated=True,
        detail="{}",
        input_hash=Hash(b"i" * 32),
        parameter_hash=Hash(b"p" * 32),
        kernel="k1",
        output_hash=Hash(b"o" * 32),
    )


def part_of(hour: DirtyHour, path: str = "a.parquet") -> Part:
    return Part(
        gateway_id=hour.gateway_id,
        hour_ns=hour.hour_ns,
        path=path,
        sha256=Hash(b"s" * 32),
        row_count=2,
        input_hash=Hash(b"i" * 32),
    )


def hour_of(stored: Stored, chain: SignedChain) -> DirtyHour:
    """Store a batch and return the hour it made dirty."""
    stored.take(chain, framed(chain.batch()))
    (hour,) = stored.store.dirty_hours(9)
    return hour


def test_a_gateway_is_known_by_its_key(stored: Stored, chain: SignedChain) -> None:
    found = stored.store.key(chain.gateway_id, KEY.key_id)
    assert found is not None
    assert (found.public_key, found.is_active) == (KEY.public_bytes, True)
    assert stored.store.key(uuid_of(99), KEY.key_id) is None
    assert stored.store.key(chain.gateway_id, bytes(32)) is None
    assert [one.id for one in stored.store.gateways()] == [chain.gateway_id]
    assert stored.store.gateway(chain.gateway_id) == stored.store.gateways()[0]
    assert stored.store.gateway(uuid_of(99)) is None


@pytest.mark.parametrize("gateway_number", [1, 60])
def test_a_taken_id_or_key_is_not_registered_twice(
    stored: Stored, chain: SignedChain, gateway_number: int
) -> None:
    seed = b"n" * 32 if gateway_number == 1 else b"k" * 32
    with pytest.raises(ValueError, match="registered already"):
        stored.store.add_gateway(
            uuid_of(gateway_number),
            facility="X",
            name="x",
            public_key=SigningKey.from_seed(seed).public_bytes,
        )
    assert len(stored.store.gateways()) == 1


def test_a_revoked_gateway_stays_known_but_sends_no_more(
    stored: Stored, chain: SignedChain
) -> None:
    stored.store.revoke_gateway(chain.gateway_id, reason="stolen")
    stored.now_ns += HOUR
    stored.store.revoke_gateway(chain.gateway_id, reason="again")
    found = stored.store.key(chain.gateway_id, KEY.key_id)
    assert found is not None
    assert not found.is_active
    (gateway,) = stored.store.gateways()
    assert gateway.revoked_ns == stored.now_ns - HOUR
    outcome = stored.take(chain, framed(chain.batch()))
    assert outcome.refusal is not None
    assert outcome.refusal.status == 403
    with pytest.raises(KeyError):
        stored.store.revoke_gateway(uuid_of(99), reason="never was")


def test_accepting_makes_the_hours_of_the_rows_dirty(stored: Stored, chain: SignedChain) -> None:
    stored.take(chain, framed(chain.batch(rows_at([TEN + HOUR, TEN + HOUR - 1]))))
    assert {hour.hour_ns for hour in stored.store.dirty_hours(9)} == {TEN, TEN + HOUR}
    assert stored.store.counts().dirty_hours == 2
    assert len(stored.store.dirty_hours(1)) == 1


def test_an_hour_is_settled_with_its_part_and_values(stored: Stored, chain: SignedChain) -> None:
    hour = hour_of(stored, chain)
    assert stored.store.settle_hour(hour, part_of(hour), [value_of(), value_of(channel=2)])
    stored.reopen()
    assert stored.store.dirty_hours(9) == ()
    assert stored.store.part(hour.gateway_id, TEN) == part_of(hour)
    assert stored.store.part(hour.gateway_id, TEN + HOUR) is None
    values = stored.store.hourly(facility=None, channel=None, from_ns=TEN, to_ns=TEN + 1)
    assert [one.value for one in values] == [value_of(), value_of(channel=2)]
    assert [(one.revision, one.computed_ns) for one in values] == [(1, stored.now_ns)] * 2


def test_what_became_dirty_meanwhile_is_not_settled(stored: Stored, chain: SignedChain) -> None:
    hour = hour_of(stored, chain)
    stored.take(chain, framed(chain.batch()))
    assert not stored.store.settle_hour(hour, part_of(hour), [value_of()])
    (again,) = stored.store.dirty_hours(9)
    assert again.generation > hour.generation
    assert stored.store.part(hour.gateway_id, TEN) is None
    assert stored.store.hourly(facility=None, channel=None, from_ns=0, to_ns=TEN + HOUR) == ()


def test_a_slow_worker_cannot_settle_an_hour_that_was_settled_and_became_dirty_again(
    stored: Stored, chain: SignedChain
) -> None:
    seen = hour_of(stored, chain)
    assert stored.store.settle_hour(seen, None, [])
    assert not stored.store.settle_hour(seen, None, [value_of()])
    stored.take(chain, framed(chain.batch()))
    assert not stored.store.settle_hour(seen, None, [value_of()])
    assert len(stored.store.dirty_hours(9)) == 1


def test_asking_for_a_computation_makes_whole_hours_dirty(
    stored: Stored, chain: SignedChain
) -> None:
    stored.store.mark_dirty(chain.gateway_id, TEN + 1, TEN + HOUR + 1)
    assert [hour.hour_ns for hour in stored.store.dirty_hours(9)] == [TEN, TEN + HOUR]


VOID = value_of(value=None)
OTHER_HASH = Hash(b"x" * 32)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(VOID, input_hash=OTHER_HASH), id="input_hash"),
        pytest.param(replace(VOID, parameter_hash=OTHER_HASH), id="parameter_hash"),
        pytest.param(replace(VOID, output_hash=OTHER_HASH), id="output_hash"),
        pytest.param(replace(VOID, kernel="k2"), id="kernel"),
    ],
)
def test_a_new_revision_is_written_exactly_when_a_hash_differs(
    stored: Stored, chain: SignedChain, changed: HourlyValue
) -> None:
    hour = hour_of(stored, chain)
    assert stored.store.settle_hour(hour, None, [value_of()])
    for values in ([value_of(value="9")], [changed], [changed]):
        stored.store.mark_dirty(chain.gateway_id, TEN, TEN + 1)
        (hour,) = stored.store.dirty_hours(9)
        assert stored.store.settle_hour(hour, part_of(hour, "b.parquet"), values)
    revisions = stored.store.revisions(chain.gateway_id, 1, TEN)
    assert [(one.revision, one.value) for one in revisions] == [(1, value_of()), (2, changed)]
    (current,) = stored.store.hourly(facility=None, channel=None, from_ns=TEN, to_ns=TEN + 1)
    assert current == revisions[1]
    part = stored.store.part(chain.gateway_id, TEN)
    assert part is not None
    assert part.path == "b.parquet"


def test_hourly_values_are_found_by_facility_channel_and_time(
    stored: Stored, chain: SignedChain
) -> None:
    hour = hour_of(stored, chain)
    values = [
        value_of(),
        value_of(channel=2, facility="OTHER"),
        value_of(hour_ns=TEN + HOUR),
    ]
    assert stored.store.settle_hour(hour, None, values)

    def found(
        facility: str | None, channel: int | None, to_ns: int = TEN + 2 * HOUR
    ) -> list[HourlyValue]:
        revisions = stored.store.hourly(
            facility=facility, channel=channel, from_ns=TEN, to_ns=to_ns
        )
        return [one.value for one in revisions]

    assert found(None, None) == values
    assert found("OTHER", None) == values[1:2]
    assert found("PLANT", 1) == [values[0], values[2]]
    assert found(None, 1, TEN + HOUR) == values[:1]
    assert found("OTHER", 1) == []
