"""Every shipped profile is served, and the agent reads from it what the plant indicates.

The profiles are those of the library, and those that were made up to try every key of the format:
a new one is tried by being there. What a status word must
say is taken from the profile's words alone, not from how the simulator chooses among them.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest

from edge_agent.clock import NS_PER_S
from edge_agent.config.library import LoadedProfile
from edge_agent.config.status_words import Meaning, StatusProfile
from edge_agent.config.vocabulary import ClassWord, PhaseWord
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.service import MAX_DEVICES
from edge_agent.wire.vocabulary import Phase, QualityClass, Reason
from tests.edge_agent.simulator.served_profile import (
    CLOCK,
    PROFILES,
    assert_value,
    confirmed,
    device_at,
    read_by_the_agent,
    served_at,
    shown_by,
)

pytestmark = [pytest.mark.asyncio, pytest.mark.filterwarnings("default::DeprecationWarning")]

GOOD: Final = (ClassWord.GOOD, PhaseWord.MEASURING)
# Scenario, seconds since its start, phase of the analyzer, whether it has failed.
MOMENTS: Final = [
    (Scenario.NORMAL, 40, PhaseWord.MEASURING, False),
    (Scenario.EXCEEDANCE, 40, PhaseWord.MEASURING, False),
    (Scenario.FAILURE, 29, PhaseWord.MEASURING, False),
    (Scenario.FAILURE, 40, PhaseWord.MEASURING, True),
    (Scenario.DRIFT, 545, PhaseWord.ZERO_CHECK, False),
    (Scenario.DRIFT, 565, PhaseWord.SPAN_CHECK, False),
    (Scenario.DRIFT, 1_190, PhaseWord.MEASURING, False),
]
# What a protocol says of every value by itself: whether it knows failures, and checks.
BY_ITSELF: Final = {
    "opcua": {PhaseWord.MEASURING: ClassWord.FAILURE},
    "dnp3": {PhaseWord.MEASURING: ClassWord.FAILURE},
    # 500, stale, says that nobody should take the value.
    "sparkplug": dict.fromkeys(PhaseWord, ClassWord.FAILURE),
}


def instruments(loaded: LoadedProfile, plant: Plant) -> Iterator[Instrument]:
    """Yield a device of a profile, and one more for the points that share registers with others."""
    profile, site = loaded.profile, confirmed(loaded.profile)
    first = Instrument(name="stack-1", plant=plant, profile=profile, site=site)
    yield first
    shown = set(shown_by(first))
    if rest := [name for name in first.points if name not in shown]:
        parameters = {name: first.meanings[name].parameter for name in rest}
        yield replace(first, site=replace(site, parameters=parameters))


@pytest.mark.parametrize("loaded", PROFILES, ids=lambda one: one.profile.id)
@pytest.mark.parametrize(
    ("scenario", "after_s", "phase", "has_failed"),
    MOMENTS,
    ids=[f"{scenario}-{after_s}" for scenario, after_s, _, _ in MOMENTS],
)
async def test_the_agent_reads_from_every_profile_what_the_plant_indicates(
    loaded: LoadedProfile, scenario: Scenario, after_s: int, phase: PhaseWord, *, has_failed: bool
) -> None:
    at_ns = CLOCK.now().utc_ns
    plant = Plant(seed=MAX_DEVICES, scenario=scenario, started_ns=at_ns - after_s * NS_PER_S)
    seen: set[str] = set()
    for instrument in instruments(loaded, plant):
        async with served_at(instrument, at_ns) as port:
            read = await read_by_the_agent(device_at(port, instrument, loaded))
        expected = instrument.values(plant.indicated(at_ns), at_ns)
        speakers = speaking(instrument)
        for name, one in read.items():
            assert_value(instrument, name, one, expected[name])
            says_so = instrument.follows(speakers[name])
            said = (phase, has_failed) if says_so else (PhaseWord.MEASURING, False)
            if within_limits(instrument, name, expected[name]):
                assert class_and_phase(one.quality) in sayable(instrument, name, *said), name
        seen |= set(read)
    assert seen == set(loaded.profile.point_names())


def within_limits(instrument: Instrument, name: str, value: float) -> bool:
    """Return whether the judge has nothing to say of a value itself."""
    point = instrument.points[name]
    is_low = point.low is not None and value < point.low
    return not is_low and (point.high is None or value <= point.high)


def class_and_phase(quality: int) -> tuple[ClassWord, PhaseWord]:
    """Return the words of a quality."""
    return ClassWord[QualityClass(quality & 7).name], PhaseWord[Phase(quality >> 4 & 15).name]


def speaking(instrument: Instrument) -> dict[str, list[str]]:
    """Return for every point that is served all those that its status word goes with."""
    groups: dict[tuple[str, str], list[str]] = {}
    of_point = {}
    for name in shown_by(instrument):
        point = instrument.points[name]
        if point.status is None or instrument.profile.protocol in BY_ITSELF:
            of_point[name] = [name]
            continue
        component = name.rpartition(".")[0] if is_of_a_block(instrument, name) else ""
        of_point[name] = groups.setdefault((component, point.status), [])
        of_point[name].append(name)
    return of_point


def is_of_a_block(instrument: Instrument, name: str) -> bool:
    """Return whether every component has a status word like this point's of its own."""
    blocks = getattr(instrument.profile, "blocks", {})
    block = blocks.get(name.partition(".")[0])
    return block is not None and instrument.points[name].status in block.status


