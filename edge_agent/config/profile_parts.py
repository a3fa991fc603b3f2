"""What the profiles of every protocol are made of: values, documents and test vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Final

from edge_agent.config.constraint import Fault, Matching, field_faults, refuse
from edge_agent.config.device_parts import NotAvailable
from edge_agent.config.vocabulary import ClassWord, PhaseWord, ReasonWord, Role, SourceKind

PointName = Annotated[
    str, Matching(r"[a-z][a-z0-9_]{0,31}", "up to 32 lower case letters, digits and '_'")
]
RawType = Annotated[
    str,
    Matching(
        r"bool|bit([0-9]|1[0-5])|u?int(16|32|64)|float(32|64)",
        "one of bool, bit0 to bit15, int16, uint16, int32, uint32, int64, uint64, float32, float64",
    ),
]


# Roles that say something about the calibration of another point.
FACTS: Final = frozenset(Role) - {Role.MEASUREMENT, Role.DIAGNOSTIC}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that a profile was made from.

    Attributes:
        kind: manual, open_source, or simulator for an analyzer that we made up.
        document: title, number and edition.
        pages: where in it.
    """

    kind: SourceKind
    document: str
    pages: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PointProfile:
    """One value that the device gives; a protocol adds where it is.

    Attributes:
        parameter: what is measured, such as NOx; left out: the channel says it.
        unit_of_measure: ppm, pct, scfh, ... of the value after scale and offset; left out: the
            channel says it.
        unit_is_selectable: whether people can change the unit at the device, and no register
            tells which it is: a technician has to confirm it then.
        role: what the point is for: a measurement, or a fact about the calibration of one.
        of: name of the point that a calibration fact is about.
        raw_type: how the value is coded.
        scale: value = raw x scale + offset.
        offset: value = raw x scale + offset.
        resolution: the step in which values are judged and calculated.
        low: the least that the analyzer can mean.
        high: the most that the analyzer can mean.
        not_available: numbers that mean that there is none.
        status: name of the status word that goes with the value.
        page: where the document says so.
    """

    parameter: str | None = None
    unit_of_measure: str | None = None
    unit_is_selectable: bool = False
    role: Role = Role.MEASUREMENT
    of: str | None = None
    raw_type: RawType
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    resolution: Decimal
    low: Decimal | None = None
    high: Decimal | None = None
    not_available: NotAvailable | None = None
    status: str | None = None
    page: str

    def __post_init__(self) -> None:
        """Refuse what cannot be read or calculated with."""
        refuse(*field_faults(self), *self.faults())

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with more than one field; a protocol adds its own."""
        low, high = self.low, self.high
        if not self.resolution > 0:
            message = f"{self.resolution} is not above 0"
            yield Fault(key="resolution", message=message, remedy="write the step of a value")
        if self.scale == 0:
            message = "0 makes every value the same"
            yield Fault(key="scale", message=message, remedy="write it")
        if low is not None and high is not None and not low < high:
            message = f"low {low} is not below high {high}"
            yield Fault(key="low", message=message, remedy="write low below high")
        if (self.role in FACTS) != (self.of is not None):
            message = (
                f"role {self.role} is {'about a point' if self.role in FACTS else 'of its own'}"
            )
            remedy = "name the point that it is about" if self.role in FACTS else "remove of"
            yield Fault(key="of", message=message, remedy=remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a point must give in a test vector.

    Attributes:
        value: the value, or left out when there is no number.
        class_: class of NAMUR NE 107.
        phase: what the analyzer is doing.
        reasons: why.
    """

    value: Decimal | None = None
    class_: ClassWord = ClassWord.GOOD
    phase: PhaseWord = PhaseWord.MEASURING
    reasons: tuple[ReasonWord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestVector:
    """What a device says, and what the decoder of the agent must make of it.

    A protocol adds how the device says it.

    Attributes:
        name: what it shows.
        expect: point -> what it must give.
    """

    name: str
    expect: Mapping[str, Expectation]
