"""What the plan says of a channel, and how stored batches come into a calculation."""

from dataclasses import replace
from pathlib import Path

import pytest

from central_sync.programs.opening import opened
from central_sync.programs.plan import Facility, Plan, Unit
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    HOUR,
    TEN,
    Centre,
    SigningGateway,
    rows,
)


def test_a_facility_that_is_not_planned_keeps_utc_and_has_one_unnamed_unit() -> None:
    plan = Plan(facilities=(Facility(id="OTHER", utc_offset_minutes=-300, units=(Unit(id="1"),)),))
    assert plan.offset_minutes("OTHER") == -300
    assert plan.offset_minutes("PLANT") == 0
    role = plan.role("PLANT", gateway=GATEWAY, channel=1, at_ns=TEN)
    assert (role.facility, role.unit, role.system) == ("PLANT", Unit(id=""), None)


@pytest.mark.parametrize(("clock_error_ms", "is_trusted"), [(5, True), (UNKNOWN_ERROR_MS, False)])
def test_a_stored_batch_opens_to_the_rows_that_were_signed(
    tmp_path: Path, clock_error_ms: int, *, is_trusted: bool
) -> None:
    centre, gateway = Centre(tmp_path), SigningGateway(clock_error_ms=clock_error_ms)
    centre.register(gateway)
    signed = rows([(TEN, 1, 5)])
    batch = gateway.batch(signed, wall_ns=TEN)
    centre.take(batch)
    (stored,) = centre.store.batches_touching(GATEWAY, TEN, TEN + HOUR)
    found = opened(stored, centre.store.around)
    assert found.rows.tobytes() == signed.tobytes()
    assert (found.batch_hash, found.first_seq) == (batch.batch_hash, 0)
    assert found.is_clock_trusted == is_trusted
    damaged = replace(stored, body=stored.body[:-1] + bytes([stored.body[-1] ^ 1]))
    with pytest.raises(RefusedError):
        opened(damaged, centre.store.around)
    centre.close()
