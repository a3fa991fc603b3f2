"""Hours of readings that a wrong clock stamped, before and after the truth is known."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from central_sync.explain import Explainer
from central_sync.model import HourlyRevision
from central_sync.programs.detail import Detail, NoValue, parse_detail
from central_sync.programs.plan import Plan
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.readings import ROW
from tests.central_sync.evaluate.late_clock import Boot, LateGateway, fresh
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    HOUR,
    MINUTE,
    SECOND,
    TEN,
    Centre,
)

NOTHING = np.zeros(0, ROW)
DAY = 24 * HOUR
LATER = FrameFlag.BEFORE_FOLLOWS_LATER


@pytest.fixture
def gateway() -> LateGateway:
    return fresh()


@pytest.fixture
def centre(tmp_path: Path, gateway: LateGateway) -> Iterator[Centre]:
    made = Centre(tmp_path, now_ns=TEN + 2 * HOUR)
    made.register(gateway)
    yield made
    made.close()


def hour_of(gateway: LateGateway) -> list[int]:
    """Return the true times of a reading a minute from ten to eleven, the boot at ten."""
    return [TEN + minute * MINUTE + SECOND for minute in range(60)]


def computed(centre: Centre) -> None:
    while centre.store.retime(1):
        continue
    centre.compute()


def at(centre: Centre, hour_ns: int) -> HourlyRevision | None:
    found = centre.store.hourly(facility=None, channel=1, from_ns=hour_ns, to_ns=hour_ns + HOUR)
    return found[0] if found else None


def detail_at(centre: Centre, hour_ns: int) -> Detail:
    found = at(centre, hour_ns)
    assert found is not None
    return parse_detail(found.value.detail)


def explained(centre: Centre, hour_ns: int) -> dict[str, bool]:
    found = at(centre, hour_ns)
    assert found is not None
    explainer = Explainer(store=centre.store, plan=Plan(), receipt_key=centre.receipt_key)
    return {step.title: step.is_passed for step in explainer.explain(found).steps}


def test_readings_of_1970_come_to_their_hour_when_the_clock_is_set(
    centre: Centre, gateway: LateGateway
) -> None:
    centre.take(gateway.sealed(gateway.scans(hour_of(gateway)), TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    computed(centre)
    before = at(centre, 0)
    assert before is not None
    assert (before.value.used_count, at(centre, TEN)) == (60, None)
    step = gateway.set_clock(TEN + HOUR + MINUTE, wrong_ns=0, error_ms=5)
    centre.take(gateway.sealed(NOTHING, TEN + HOUR + MINUTE, step))
    computed(centre)
    found = at(centre, TEN)
    assert found is not None
    assert (found.value.value, found.value.used_count) == ("100.00", 60)
    detail = parse_detail(found.value.detail)
    assert (detail.untrusted, detail.corrected, detail.time_uncertain) == (60, 60, False)
    withdrawn = at(centre, 0)
    assert withdrawn is not None
    assert (withdrawn.value.value, withdrawn.value.reading_count) == (None, 0)
    assert detail_at(centre, 0).no_value is NoValue.MOVED
    assert withdrawn.revision == 2
    assert centre.store.dirty_hours(10) == ()


def test_a_corrected_value_is_followed_back_to_signed_bytes(
    centre: Centre, gateway: LateGateway
) -> None:
    centre.take(gateway.sealed(gateway.scans(hour_of(gateway)), TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    computed(centre)
    assert all(explained(centre, 0).values())
    step = gateway.set_clock(TEN + HOUR + MINUTE, wrong_ns=0, error_ms=5)
    centre.clock.now_ns += SECOND
    centre.take(gateway.sealed(NOTHING, TEN + HOUR + MINUTE, step))
    computed(centre)
    assert all(explained(centre, TEN).values())
    assert all(explained(centre, 0).values())
    found = at(centre, TEN)
    assert found is not None
    explainer = Explainer(store=centre.store, plan=Plan(), receipt_key=centre.receipt_key)
    assert [one.batch_no for one in explainer.explain(found).batches] == [0, 1]
    # What comes later changes nothing of what was computed.
    centre.clock.now_ns += MINUTE
    centre.take(gateway.sealed(gateway.scans([TEN + 2 * HOUR]), TEN + 2 * HOUR))
    assert all(explained(centre, TEN).values())


def test_what_was_signed_is_in_the_part_beside_when_it_counts(
    centre: Centre, gateway: LateGateway
) -> None:
    signed = gateway.scans(hour_of(gateway))
    step = gateway.set_clock(TEN + HOUR, wrong_ns=0, error_ms=5)
    centre.take(gateway.sealed(signed, TEN + HOUR, step))
    centre.take_bundle(gateway.bundle)
    computed(centre)
    part = centre.store.part(GATEWAY, TEN)
    assert part is not None
    table = pq.read_table(centre.settings.parts / part.path).to_pydict()
    assert table["at"] == signed["at"].tolist()
    assert table["time"] == hour_of(gateway)
    assert detail_at(centre, TEN).corrected == 60


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_the_order_of_arrival_does_not_show(
    centre: Centre, gateway: LateGateway, order: tuple[int, ...]
) -> None:
    minutes = hour_of(gateway)
    batches = [
        gateway.sealed(gateway.scans(minutes[:30]), TEN + 30 * MINUTE),
        gateway.sealed(gateway.scans(minutes[30:]), TEN + HOUR),
    ]
    step = gateway.set_clock(TEN + HOUR + MINUTE, wrong_ns=0, error_ms=5)
    batches.append(gateway.sealed(NOTHING, TEN + HOUR + MINUTE, step))
    for index in order:
        centre.take(batches[index], flags=LATER)
        computed(centre)
    centre.take_bundle(gateway.bundle)
    computed(centre)
    found = at(centre, TEN)
    assert found is not None
    assert found.value.used_count == 60
    assert all(explained(centre, TEN).values())


def test_power_lost_before_time_arrived_makes_the_hours_between_uncertain(
    centre: Centre, gateway: LateGateway
) -> None:
    gateway.boot = Boot(number=1, began_ns=TEN - DAY, wrong_ns=0, error_ms=5)
    first = [TEN + 30 * MINUTE + second * SECOND for second in range(60)]
    centre.take(gateway.sealed(gateway.scans(first), TEN + 40 * MINUTE))
    centre.take_bundle(gateway.bundle)
    gateway.boot = Boot(number=2, began_ns=TEN + 50 * MINUTE, wrong_ns=-TEN)
    between = [TEN + 55 * MINUTE + second * SECOND for second in range(60)]
    centre.take(gateway.sealed(gateway.scans(between), TEN + 58 * MINUTE))
    gateway.boot = Boot(number=3, began_ns=TEN + 80 * MINUTE, wrong_ns=0, error_ms=5)
    third = [TEN + 90 * MINUTE + second * SECOND for second in range(60)]
    centre.take(gateway.sealed(gateway.scans(third), TEN + 95 * MINUTE))
    computed(centre)
    for hour_ns in (TEN, TEN + HOUR):
        assert detail_at(centre, hour_ns).time_uncertain
        assert all(explained(centre, hour_ns).values())
    total = sum(
        found.value.reading_count for hour in (TEN, TEN + HOUR) if (found := at(centre, hour))
    )
    assert total == 180


def test_a_stretch_that_cannot_leave_its_hour_is_not_uncertain(
    centre: Centre, gateway: LateGateway
) -> None:
    gateway.boot = Boot(number=1, began_ns=TEN - DAY, wrong_ns=0, error_ms=5)
    centre.take(gateway.sealed(gateway.scans([TEN + MINUTE]), TEN + 2 * MINUTE))
    centre.take_bundle(gateway.bundle)
    gateway.boot = Boot(number=2, began_ns=TEN + 3 * MINUTE, wrong_ns=-TEN)
    centre.take(gateway.sealed(gateway.scans([TEN + 4 * MINUTE]), TEN + 5 * MINUTE))
    gateway.boot = Boot(number=3, began_ns=TEN + 6 * MINUTE, wrong_ns=0, error_ms=5)
    centre.take(gateway.sealed(gateway.scans([TEN + 7 * MINUTE]), TEN + HOUR))
    computed(centre)
    detail = detail_at(centre, TEN)
    assert (detail.corrected, detail.time_uncertain) == (1, False)


def test_a_device_that_brings_its_own_time_keeps_it(centre: Centre, gateway: LateGateway) -> None:
    gateway.boot = Boot(number=1, began_ns=TEN - DAY, wrong_ns=0, error_ms=5)
    rows = gateway.scans([TEN + MINUTE])
    rows["at"] -= 17 * SECOND
    centre.take(gateway.sealed(rows, TEN + 2 * MINUTE))
    centre.take_bundle(gateway.bundle)
    computed(centre)
    assert detail_at(centre, TEN).corrected == 0
