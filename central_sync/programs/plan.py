"""The plan of a centre: facilities, their clocks, units, and which channel is which system.

Already checked: reading it from a file is somebody else's work. Times are UTC ns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from edge_agent.wire.canonical import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """The channel that says when a unit burns fuel: when its value is above `threshold`."""

    gateway: UUID
    channel: int
    threshold: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A combustion unit of a facility; without an operating channel its operation is assumed."""

    id: str
    operating: Operating | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """From `from_ns` on, a channel is what the monitoring system measures with."""

    gateway: UUID
    channel: int
    from_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitoringSystem:
    """What gives one parameter of one unit; `parameter` is a Part 75 code, see part75."""

    id: str
    unit: str
    parameter: str
    channels: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """A facility and its clock: local standard time is UTC plus `utc_offset_minutes`."""

    id: str
    utc_offset_minutes: int = 0
    units: tuple[Unit, ...] = ()
    systems: tuple[MonitoringSystem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What one channel is in one hour; `system` is None where the plan does not name it.

    A channel without a system belongs to the facility as a whole: its unit is "".
    """

    facility: str
    utc_offset_minutes: int
    unit: Unit
    system: MonitoringSystem | None

    def described(self) -> Mapping[str, JsonValue]:
        """Return all that can change a result, for the parameter hash."""
        operating = self.unit.operating
        return {
            "facility": self.facility,
            "utc_offset_minutes": self.utc_offset_minutes,
            "unit": self.unit.id,
            "operating": None
            if operating is None
            else {
                "gateway": str(operating.gateway),
                "channel": operating.channel,
                "threshold": str(operating.threshold),
            },
            "system": None if self.system is None else self.system.id,
            "parameter": None if self.system is None else self.system.parameter,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All facilities; one that is not named keeps UTC and has one unnamed unit."""

    facilities: tuple[Facility, ...] = ()

    def offset_minutes(self, facility: str) -> int:
        """Return the offset of a facility's local standard time from UTC."""
        return self._facility(facility).utc_offset_minutes

    def role(self, facility: str, *, gateway: UUID, channel: int, at_ns: int) -> Role:
        """Return what a channel of a facility is at a time."""
        place = self._facility(facility)
        system = _system(place, gateway, channel, at_ns)
        wanted = _unit_of_operating(place, gateway, channel) if system is None else system.unit
        unit = next((unit for unit in place.units if unit.id == wanted), Unit(id=""))
        return Role(
            facility=facility,
            utc_offset_minutes=place.utc_offset_minutes,
            unit=unit,
            system=system,
        )

    def _facility(self, name: str) -> Facility:
        return next((place for place in self.facilities if place.id == name), Facility(id=name))


def _system(place: Facility, gateway: UUID, channel: int, at_ns: int) -> MonitoringSystem | None:
    """Return the system whose latest assignment of this channel has begun by `at_ns`."""
    best: tuple[int, MonitoringSystem] | None = None
    for system in place.systems:
        for one in system.channels:
            if (one.gateway, one.channel) != (gateway, channel) or one.from_ns > at_ns:
                continue
            if best is None or one.from_ns > best[0]:
                best = (one.from_ns, system)
    return None if best is None else best[1]


def _unit_of_operating(place: Facility, gateway: UUID, channel: int) -> str:
    """Return the unit whose operating channel this is, or ""."""
    for unit in place.units:
        operating = unit.operating
        if operating is not None and (operating.gateway, operating.channel) == (gateway, channel):
            return unit.id
    return ""
