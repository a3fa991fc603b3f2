"""A profile: what is known about one model of analyzer, and from which document.

What every protocol shares; each has a profile of its own kind in `edge_agent.config.protocols`.
Data only; nothing here names an address, a plant or a person. What a document leaves open is
`unknown` in a profile and must then be confirmed in the file of the device.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Self

from edge_agent.config.constraint import Matching
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_parts import NotAvailable
from edge_agent.config.endpoint import SERIAL, Scheme, SerialLine
from edge_agent.config.place import IdentityCheck, Speech, Spot
from edge_agent.config.profile_parts import (
    FACTS,
    Expectation,
    PointName,
    PointProfile,
    RawType,
    Source,
    TestVector,
)
from edge_agent.config.status_words import StatusProfile
from edge_agent.config.structure import Misfit
from edge_agent.config.vocabulary import Role, SourceKind, Trust

__all__ = [
    "FACTS",
    "Expectation",
    "NotAvailable",
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
FAMILY = r"_[a-z0-9]+(-[a-z0-9]+)*"
FAMILY_WORDS = "'_' and then lower case letters, digits and single '-'"


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
        extends: name of the family, a file of the same vendor whose name begins with '_'.
        remove: keys of the family that this model does not have, such as points.so2.
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
    extends: Annotated[str, Matching(FAMILY, FAMILY_WORDS)] | None = None
    remove: tuple[str, ...] = ()
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

    def fact_of(self, name: str, role: Role) -> str | None:
        """Return the name of the point that gives a calibration fact about another one."""
        facts = (
            one for one, point in self.points.items() if (point.role, point.of) == (role, name)
        )
        return next(facts, None)

    def doubted(self) -> Self:
        """Return the profile with everything open that a technician can confirm."""
        return self

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

    def identity_checks(self, settings: DeviceSettings) -> tuple[IdentityCheck, ...]:
        """Return what a device must say of itself before its readings are taken."""
        del settings
        return ()

    def trial_settings(
        self, vector: TestVector, channels: Sequence[ChannelSettings]
    ) -> DeviceSettings:
        """Return the settings of a device that says what a test vector says."""
        del vector
        said = [
            replace(
                channel,
                parameter="any" if point.parameter is None else None,
                unit_of_measure="any" if point.unit_of_measure is None else None,
            )
            for channel in channels
            if (point := self.point(channel.point)) is not None
        ]
        return DeviceSettings(
            name="trial", profile=self.id, endpoint=self.NOWHERE, channels=tuple(said)
        )
