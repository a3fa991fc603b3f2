"""A profile: what is known about the registers of one model of analyzer, and from which document.

Data only; nothing here names an address, a plant or a person. Word order and addressing may be
`unknown` in a profile and must then be confirmed in the file of the device (`rules`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from edge_agent.config.constraint import Matching, Within, fault, field_faults, refuse
from edge_agent.config.status_words import IntegerKey, Meaning, PrintedAddress, StatusProfile
from edge_agent.config.vocabulary import (
    Addressing,
    ClassWord,
    PhaseWord,
    ReasonWord,
    SourceKind,
    Table,
    Trust,
    WordOrder,
)

__all__ = [
    "ClassWord",
    "Expectation",
    "Meaning",
    "ModbusFacts",
    "PhaseWord",
    "PointProfile",
    "Profile",
    "ReasonWord",
    "Source",
    "SourceKind",
    "StatusProfile",
    "TestVector",
    "Trust",
    "Unreadable",
]

# Modbus Application Protocol V1.1b3 sections 6.3 and 6.4: 125 registers in one answer at most.
LARGEST_READ_REGISTERS = 125

ProfileId = Annotated[
    str,
    # The bundle names a profile by a key of 32 characters made of its id (`bundling`).
    Matching(
        r"(?=.{1,31}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*/[a-z0-9]+(-[a-z0-9]+)*",
        "vendor/model of lower case letters, digits and single '-', at most 31 characters",
    ),
]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document that registers were taken from.

    Attributes:
        kind: manual, open_source, or simulator for an analyzer that we made up.
        document: title, number and edition.
        pages: where in it.
    """

    kind: SourceKind
    document: str
    pages: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Registers that the device refuses to give; the agent never asks for them.

    Attributes:
        table: the table they are in.
        first: first address, counted as in the points.
        last: last address, included.
    """

    table: Table
    first: PrintedAddress
    last: PrintedAddress

    def __post_init__(self) -> None:
        """Refuse a range that falls."""
        refuse(
            *field_faults(self),
            fault("last", "below first", "write first up to last", when=self.last < self.first),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusFacts:
    """How the device speaks Modbus.

    Attributes:
        addressing: how the document counts registers.
        word_order: how the bytes of a value lie in its registers.
        max_registers_per_read: the most that one request may ask for.
        unreadable: registers that the device refuses.
    """

    addressing: Addressing
    word_order: WordOrder
    max_registers_per_read: Annotated[int, Within(1, LARGEST_READ_REGISTERS)] = 125
    unreadable: tuple[Unreadable, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class PointProfile:
    """One value that the device gives.

    Attributes:
        parameter: what is measured, such as NOx.
        unit_of_measure: ppm, pct, scfh, ... of the value after scale and offset.
        table: the table the value is in.
        address: as the document prints it.
        raw_type: how the value is coded.
        scale: value = raw x scale + offset.
        offset: value = raw x scale + offset.
        resolution: the step in which values are judged and calculated.
        low: the least that the analyzer can mean.
        high: the most that the analyzer can mean.
        status: name of the status word that goes with the value.
        page: where the document says so.
    """

    parameter: str
    unit_of_measure: str
    table: Table
    address: PrintedAddress
    raw_type: RawType
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    resolution: Decimal
    low: Decimal | None = None
    high: Decimal | None = None
    status: str | None = None
    page: str

    def __post_init__(self) -> None:
        """Refuse what cannot be read or calculated with."""
        is_bit_table = self.table in (Table.COIL, Table.DISCRETE)
        low, high = self.low, self.high
        refuse(
            *field_faults(self),
            fault(
                "raw_type",
                f"{self.raw_type} does not lie in the table '{self.table}'",
                "coil and discrete hold bool; input and holding hold everything else",
                when=is_bit_table != (self.raw_type == "bool"),
            ),
            fault(
                "resolution",
                f"{self.resolution} is not above 0",
                "write the step of a value",
                when=not self.resolution > 0,
            ),
            fault("scale", "0 makes every value the same", "write it", when=self.scale == 0),
            fault(
                "low",
                f"low {low} is not below high {high}",
                "write low below high",
                when=low is not None and high is not None and not low < high,
            ),
        )


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
    """Registers, and what the decoder of the agent must make of them.

    Attributes:
        name: what it shows.
        addressing: to read it with, where the profile says unknown.
        word_order: to read it with, where the profile says unknown.
        registers: first address as printed -> registers from there, per table.
        expect: point -> what it must give.
    """

    name: str
    addressing: Addressing | None = None
    word_order: WordOrder | None = None
    registers: Mapping[Table, Mapping[IntegerKey, tuple[Annotated[int, Within(0, 65_535)], ...]]]
    expect: Mapping[str, Expectation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One model of analyzer.

    Attributes:
        id: vendor/model; also its file name.
        revision: of this file.
        vendor: who makes the analyzer.
        model: which one.
        protocol: what it speaks.
        trust: how far the profile has been tried.
        provenance: the documents it was made from.
        gaps: what those documents do not say.
        modbus: how it speaks Modbus.
        points: the values it gives.
        status: the status words it gives.
        test_vectors: registers and the values they must give.
    """

    id: ProfileId
    revision: str
    vendor: str
    model: str
    protocol: Annotated[str, Matching("modbus", "modbus")] = "modbus"
    trust: Trust
    provenance: tuple[Source, ...]
    gaps: tuple[str, ...] = ()
    modbus: ModbusFacts
    points: Mapping[PointName, PointProfile]
    status: Mapping[PointName, StatusProfile] = field(default_factory=dict)
    test_vectors: tuple[TestVector, ...] = ()

    @property
    def is_simulator(self) -> bool:
        """Whether the analyzer is one that we made up."""
        return any(source.kind is SourceKind.SIMULATOR for source in self.provenance)
