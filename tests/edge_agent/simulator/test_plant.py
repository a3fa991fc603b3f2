"""The plant is a pure function of seed, scenario and time, and its scenarios are what they say."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis.strategies import integers, sampled_from

from edge_agent.simulator.noise import red, white
from edge_agent.simulator.plant import (
    AIR_O2_PCT,
    DRIFT_PER_S,
    EXCEEDANCE_FACTOR,
    EXCEEDANCE_OPACITY_PCT,
    FACTOR_FC,
    FACTOR_FD,
    HEAT_RATE_MMBTU_PER_MWH,
    MOISTURE_FRACTION,
    NS_PER_S,
    SPAN_GAS,
    Phase,
    Plant,
    Scenario,
)

# 2026-06-01T00:00:00Z, midnight, so that hours of the day are hours since the start
START_NS = 1_780_272_000 * NS_PER_S
GASES = ("NOx", "SO2", "CO", "O2", "CO2")


def plant(scenario: Scenario = Scenario.NORMAL, seed: int = 1) -> Plant:
    """Return a plant that starts at midnight UTC."""
    return Plant(seed=seed, scenario=scenario, started_ns=START_NS)


def at(seconds: float) -> int:
    """Return a time since the start."""
    return START_NS + round(seconds * NS_PER_S)


@given(seconds=integers(0, 10**7), scenario=sampled_from(Scenario))
def test_the_same_question_has_the_same_answer_in_any_order(
    seconds: int, scenario: Scenario
) -> None:
    first = plant(scenario).indicated(at(seconds))
    plant(scenario).indicated(at(seconds + 99))
    assert plant(scenario).indicated(at(seconds)) == first


def test_its_values_are_the_same_on_every_machine() -> None:
    true = plant().truth(at(3600))
    expected = {"NOx": 94.18, "O2": 6.0, "load": 158.51, "operating": 1.0}
    assert {name: round(true[name], 2) for name in expected} == expected


def test_another_seed_is_another_plant() -> None:
    assert plant(seed=1).truth(at(60)) != plant(seed=2).truth(at(60))


@given(seconds=integers(0, 10**7), seed=integers(0, 2**32))
def test_true_values_are_those_of_a_boiler(seconds: int, seed: int) -> None:
    true = plant(seed=seed).truth(at(seconds))
    limits = {
        "load": (100.0, 300.0),
        "O2": (3.0, 9.0),
        "CO2": (9.0, 17.0),
        "NOx": (30.0, 220.0),
        "SO2": (10.0, 90.0),
        "CO": (1.0, 130.0),
        "flow": (10e6, 50e6),
        "temperature": (90.0, 150.0),
        "opacity": (0.5, 9.0),
        "operating": (1.0, 1.0),
    }
    for name, (low, high) in limits.items():
        assert low <= true[name] <= high, name


@given(seconds=integers(0, 10**6))
def test_heat_input_is_the_same_by_oxygen_and_by_carbon_dioxide(seconds: int) -> None:
    # 40 CFR Part 75, Appendix F, section 5.2, with percentages and flow dry
    true = plant().truth(at(seconds))
    dry_scfh = true["flow"] * (1.0 - MOISTURE_FRACTION)
    by_o2 = dry_scfh / FACTOR_FD * (AIR_O2_PCT - true["O2"]) / AIR_O2_PCT
    by_co2 = dry_scfh / FACTOR_FC * true["CO2"] / 100.0
    assert math.isclose(by_o2, by_co2)
    assert math.isclose(by_o2, true["load"] * HEAT_RATE_MMBTU_PER_MWH)


def test_load_follows_the_hour_of_the_day() -> None:
    night, day = (plant().average("load", at(h * 3600), at(h * 3600 + 600)) for h in (3, 15))
    assert night < 180
    assert day > 250


def test_nothing_burns_before_the_start() -> None:
    before = plant().truth(at(-1))
    assert (before["operating"], before["NOx"], before["O2"]) == (0.0, 0.0, AIR_O2_PCT)
    assert plant().truth(at(0))["operating"] == 1.0


def test_readings_scatter_around_the_truth_without_bias() -> None:
    times = [at(second) for second in range(2000)]
    off = [plant().indicated(t).values["NOx"] - plant().truth(t)["NOx"] for t in times]
    assert abs(sum(off) / len(off)) < 0.05
    assert 0.5 < math.sqrt(sum(x * x for x in off) / len(off)) < 0.7


def test_the_average_is_that_of_the_truth_and_coarser_steps_come_close() -> None:
    hour = at(0), at(3600)
    fine = plant().average("NOx", *hour)
    assert math.isclose(fine, plant().average("NOx", *hour, step_s=10), rel_tol=1e-3)


def test_exceedance_begins_after_half_a_minute_and_is_true() -> None:
    for seconds, factor, more in [
        (29.9, 1.0, 0.0),
        (30.0, EXCEEDANCE_FACTOR, EXCEEDANCE_OPACITY_PCT),
    ]:
        usual, high = plant().truth(at(seconds)), plant(Scenario.EXCEEDANCE).truth(at(seconds))
        assert math.isclose(high["NOx"], factor * usual["NOx"])
        assert math.isclose(high["opacity"], usual["opacity"] + more)
        assert high["SO2"] == usual["SO2"]


FAILURES = [
    (29.9, False, False),
    (30.0, True, False),
    (59.9, True, False),
    (60.0, False, False),
    (90.0, False, True),
    (99.9, False, True),
    (100.0, False, False),
    (150.0, True, False),
]


@pytest.mark.parametrize(("seconds", "has_failed", "is_silent"), FAILURES)
def test_failure_recurs_as_described(seconds: float, *, has_failed: bool, is_silent: bool) -> None:
    failing = plant(Scenario.FAILURE)
    said = failing.indicated(at(seconds))
    assert (said.has_failed, failing.is_silent(at(seconds))) == (has_failed, is_silent)
    if has_failed:
        assert (said.values["NOx"], said.values["O2"]) == (0.0, AIR_O2_PCT)
    assert failing.truth(at(seconds)) == plant().truth(at(seconds))


CHECKS = [
    (539.9, Phase.MEASURING),
    (540.0, Phase.ZERO_CHECK),
    (559.9, Phase.ZERO_CHECK),
    (560.0, Phase.SPAN_CHECK),
    (579.9, Phase.SPAN_CHECK),
    (580.0, Phase.MEASURING),
    (1145.0, Phase.ZERO_CHECK),
]


@pytest.mark.parametrize(("seconds", "phase"), CHECKS)
def test_drift_is_found_by_its_checks(seconds: float, phase: Phase) -> None:
    said = plant(Scenario.DRIFT).indicated(at(seconds))
    assert said.phase is phase
    if phase is Phase.ZERO_CHECK:
        assert [said.values[gas] for gas in GASES] == [0.0] * 5
    if phase is Phase.SPAN_CHECK:
        assert math.isclose(said.values["NOx"], SPAN_GAS["NOx"] * (1.0 + DRIFT_PER_S * seconds))
        assert said.values["SO2"] == SPAN_GAS["SO2"]


def test_drift_grows_in_the_analyzer_and_not_in_the_stack() -> None:
    drifting = plant(Scenario.DRIFT)
    read = drifting.indicated(at(36_000)).values["NOx"]
    assert drifting.truth(at(36_000)) == plant().truth(at(36_000))
    assert math.isclose(read / plant().indicated(at(36_000)).values["NOx"], 1.36)


def test_noise_has_the_spread_and_memory_it_claims() -> None:
    values = [red(1, "x", 60.0 * minute) for minute in range(20_000)]
    variance = sum(v * v for v in values) / len(values)
    carried = sum(a * b for a, b in pairwise(values)) / len(values) / variance
    assert 0.9 < variance < 1.1
    assert 0.77 < carried < 0.83
    assert white(1, "x", 0) != white(1, "y", 0)
