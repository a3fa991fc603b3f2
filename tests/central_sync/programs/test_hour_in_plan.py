"""Operating channels, clocks, systems and dates of the plan, as an hour is computed with them."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from central_sync.programs.detail import NoValue, parse_detail
from central_sync.programs.plan import Operating, Plan, Unit
from edge_agent.wire.vocabulary import QualityClass
from tests.central_sync.channels import FLAME, NOX
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    MINUTE,
    SECOND,
    TEN,
)
from tests.central_sync.programs.one_hour import (
    BURNING,
    CONFIG,
    FULL,
    batch,
    bundle,
    plan_of,
    values,
)


def test_the_operating_channel_says_when_fuel_burns() -> None:
    flame = [(TEN + 37 * MINUTE, 2, 1), (TEN, 2, 0)]
    readings = sorted([*FULL, *flame])
    nox = values(batch(readings), plan=plan_of(unit=BURNING))[1]
    detail = parse_detail(nox.detail)
    assert detail.operating_source == "channel"
    assert list(detail.operating_minutes) == [0, 0, 8, 15]
    # The third quadrant has a reading at minute 30 only, when nothing burned yet.
    assert (nox.value, list(detail.used)) == (None, [0, 0, 0, 1])


def test_a_load_above_its_threshold_means_operating() -> None:
    load = replace(FLAME, raw_type="uint16", word_order="ABCD", scale="0.1", resolution="0.1")
    unit = Unit(id="1", operating=Operating(gateway=GATEWAY, channel=2, threshold=Decimal("5.05")))
    bundles, plan = {CONFIG: bundle(NOX, load)}, plan_of(unit=unit)
    low = values(batch(sorted([*FULL, (TEN, 2, 50)])), bundles=bundles, plan=plan)[1]
    high = values(batch(sorted([*FULL, (TEN, 2, 51)])), bundles=bundles, plan=plan)[1]
    assert parse_detail(low.detail).no_value is NoValue.NOT_OPERATING
    assert high.value == "100.0"


def test_a_limit_beyond_all_integers_is_never_passed() -> None:
    unit = Unit(id="1", operating=Operating(gateway=GATEWAY, channel=2, threshold=Decimal("1E+30")))
    found = values(batch(sorted([*FULL, (TEN, 2, 1)])), plan=plan_of(unit=unit))[1]
    assert parse_detail(found.detail).no_value is NoValue.NOT_OPERATING


def test_a_silent_operating_channel_leaves_the_hour_assumed() -> None:
    broken = batch([(TEN, 2, 1)], number=2, quality=QualityClass.FAILURE)
    nox = values(batch(FULL), broken, plan=plan_of(unit=BURNING))[1]
    assert parse_detail(nox.detail).operating_source == "assumed"
    assert nox.value == "100.0"


def test_the_operating_channel_of_another_gateway_is_silent_here() -> None:
    unit = Unit(id="1", operating=Operating(gateway=UUID(int=5), channel=2))
    nox = values(batch(sorted([*FULL, (TEN, 2, 0)])), plan=plan_of(unit=unit))[1]
    assert parse_detail(nox.detail).operating_source == "assumed"


@pytest.mark.parametrize(("first_seq", "minutes"), [(0, [0, 0, 8, 15]), (7, [15, 15, 15, 15])])
def test_minutes_before_the_line_begins_are_not_operating(
    first_seq: int, minutes: list[int]
) -> None:
    began = TEN + 37 * MINUTE
    readings = [(began, 1, 1000), (began + SECOND, 2, 1), (began + 10 * MINUTE, 1, 1000)]
    nox = values(batch(readings, first_seq=first_seq), plan=plan_of(unit=BURNING))[1]
    assert list(parse_detail(nox.detail).operating_minutes) == minutes
    assert nox.is_valid == (first_seq == 0)


def test_a_provisional_hour_is_known_up_to_its_newest_row() -> None:
    readings = [(TEN + 14 * MINUTE, 1, 1000), (TEN + 14 * MINUTE + SECOND, 2, 1)]
    plan = plan_of(unit=BURNING)
    running = values(batch(readings), plan=plan, is_provisional=True)[1]
    over = values(batch(readings), plan=plan)[1]
    assert (running.value, running.is_provisional) == ("100.0", True)
    assert (over.value, over.is_provisional) == (None, False)
    assert list(parse_detail(running.detail).operating_minutes) == [15, 0, 0, 0]


def test_a_facility_whose_clock_is_half_an_hour_off_has_other_hours() -> None:
    plan = plan_of(offset_minutes=330)
    assert values(batch(FULL), plan=plan) == {}
    start = TEN + 30 * MINUTE
    found = values(
        batch([(at + 30 * MINUTE, 1, 5) for at, _, _ in FULL]), plan=plan, start_ns=start
    )
    assert found[1].hour_ns == start
    assert found[1].is_valid


def test_a_system_begins_with_its_date() -> None:
    later = replace(plan_of().facilities[0].systems[0].channels[0], from_ns=TEN + 1)
    system = replace(plan_of().facilities[0].systems[0], channels=(later,))
    plan = Plan(facilities=(replace(plan_of().facilities[0], systems=(system,)),))
    assert parse_detail(values(batch(FULL), plan=plan)[1].detail).system == ""


def test_the_latest_assignment_that_has_begun_counts() -> None:
    place = plan_of().facilities[0]
    assignments = [replace(place.systems[0].channels[0], from_ns=at) for at in (0, TEN, TEN - 1)]
    systems = tuple(
        replace(place.systems[0], id=f"AA{index}", channels=(one,))
        for index, one in enumerate(assignments)
    )
    plan = Plan(facilities=(replace(place, systems=systems),))
    assert parse_detail(values(batch(FULL), plan=plan)[1].detail).system == "AA1"