def sayable(
    instrument: Instrument,
    name: str,
    phase: PhaseWord,
    has_failed: bool,  # noqa: FBT001
) -> set[tuple[ClassWord, PhaseWord]]:
    """Return the qualities of which one must come out where this is to be said."""
    protocol = instrument.profile.protocol
    if not has_failed and phase is PhaseWord.MEASURING:
        return {GOOD}
    if protocol in BY_ITSELF:
        class_ = BY_ITSELF[protocol].get(phase, ClassWord.GOOD)
        return {(class_, PhaseWord.MEASURING)}
    status = instrument.profile.status_of(name)
    words = [] if status is None else list(meanings(status))
    if has_failed:
        return {pair(w) for w in words if w.class_ is ClassWord.FAILURE} or {GOOD}
    exact = {pair(word) for word in words if word.phase is phase}
    other = {pair(word) for word in words if word.class_ is ClassWord.FUNCTION_CHECK}
    return exact or other - {pair(w) for w in words if w.phase in CHECKS} or {GOOD}


CHECKS: Final = (PhaseWord.ZERO_CHECK, PhaseWord.SPAN_CHECK)


def pair(word: Meaning) -> tuple[ClassWord, PhaseWord]:
    """Return class and phase of a word."""
    return word.class_, word.phase


def meanings(status: StatusProfile) -> Iterator[Meaning]:
    """Yield everything that a status word can say."""
    yield from status.bits.values()
    yield from status.clear_bits.values()
    yield from status.enum.values()


# By hand, from the manuals' words in the profiles: what a failure, a zero and a span check are.
BY_HAND: Final = [
    ("sick/gm32", "component.3.value", Scenario.FAILURE, 40, "failure", "measuring"),
    ("sick/gm32", "component.3.value", Scenario.DRIFT, 545, "function_check", "zero_check"),
    ("sick/gm32", "component.3.value", Scenario.DRIFT, 565, "function_check", "unknown"),
    ("sick/marsic300", "so2", Scenario.DRIFT, 545, "function_check", "zero_check"),
    ("sick/marsic300", "so2", Scenario.DRIFT, 565, "function_check", "span_check"),
    ("sick/scu-p100", "value.250.real", Scenario.DRIFT, 545, "function_check", "unknown"),
    ("sick/scu-p100", "value.250.real", Scenario.FAILURE, 40, "failure", "measuring"),
    ("acoem/serinus-40", "no", Scenario.DRIFT, 565, "function_check", "span_check"),
    ("siemens/siprocess-ga700", "component.5.value", Scenario.FAILURE, 40, "good", "measuring"),
    ("acoem/serinus-44", "nox_or_no2", Scenario.DRIFT, 545, "function_check", "zero_check"),
    ("ametek/3050-slr", "moisture_ppm", Scenario.NORMAL, 40, "good", "measuring"),
    ("saimosen/sms8300", "nox_ppb", Scenario.DRIFT, 565, "function_check", "span_check"),
    ("saimosen/sms8500", "co_ppm", Scenario.DRIFT, 545, "function_check", "zero_check"),
    ("teledyne-api/t400", "o3_range1_ppb", Scenario.NORMAL, 40, "good", "measuring"),
    ("suto/s430", "flow", Scenario.DRIFT, 545, "good", "measuring"),
    ("emissionwatch/simulated-stack", "flow_scfh", Scenario.FAILURE, 40, "good", "measuring"),
]


@pytest.mark.parametrize(("profile", "point", "scenario", "after_s", "class_", "phase"), BY_HAND)
async def test_a_profile_says_what_its_document_has_words_for(
    profile: str, point: str, scenario: Scenario, after_s: int, class_: str, phase: str
) -> None:
    loaded = next(one for one in PROFILES if one.profile.id == profile)
    at_ns = CLOCK.now().utc_ns
    plant = Plant(seed=MAX_DEVICES, scenario=scenario, started_ns=at_ns - after_s * NS_PER_S)
    instrument = next(instruments(loaded, plant))
    async with served_at(instrument, at_ns) as port:
        read = await read_by_the_agent(device_at(port, instrument, loaded))
    assert class_and_phase(read[point].quality) == (class_, phase)
    has_status = loaded.profile.status_of(point) is not None
    assert bool(read[point].quality & Reason.NO_FLAGS) == (not has_status)
