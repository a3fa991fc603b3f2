"""From rows and channel tables to hourly values: against a definition with fractions."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.hourly import MOST_READINGS
from central_sync.programs.channels import UNKNOWN_CELL, Cells
from central_sync.programs.detail import NoValue, parse_detail
from central_sync.programs.hour import hourly_values
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass, Reason
from tests.central_sync.channels import NOX
from tests.central_sync.evaluate.signing_gateway import (
    HOUR,
    SECOND,
    TEN,
    rows,
)
from tests.central_sync.programs.one_hour import (
    BURNING,
    CONFIG,
    FULL,
    OTHER_CONFIG,
    batch,
    bundle,
    plan_of,
    tallied,
    trusted_times,
    values,
)


def test_a_full_hour_has_the_mean_of_its_readings() -> None:
    nox = values(batch(FULL))[1]
    assert (nox.value, nox.total, nox.used_count, nox.quadrants) == ("100.00", 4000, 4, 0b1111)
    assert nox.is_valid
    detail = parse_detail(nox.detail)
    assert (detail.resolution, detail.quantum, detail.no_value) == ("1/10", "0.01", None)
    assert detail.operating_source == "assumed"


def test_a_channel_without_a_reading_is_there_without_a_value() -> None:
    flame = values(batch(FULL))[2]
    assert (flame.value, flame.reading_count, flame.is_valid) == (None, 0, False)
    assert parse_detail(flame.detail).no_value is NoValue.QUADRANT


def test_a_system_is_reported_as_its_code_says() -> None:
    readings = [
        (at, 1, raw) for (at, _, _), raw in zip(FULL, [1000, 1001, 1002, 1003], strict=True)
    ]
    nox = values(batch(readings), plan=plan_of())[1]
    assert nox.value == "100.2"  # 100.15: half away from zero
    detail = parse_detail(nox.detail)
    assert (detail.system, detail.unit, detail.quantum) == ("AA1", "1", "0.1")


def test_a_channel_in_another_unit_of_measure_has_no_valid_value() -> None:
    flow = values(batch(FULL), plan=plan_of("FLOW"))[1]
    assert flow.value is None
    assert parse_detail(flow.detail).no_value is NoValue.UNIT_OF_MEASURE


def test_a_quadrant_without_a_usable_reading_leaves_no_value() -> None:
    bad = batch(FULL[3:], number=2, quality=Reason.JUDGED | QualityClass.FAILURE | NO_VALUE)
    nox = values(batch(FULL[:3]), bad)[1]
    assert (nox.value, nox.reading_count, nox.used_count) == (None, 4, 3)
    assert parse_detail(nox.detail).no_value is NoValue.QUADRANT


@pytest.mark.parametrize(
    ("quality", "is_used"),
    [
        (QualityClass.GOOD, True),
        (QualityClass.MAINTENANCE_REQUEST, True),
        (QualityClass.MAINTENANCE_REQUEST | Reason.AFTER_GAP, True),
        (QualityClass.OUT_OF_SPECIFICATION, False),
        (QualityClass.FUNCTION_CHECK, False),
        (QualityClass.FAILURE, False),
        (6, False),
        (NO_VALUE, False),
        *((phase << 4, phase is Phase.MEASURING) for phase in Phase),
    ],
)
def test_which_readings_are_used(quality: int, is_used: bool) -> None:  # noqa: FBT001 - a table
    nox = values(batch(FULL, quality=quality))[1]
    assert nox.used_count == (4 if is_used else 0)
    assert nox.reading_count == 4


def test_an_integer_that_is_too_large_is_no_reading() -> None:
    wide = replace(NOX, raw_type="int64", word_order="ABCD", scale="1", resolution="1")
    readings = [(at, 1, raw) for (at, _, _), raw in zip(FULL, [5, 1 << 43, 5, 5], strict=True)]
    found = {CONFIG: bundle(wide)}
    assert values(batch(readings), bundles=found)[1].used_count == 4
    readings[1] = (readings[1][0], 1, (1 << 43) + 1)
    assert values(batch(readings), bundles=found)[1].used_count == 3


def test_a_float_that_is_not_a_number_is_not_used() -> None:
    floating = replace(NOX, raw_type="float32", word_order="ABCD", scale="1")
    nan = int(np.array(np.nan, ">f4").view(">u4"))
    readings = [(at, 1, nan) for at, _, _ in FULL]
    assert values(batch(readings), bundles={CONFIG: bundle(floating)})[1].used_count == 0


@pytest.mark.parametrize(
    ("at_ns", "is_in"),
    [(TEN - 1, False), (TEN, True), (TEN + HOUR - 1, True), (TEN + HOUR, False), (-(2**63), False)],
)
def test_the_hour_is_half_open(at_ns: int, is_in: bool) -> None:  # noqa: FBT001 - a table
    found = values(batch([*FULL[1:], (at_ns, 1, 0)]))[1]
    assert found.reading_count == 3 + is_in


def test_nothing_in_the_hour_gives_no_values() -> None:
    assert values(batch([(TEN - 1, 1, 0)])) == {}


def test_rows_of_unknown_channels_and_configurations_are_looked_over() -> None:
    known = batch(FULL)
    strange = batch([(TEN, 9, 5)], number=2)
    later = batch([(TEN, 1, 5)], number=3, config=OTHER_CONFIG)
    found = values(known, strange, later)
    assert found.keys() == {1, 2}
    assert found[1].used_count == 4
    # They are in the hour all the same: the value names them.
    assert found[1].input_hash != values(known)[1].input_hash


def test_a_bundle_without_channels_knows_no_row() -> None:
    cells = Cells({CONFIG: bundle()})
    assert cells.chunk([batch(FULL)]).cell.tolist() == [UNKNOWN_CELL] * 4


def test_two_configurations_of_one_hour_add_exactly() -> None:
    coarse = replace(NOX, scale="1", resolution="0.25")
    bundles = {CONFIG: bundle(NOX), OTHER_CONFIG: bundle(coarse)}
    nox = values(
        batch(FULL[:2]),
        batch([(at, 1, 101) for at, _, _ in FULL[2:]], number=2, config=OTHER_CONFIG),
        bundles=bundles,
    )[1]
    assert (nox.value, nox.used_count) == ("100.50", 4)
    detail = parse_detail(nox.detail)
    assert nox.total * Fraction(detail.resolution) == Fraction(402)
    assert detail.resolution == "1/20"


@pytest.mark.parametrize(
    "changed",
    [
        replace(NOX, unit_of_measure="mg/m3"),
        replace(NOX, parameter="NO"),
        replace(NOX, name="NO2"),
    ],
    ids=["unit", "parameter", "name"],
)
def test_a_channel_whose_meaning_changes_within_the_hour_has_no_value(
    changed: ChannelRow,
) -> None:
    bundles = {CONFIG: bundle(NOX), OTHER_CONFIG: bundle(changed)}
    second = batch(FULL[2:], number=2, config=OTHER_CONFIG)
    nox = values(batch(FULL[:2]), second, bundles=bundles)[1]
    assert nox.value is None
    assert parse_detail(nox.detail).no_value is NoValue.CHANGED


def test_more_readings_than_add_exactly_leave_no_value() -> None:
    hour = tallied(batch(FULL))
    used = hour.minutes.used.copy()
    used[0, 0] = MOST_READINGS
    crowded = replace(hour, minutes=replace(hour.minutes, used=used))
    nox = hourly_values(crowded, is_provisional=False)[0]
    assert parse_detail(nox.detail).no_value is NoValue.TOO_MANY


def test_simulated_data_is_marked_by_bundle_or_by_row() -> None:
    assert not values(batch(FULL))[1].is_simulated
    assert values(batch(FULL, quality=Reason.SIMULATED))[1].is_simulated
    found = values(batch(FULL), bundles={CONFIG: bundle(NOX, simulated=True)})
    assert found[1].is_simulated


def test_readings_under_a_clock_that_was_not_trusted_are_counted() -> None:
    nox = values(batch(FULL[:3]), batch(FULL[3:], number=2, is_clock_trusted=False))[1]
    assert (parse_detail(nox.detail).untrusted, nox.used_count) == (1, 4)


READINGS = st.lists(
    st.tuples(
        st.integers(0, 3599),
        st.integers(1, 2),
        st.integers(0, 65_535),
        st.integers(0, 5),
        st.sampled_from([Phase.MEASURING, Phase.ZERO_CHECK, Phase.PURGE]),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda one: one[:2],
)


@given(readings=READINGS, cut=st.integers(0, 40))
def test_the_value_is_the_rounded_mean_of_its_definition(
    readings: list[tuple[int, int, int, int, Phase]], cut: int
) -> None:
    two = {CONFIG: bundle(NOX, replace(NOX, channel=2, name="SO2"))}
    readings = sorted(readings)
    made = rows([(TEN + second * SECOND, channel, raw) for second, channel, raw, _, _ in readings])
    made["quality"] = [kind | phase << 4 for _, _, _, kind, phase in readings]
    pieces = [part for part in (made[:cut], made[cut:]) if len(part)]
    found = values(
        *(
            replace(batch(FULL, number=index), rows=part, times=trusted_times(part))
            for index, part in enumerate(pieces)
        ),
        bundles=two,
    )
    with_data = {second // 60 for second, *_ in readings}
    for channel in (1, 2):
        used = [
            (second, Fraction(raw, 10))
            for second, number, raw, kind, phase in readings
            if number == channel and kind <= 1 and phase is Phase.MEASURING
        ]
        value = found[channel]
        assert value.used_count == len(used)
        assert value.total == sum((raw for _, raw in used), start=Fraction(0)) * 10
        quadrants = {minute // 15 for minute in with_data}
        checked = any(
            number == channel and phase is Phase.ZERO_CHECK for _, number, _, _, phase in readings
        )
        seconds = [second for second, _ in used]
        is_valid = quadrants <= {second // 900 for second in seconds} or (
            checked and bool(seconds) and max(seconds) - min(seconds) >= 900
        )
        assert value.is_valid == is_valid
        if is_valid:
            mean = sum((raw for _, raw in used), start=Fraction(0)) / len(used)
            assert abs(Fraction(value.value or "") - mean) * 2 <= Fraction(1, 100)


def test_the_parameter_hash_changes_with_the_plan_and_the_configuration() -> None:
    plain = values(batch(FULL))[1]
    planned = values(batch(FULL), plan=plan_of())[1]
    burning = values(batch(FULL), plan=plan_of(unit=BURNING))[1]
    other = values(batch(FULL, config=OTHER_CONFIG), bundles={OTHER_CONFIG: bundle(NOX)})[1]
    assert len({one.parameter_hash for one in (plain, planned, burning, other)}) == 4
    assert len({one.input_hash for one in (plain, planned, burning, other)}) == 1


def test_detail_is_kept_as_text_and_read_back() -> None:
    detail = parse_detail(values(batch(FULL))[1].detail)
    assert parse_detail(detail.text) == detail
    assert json.loads(detail.text)["used"] == [1, 1, 1, 1]
