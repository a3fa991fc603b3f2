"""A profile: what is known about one model of analyzer, and from which document.

What every protocol shares; each has a profile of its own kind in `edge_agent.config.protocols`.
Data only; nothing here names an address, a plant or a person. What a document leaves open is
`unknown` in a profile and must then be confirmed in the file of the device.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, ClassVar

from edge_agent.config.constraint import Fault, Matching, field_faults, refuse
from edge_agent.config.endpoint import SERIAL, Scheme, SerialLine
from edge_agent.config.model import ChannelSettings, DeviceSettings
from edge_agent.config.place import IdentityCheck, Speech, Spot
from edge_agent.config.status_words import StatusProfile
from edge_agent.config.structure import Misfit
from edge_agent.config.vocabulary import (
    ClassWord,
    PhaseWord,
    ReasonWord,
    SourceKind,
    Trust,
)

__all__ = [
    "Expectation",
    "PointName",
    "PointProfile",
    "Profile",
    "RawType",
    "Source",
    "StatusProfile",
    "TestVector",
]

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
        parameter: what is measured, such as NOx.
        unit_of_measure: ppm, pct, scfh, ... of the value after scale and offset.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(ABC):
    """One model of analyzer.

    Each protocol derives its own kind, adds a table of facts named like itself, and narrows the
    types of `points`, `status` and `test_vectors`.

    Attributes:
        id: vendor/model; also its file name.
        revision: of this file.
        vendor: who makes the analyzer.
        model: which one.
        protocol: what it speaks.
        trust: how far the profile has been tried.
        provenance: the documents it was made from.
        gaps: what those documents do not say.
        serial: how octets go over its serial line, where the device cannot be set otherwise.
        points: the values it gives.
        status: the status words it gives.
        test_vectors: what it says, and the values that this must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]]
    # The keys of a device's file that are for this protocol; those of others are refused.
    OWN_KEYS: ClassVar[frozenset[str]]
    # Keys that devices with one endpoint must agree on, because their connection depends on them.
    SHARED_KEYS: ClassVar[frozenset[str]] = frozenset({SERIAL})
    # An endpoint that nobody is at, for test vectors.
    NOWHERE: ClassVar[str]

    id: ProfileId
    revision: str
    vendor: str
    model: str
    protocol: str
    trust: Trust
    provenance: tuple[Source, ...]
    gaps: tuple[str, ...] = ()
    serial: SerialLine | None = None
    points: Mapping[PointName, PointProfile]
    status: Mapping[PointName, StatusProfile] = field(default_factory=dict)
    test_vectors: tuple[TestVector, ...] = ()

    @property
    def is_simulator(self) -> bool:
        """Whether the analyzer is one that we made up."""
        return any(source.kind is SourceKind.SIMULATOR for source in self.provenance)

    def point(self, name: str) -> PointProfile | None:
        """Return a point by the name that channels know it by."""
        return self.points.get(name)

    def point_names(self) -> tuple[str, ...]:
        """Return the names of all points that a channel can be of."""
        return tuple(self.points)

    def status_of(self, name: str) -> StatusProfile | None:
        """Return the status word that goes with a point, None if it has none."""
        point = self.point(name)
        return None if point is None or point.status is None else self.status[point.status]

    @abstractmethod
    def misfits(self) -> Iterator[Misfit]:
        """Yield what the protocol finds that does not agree within the profile."""

    @abstractmethod
    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield what the protocol finds that keeps a device of this profile from running."""

    @abstractmethod
    def speech(self, settings: DeviceSettings) -> Speech:
        """Return how a device is spoken to; its settings have no misfits."""

    @abstractmethod
    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return where a point of a device is; its settings have no misfits."""

    def identity(self, settings: DeviceSettings) -> tuple[IdentityCheck, ...]:
        """Return what a device must say of itself before its readings are taken."""
        del settings
        return ()

    def trial_settings(
        self, vector: TestVector, channels: Sequence[ChannelSettings]
    ) -> DeviceSettings:
        """Return the settings of a device that says what a test vector says."""
        del vector
        return DeviceSettings(
            name="trial", profile=self.id, endpoint=self.NOWHERE, channels=tuple(channels)
        )
