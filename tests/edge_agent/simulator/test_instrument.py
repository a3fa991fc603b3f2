"""What the points of a simulated device show, by what they are about; and what has to be said."""

from dataclasses import replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest

from edge_agent.clock import NS_PER_S
from edge_agent.config.device_parts import NotAvailable
from edge_agent.config.library import SHIPPED, Library, LoadedProfile, validated
from edge_agent.config.profile import Profile
from edge_agent.config.vocabulary import Addressing, WordOrder
from edge_agent.simulator.instrument import STEADY_FROM, Instrument, available
from edge_agent.simulator.plant import DRIFT_PER_S, SPAN_GAS, Plant, Scenario
from edge_agent.simulator.registers import Registers
from edge_agent.simulator.shipped import shipped
from edge_agent.simulator.site import Site, meanings, open_questions

STARTED_NS = 1_795_000_000 * NS_PER_S
CASES = Path(__file__).parents[2] / "cases" / "profiles"
OPEN = Site(word_order=WordOrder.ABCD, addressing=Addressing.ZERO_BASED)


def plant(scenario: Scenario = Scenario.NORMAL) -> Plant:
    return Plant(seed=1, scenario=scenario, started_ns=STARTED_NS)


def values(
    profile: str, running: Plant, after_s: float, site: Site | None = None
) -> dict[str, float]:
    """Return what the points of a shipped profile show so long after the start."""
    at_ns = STARTED_NS + round(after_s * NS_PER_S)
    one = Instrument(name="x", plant=running, profile=shipped(profile), site=site or Site())
    return one.values(running.indicated(at_ns), at_ns)


def said(running: Plant, after_s: float) -> dict[str, float]:
    return dict(running.indicated(STARTED_NS + round(after_s * NS_PER_S)).values)


def test_a_measurement_shows_what_the_analyzers_of_the_plant_indicate() -> None:
    shown = values("sick/marsic300", plant(), 40, OPEN)
    assert (shown["so2"], shown["o2"]) == (said(plant(), 40)["SO2"], said(plant(), 40)["O2"])


def test_parts_per_billion_are_a_thousand_times_as_many() -> None:
    shown = values("teledyne-api/t101", plant(), 40)
    assert shown["so2_range1_ppb"] == pytest.approx(1000 * said(plant(), 40)["SO2"])
    # The target has no unit of its own in the profile: it is that of what it is about.
    assert shown["so2_span_target"] == 1000 * SPAN_GAS["SO2"]


def test_what_the_plant_knows_nothing_of_shows_a_number_of_its_own_that_never_changes() -> None:
    shown = values("sick/marsic300", plant(Scenario.FAILURE), 40, OPEN)
    names = list(shown)
    for name in ("h2o", "no", "no2", "nh3", "ch4", "voc"):
        assert shown[name] == STEADY_FROM + names.index(name) + 1
    assert values("sick/marsic300", plant(), 4_000, OPEN)["h2o"] == shown["h2o"]


def test_a_diagnostic_is_none_of_the_stack_even_if_it_is_a_temperature() -> None:
    shown = values("teledyne-api/t300", plant(), 40)
    assert shown["box_temperature_degc"] == STEADY_FROM + 8
    assert (shown["slope_range1"], shown["offset_range1"]) == (1.0, 0.0)


def test_the_span_reading_is_that_of_the_last_span_check() -> None:
    drifting = plant(Scenario.DRIFT)
    readings = [
        values("sick/gm32", drifting, after_s, OPEN)["component.1.span_reading"]
        for after_s in (579, 581, 1_179, 1_181)
    ]
    first, second = (400.0 * (1 + DRIFT_PER_S * after_s) for after_s in (580, 1_180))
    assert readings == pytest.approx([400.0, first, first, second])
    later = values("sick/gm32", drifting, 1_181, OPEN)
    assert later["component.2.span_reading"] == SPAN_GAS["SO2"]
    assert later["component.1.zero_reading"] == 0.0


@pytest.mark.parametrize(
    ("none", "value", "shown"),
    [
        (NotAvailable(values=(Decimal(0),)), 0.04, 0.1),
        (NotAvailable(values=(Decimal(0), Decimal("0.1"))), 0.0, 0.2),
        (NotAvailable(below=Decimal(-5)), -7.0, -5.0),
        (NotAvailable(above=Decimal(5)), 7.0, 5.0),
        (NotAvailable(above=Decimal(5)), 4.0, 4.0),
    ],
)
def test_no_value_is_a_number_that_means_none(
    none: NotAvailable, value: float, shown: float
) -> None:
    point = shipped("emissionwatch/simulated-stack").points["nox_ppm"]
    point = replace(point, not_available=none, resolution=Decimal("0.1"))
    assert available(point, value) == pytest.approx(shown)


