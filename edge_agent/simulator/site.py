"""What the site of a simulated analyzer settles, where its profile leaves it open. Pure.

A profile does not know what the third component of an analyzer measures, nor how a device counts
registers if its document does not say. Whoever starts the simulator says so, or it is invented
here: the parameters that nobody names are those of the plant, in the order of `GAS_ORDER`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.profile import PointProfile, Profile
from edge_agent.config.protocols.modbus_parts import ModbusPoint
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.config.structure import did_you_mean
from edge_agent.config.vocabulary import Addressing, Checked, WordOrder

GAS_ORDER: Final = ("NOx", "SO2", "CO", "O2", "CO2")
# The units of measure of the plant (`Plant.truth`).
PLANT_UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "NOx": "ppm",
        "SO2": "ppm",
        "CO": "ppm",
        "O2": "pct",
        "CO2": "pct",
        "flow": "scfh",
        "temperature": "degC",
        "opacity": "pct",
        "load": "MW",
        "operating": "",
    }
)
NO_UNIT: Final = "1"
# By protocol the number of a device on its line, where nobody says another, and the highest.
NUMBERS: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {"modbus": (1, 255), "bayern_hessen": (1, 999), "dnp3": (10, 65_519)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What somebody says of a device.

    Attributes:
        word_order: how the bytes of a value lie in its registers, where the profile says unknown.
        addressing: how its document counts registers, where the profile says unknown.
        number: of the device on its line: Modbus unit, Bayern-Hessen or DNP3 address; None: that
            of `NUMBERS`.
        parameters: point -> what it measures, where the profile leaves it to the site.
        units: point -> its unit of measure, where the profile leaves it to the site.
        like: the file of the device that is to be simulated, if it was made from one; where a
            device publishes, and its gas ids, are said nowhere else.

    """

    word_order: WordOrder | None = None
    addressing: Addressing | None = None
    number: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    like: DeviceSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a point of a simulated device is about.

    Attributes:
        parameter: what it measures.
        unit_of_measure: of its values.

    """

    parameter: str
    unit_of_measure: str


def open_questions(profile: Profile, site: Site) -> Iterator[str]:
    """Yield what has to be said before a device of the profile can be simulated, and by which flag.

    Also what was said although the profile knows it.
    """
    if isinstance(profile, ModbusProfile):
        facts = profile.modbus
        for flag, known, said, unknown in (
            ("--word-order", facts.word_order, site.word_order, WordOrder.UNKNOWN),
            ("--addressing", facts.addressing, site.addressing, Addressing.UNKNOWN),
        ):
            words = ", ".join(word for word in type(unknown) if word != unknown)
            what = flag.removeprefix("--").replace("-", " ")
            if known is unknown and said in (None, unknown):
                yield (
                    f"{profile.id}: its documents do not say the {what}. "
                    f"Choose how this device has it: {flag} with one of {words}"
                )
            elif known is not unknown and said not in (None, known):
                yield f"{profile.id}: the {what} is {known}, its documents say so. Remove {flag}"
        yield from _impossible(profile, site)
    elif (site.word_order, site.addressing) != (None, None):
        yield f"{profile.id} speaks {profile.protocol}: remove --word-order and --addressing"
    _, highest = NUMBERS.get(profile.protocol, (0, -1))
    if site.number is not None and not 0 <= site.number <= highest:
        remedy = f"Write 0 to {highest}" if highest > 0 else "Remove it"
        what = f"no number of a device that speaks {profile.protocol}"
        yield f"--unit-id {site.number}: {what}. {remedy}"
    for name, parameter in site.parameters.items():
        yield from _cannot_mean(profile, name, parameter)


def _impossible(profile: ModbusProfile, site: Site) -> Iterator[str]:
    """Yield why the addressing that was said cannot be that of the profile."""
    if site.addressing in (None, Addressing.UNKNOWN):
        return
    channel = ChannelSettings(number=1, point=profile.point_names()[0], name="any")
    settings = DeviceSettings(
        name="simulated",
        profile=profile.id,
        endpoint=profile.NOWHERE,
        addressing=site.addressing,
        channels=(channel,),
    )
    for misfit in profile.device_misfits(settings):
        if misfit.path == ("addressing",) and profile.modbus.addressing is Addressing.UNKNOWN:
            yield f"--addressing: {misfit.message}. Choose another one"


def _cannot_mean(profile: Profile, name: str, parameter: str) -> Iterator[str]:
    point = profile.point(name)
    if point is None:
        remedy = did_you_mean(name, profile.point_names())
        yield f"--assign {name}: {profile.id} has no such point. {remedy}"
        return
    if point.parameter not in (None, parameter):
        yield f"--assign {name}: it is {point.parameter}, {profile.id} says so"
    codes = _codes(point, Checked.PARAMETER)
    if codes and parameter not in codes:
        known = ", ".join(codes)
        yield f"--assign {name}: the device has no code for {parameter}; there are {known}"


def meanings(profile: Profile, site: Site) -> dict[str, Meaning]:
    """Return what every point of a device is about, by its name.

    A calibration fact is about what the point is that it belongs to.
    """
    found: dict[str, Meaning] = {}
    points = {name: point for name in profile.point_names() if (point := profile.point(name))}
    open_count = 0
    for name, point in points.items():
        if point.of is not None:
            continue
        parameter = site.parameters.get(name) or point.parameter
        if parameter is None:
            parameter = _invented(profile, point, name, open_count)
            open_count += 1
        unit = _unit(point, parameter, site.units.get(name))
        found[name] = Meaning(parameter=parameter, unit_of_measure=unit)
    for name, point in points.items():
        if point.of is not None:
            owner = found[beside(name, point.of)]
            unit_of_measure = site.units.get(name) or point.unit_of_measure or owner.unit_of_measure
            found[name] = replace(owner, unit_of_measure=unit_of_measure)
    return {name: found[name] for name in points}


def beside(name: str, other: str) -> str:
    """Return the full name of a point of the same component, or of the same device."""
    return name.rpartition(".")[0] + "." * ("." in name) + other


def _invented(profile: Profile, point: PointProfile, name: str, open_count: int) -> str:
    """Return the plant's parameter of the same number: of the component, or of the open points."""
    index = open_count
    block, _, inner = name.partition(".")
    if inner and isinstance(profile, ModbusProfile):
        index = int(inner.partition(".")[0]) - profile.blocks[block].first
    codes = _codes(point, Checked.PARAMETER)
    order = [gas for gas in GAS_ORDER if gas in codes] or codes if codes else GAS_ORDER
    return order[index % len(order)]


def _unit(point: PointProfile, parameter: str, said: str | None) -> str:
    known = said or point.unit_of_measure
    if known is not None:
        return known
    of_plant, codes = PLANT_UNITS.get(parameter, NO_UNIT), _codes(point, Checked.UNIT_OF_MEASURE)
    return of_plant if of_plant in codes or not codes else codes[0]


def _codes(point: PointProfile, of: Checked) -> list[str]:
    """Return the words that a device has a code for; empty where no register says such a thing."""
    if not isinstance(point, ModbusPoint):
        return []
    return [
        word for check in point.checks.values() if check.of is of for word in check.codes.values()
    ]
