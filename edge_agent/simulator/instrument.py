"""One simulated device of any profile: what its points show at a moment, without a protocol. Pure.

A point shows, by its role and by what it is about (`site`):
  measurement        what the plant's analyzers indicate; a thousand times that where the unit is
                     ppb. Every other unit leaves the number as it is.
  zero_reading, ...  what the last check of the plant's scenario gave, and what it should have.
  slope, offset      1 and 0.
  anything else      a number that never changes: `STEADY_FROM` plus the number of the point in its
                     profile, from 1, so that no two points show the same.
A number by which the device would say that there is none is never shown.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Final, TypeAlias

from edge_agent.config.profile import PointProfile, Profile
from edge_agent.config.vocabulary import Role
from edge_agent.simulator.plant import (
    GASES,
    SPAN_GAS,
    ZERO_GAS,
    Condition,
    Indication,
    Plant,
)
from edge_agent.simulator.site import NUMBERS, PLANT_UNITS, Meaning, Site, meanings

STEADY_FROM: Final = 20
# How many of a unit make one of the plant's unit.
FACTORS: Final[Mapping[str, float]] = {"ppb": 1000.0}
# What is not measured by the gas analyzer: its checks and failures say nothing about them.
OF_THE_STACK: Final = frozenset(PLANT_UNITS) - GASES
WELL: Final = Condition()
Shows: TypeAlias = Callable[[Plant, str, Indication, int], float]
# What points of a role show of a parameter of the plant.
SHOWN: Final[Mapping[Role, Shows]] = {
    Role.MEASUREMENT: lambda _plant, parameter, said, _at: said.values[parameter],
    Role.ZERO_READING: lambda _plant, gas, _said, _at: ZERO_GAS[gas],
    Role.ZERO_REFERENCE: lambda _plant, gas, _said, _at: ZERO_GAS[gas],
    Role.SPAN_READING: lambda plant, gas, _said, at_ns: plant.span_reading(gas, at_ns),
    Role.SPAN_REFERENCE: lambda _plant, gas, _said, _at: SPAN_GAS[gas],
}
# What points of a role show, whatever they are about.
STILL: Final[Mapping[Role, float]] = {Role.SLOPE: 1.0, Role.OFFSET: 0.0}


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """One device.

    Attributes:
        name: of the device.
        plant: what it measures.
        profile: how it shows that.
        site: what the profile leaves open.

    """

    name: str
    plant: Plant
    profile: Profile
    site: Site = field(default_factory=Site)

    @property
    def number(self) -> int:
        """Its number on its line; 0 where its protocol has none."""
        usual, _ = NUMBERS.get(self.profile.protocol, (0, 0))
        return usual if self.site.number is None else self.site.number

    @cached_property
    def meanings(self) -> Mapping[str, Meaning]:
        """What its points are about, by their names."""
        return meanings(self.profile, self.site)

    @cached_property
    def points(self) -> Mapping[str, PointProfile]:
        """Its points, by their names."""
        return {name: point for name in self.meanings if (point := self.profile.point(name))}

    def is_settled_here(self, name: str) -> bool:
        """Return whether a measurement's parameter or unit is said by nobody but this plant."""
        point = self.points[name]
        is_open = point.parameter is None or point.unit_of_measure is None
        return is_open and point.of is None

    def values(
        self, indication: Indication, at_ns: int, of: Iterable[str] | None = None
    ) -> dict[str, float]:
        """Return what points show at a moment, by name; default: all of them.

        Args:
            indication: what the plant's analyzers say at that moment.
            at_ns: the moment, UTC ns.
            of: names of points.

        """
        names = self.points if of is None else of
        return {name: self._showing[name](indication, at_ns) for name in names}

    def follows(self, names: Iterable[str]) -> bool:
        """Return whether a status word of some points speaks of the gas analyzer."""
        return any(
            self.points[name].role is Role.MEASUREMENT
            and self.meanings[name].parameter not in OF_THE_STACK
            for name in names
        )

    def condition(self, name: str, indication: Indication) -> Condition:
        """Return what the status that comes with a point says."""
        return indication.condition if self.follows([name]) else WELL

    @cached_property
    def _showing(self) -> Mapping[str, Callable[[Indication, int], float]]:
        return {
            name: self._shown_by(name, point, number)
            for number, (name, point) in enumerate(self.points.items(), 1)
        }

    def _shown_by(
        self, name: str, point: PointProfile, number: int
    ) -> Callable[[Indication, int], float]:
        """Return what gives the value of a point at a moment."""
        meaning, plant = self.meanings[name], self.plant
        parameter, factor = meaning.parameter, FACTORS.get(meaning.unit_of_measure, 1.0)
        known = PLANT_UNITS if point.of is None else GASES
        shows = SHOWN.get(point.role) if parameter in known else None
        still = STILL.get(point.role, _steady(point, number))

        def shown(indication: Indication, at_ns: int) -> float:
            if shows is None:
                return available(point, still)
            return available(point, shows(plant, parameter, indication, at_ns) * factor)

        return shown


def _steady(point: PointProfile, number: int) -> float:
    """Return what a point shows that the plant knows nothing of, within what it can mean."""
    if point.raw_type.startswith("b"):
        return 1.0
    value = Decimal(STEADY_FROM + number)
    value = value if point.high is None else min(value, point.high)
    return float(value if point.low is None else max(value, point.low))


def unscaled(point: PointProfile, value: float) -> Decimal:
    """Return the number that a device sends for a value."""
    return (Decimal(repr(value)) - point.offset) / point.scale


def available(point: PointProfile, value: float) -> float:
    """Return the value, or the nearest that is a number to who reads the device."""
    none = point.not_available
    if none is None:
        return value
    if none.below is not None and value < none.below:
        value = float(none.below)
    if none.above is not None and value > none.above:
        value = float(none.above)
    steps = round(Decimal(repr(value)) / point.resolution)
    while any(round(one / point.resolution) == steps for one in none.values):
        steps += 1
        value = float(steps * point.resolution)
    return value