def case(name: str) -> Profile:
    (loaded,) = validated([CASES / f"{name}.toml"])
    return loaded.profile


def test_components_that_nobody_assigned_are_the_gases_of_the_plant_in_their_order() -> None:
    found = meanings(shipped("sick/gm32"), Site(parameters={"component.2.value": "HCl"}))
    values_of = [found[f"component.{number}.value"].parameter for number in (1, 2, 3, 4, 5, 6)]
    assert values_of == ["NOx", "HCl", "CO", "O2", "CO2", "NOx"]
    assert found["component.2.span_reading"].parameter == "HCl"
    open_points = meanings(shipped("servomex/servopro-4100"), Site()).values()
    assert [one.parameter for one in open_points] == ["NOx", "SO2", "CO", "O2", "CO2"]


def test_a_device_that_tells_its_gas_has_only_gases_that_it_can_tell() -> None:
    found = meanings(shipped("siemens/siprocess-ga700"), Site())
    assert [one.parameter for one in found.values()] == ["SO2", "CO", "O2", "CO2", "SO2"]
    found = meanings(case("tells-what-it-is"), Site())
    assert [found[f"gas.{n}.value"].parameter for n in (0, 1, 2)] == ["SO2", "O2", "SO2"]
    assert {found[f"gas.{n}.value"].unit_of_measure for n in (0, 1, 2)} == {"ppm"}


def test_of_two_points_in_one_register_the_site_chooses_or_the_first_one_is_served() -> None:
    profile, name = shipped("sick/scu-p100"), "value.2.whole"
    site = Site(word_order=WordOrder.ABCD)
    first = Instrument(name="x", plant=plant(), profile=profile, site=site)
    assert set(Registers(first).served) == {f"value.{number}.real" for number in range(1, 251)}
    chosen = replace(first, site=replace(site, parameters={name: "CO"}))
    served = set(Registers(chosen).served)
    assert (name in served, "value.2.real" in served, "value.3.real" in served) == (
        True,
        False,
        True,
    )


QUESTIONS = [
    ("sick/gm32", Site(), ["--word-order with one of ABCD", "--addressing with one of zero_based"]),
    ("sick/gm32", Site(word_order=WordOrder.CDAB), ["--addressing with one of"]),
    ("sick/gm32", OPEN, []),
    ("suto/s430", Site(word_order=WordOrder.ABCD), ["the word order is CDAB"]),
    ("suto/s430", Site(word_order=WordOrder.CDAB), []),
    ("thermo/42i-tl", Site(addressing=Addressing.MODICON), ["remove --word-order and --addr"]),
    (
        "airoptic/gaseye-cross-duct",
        replace(OPEN, addressing=Addressing.ONE_BASED),
        ["one_based cannot be: the profile's points.process_temperature.address: 0"],
    ),
    (
        "siemens/siprocess-ga700",
        Site(word_order=WordOrder.ABCD, parameters={"component.1.value": "NOx"}),
        ["no code for NOx; there are O2, CO"],
    ),
    (
        "suto/s430",
        Site(parameters={"velocity": "flow", "flaw": "flow"}),
        ["velocity: it is velocity", "no such point. Did you mean 'flow'?"],
    ),
]


@pytest.mark.parametrize(("profile", "site", "words"), QUESTIONS)
def test_what_has_to_be_said_is_asked_for_by_its_flag(
    profile: str, site: Site, words: list[str]
) -> None:
    questions = list(open_questions(shipped(profile), site))
    assert len(questions) == len(words)
    for question, expected in zip(questions, words, strict=True):
        assert expected in question


def test_every_shipped_profile_can_be_served_once_its_questions_are_answered() -> None:
    library = Library(folders=(files(SHIPPED),))
    for profile_id in library.paths:
        loaded = library.load(profile_id)
        assert isinstance(loaded, LoadedProfile)
        questions = [*open_questions(loaded.profile, Site())]
        assert all("Choose how this device has it: --" in question for question in questions)
