"""The profile of a device that is a DNP3 outstation, and what the file of one adds to it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar, Final

from edge_agent.config.constraint import Fault, Matching, Within, field_faults, refuse
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.endpoint import SERIAL, Scheme
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointName, PointProfile, Profile, StatusProfile, TestVector
from edge_agent.config.protocols.dnp3 import (
    Backend,
    Dnp3Place,
    Dnp3Speech,
    Events,
    ObjectKind,
    Tls,
    WithoutFlags,
)
from edge_agent.config.protocols.dnp3_settings import Dnp3Settings
from edge_agent.config.structure import Misfit

TABLE: Final = "dnp3"
TLS: Final = "tls"
# IANA port registry: dnp, and dnp-sec for TLS.
SCHEMES: Final[Mapping[str, Scheme]] = {
    "tcp": Scheme(port=20_000),
    "tls": Scheme(port=19_999),
    SERIAL: Scheme(is_serial=True),
}
STATUS_SOURCE: Final = "dnp3:flags"
# What the objects of each kind hold (IEEE 1815-2012, annex A). Every whole number is int64.
RAW_TYPES: Final[Mapping[ObjectKind, tuple[str, ...]]] = {
    ObjectKind.BINARY_INPUT: ("bool",),
    ObjectKind.BINARY_OUTPUT: ("bool",),
    ObjectKind.DOUBLE_BIT_INPUT: ("int64",),
    ObjectKind.COUNTER: ("int64",),
    ObjectKind.FROZEN_COUNTER: ("int64",),
    ObjectKind.ANALOG_INPUT: ("int64", "float32", "float64"),
    ObjectKind.ANALOG_OUTPUT: ("int64", "float32", "float64"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Facts:
    """What all values of the device have in common.

    Attributes:
        without_flags: what a value is taken for that comes without its flags: good, as the standard
            has it, or out_of_specification where the device leaves out flags that are not nominal.
    """

    without_flags: WithoutFlags = WithoutFlags.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Point(PointProfile):
    """One point of the outstation.

    Attributes:
        object: binary_input, double_bit_input, binary_output, counter, frozen_counter,
            analog_input or analog_output.
        index: number of the point among those of its kind, from 0.
    """

    object: ObjectKind
    index: Annotated[int, Within(0, 65_535)]

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read or calculated with."""
        yield from PointProfile.faults(self)
        known = RAW_TYPES[self.object]
        if self.raw_type not in known:
            yield Fault(
                key="raw_type",
                message=f"{self.raw_type} is no type of a {self.object}",
                remedy=f"write {' or '.join(known)}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Vector(TestVector):
    """Objects of a response, and what the decoder of the agent must make of them.

    Attributes:
        objects: what stands behind the internal indications, octets in hexadecimal.
        indications: the two octets of internal indications, the first one lowest.
    """

    objects: str
    indications: Annotated[int, Within(0, 0xFFFF)] = 0

    def __post_init__(self) -> None:
        """Refuse what are no octets."""
        refuse(*field_faults(self), *self._faults())

    def _faults(self) -> Iterator[Fault]:
        if re.fullmatch(r"(\s*[0-9a-fA-F]{2})*\s*", self.objects) is None:
            yield Fault(
                key="objects",
                message="no octets in hexadecimal",
                remedy="write two digits for each octet, such as 1e 02 00 00 00 01 2a 00",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Profile(Profile):
    """One model of analyzer that is a DNP3 outstation.

    Attributes:
        protocol: dnp3.
        dnp3: what all its values have in common.
        points: the values it gives.
        status: rules on the flags beside those of the protocol.
        test_vectors: objects of responses, and the values that they must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]] = SCHEMES
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset({TABLE, TLS})
    SHARED_KEYS: ClassVar[frozenset[str]] = frozenset({SERIAL, TLS})
    NOWHERE: ClassVar[str] = "tcp://127.0.0.1"

    protocol: Annotated[str, Matching("dnp3", "dnp3")]
    dnp3: Dnp3Facts = Dnp3Facts()
    points: Mapping[PointName, Dnp3Point]
    status: Mapping[PointName, StatusProfile] = field(default_factory=dict)
    test_vectors: tuple[Dnp3Vector, ...] = ()

    def misfits(self) -> Iterator[Misfit]:
        """Yield points that are the same one of the outstation."""
        seen: dict[tuple[ObjectKind, int], str] = {}
        for name, point in self.points.items():
            other = seen.setdefault((point.object, point.index), name)
            if other != name:
                yield Misfit(
                    path=("points", name, "index"),
                    message=f"{point.object} {point.index} is {other}",
                    remedy="correct the index or the object of one of them",
                )

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield what is missing to talk to the outstation, or is of no use there."""
        if settings.dnp3 is None:
            yield Misfit(
                path=(TABLE,),
                message="nothing says which outstation it is",
                remedy="add [dnp3] with the address of the outstation",
            )
        elif settings.dnp3.backend is Backend.PYDNP3:
            yield from _pydnp3_misfits(settings.endpoint, settings.dnp3)
        is_secure = settings.endpoint.startswith("tls:")
        if is_secure and settings.tls is None:
            yield Misfit(
                path=(TLS,),
                message="an encrypted endpoint needs the certificates to trust",
                remedy="add [tls] with ca_file, the PEM file that the device's certificate "
                "descends from",
            )
        if not is_secure and settings.tls is not None:
            yield Misfit(
                path=(TLS,),
                message="the endpoint is not encrypted",
                remedy="write tls:// in endpoint, or remove [tls]",
            )

    def speech(self, settings: DeviceSettings) -> Dnp3Speech:
        """Return how the outstation is spoken to; the settings have no misfits."""
        own, tls = settings.dnp3, settings.tls
        if own is None:
            raise ValueError(f"device {settings.name} has misfits")
        return Dnp3Speech(
            address=own.address,
            master_address=own.master_address,
            events=own.events,
            may_set_time=own.may_set_time,
            time_ahead_s=own.time_ahead_s,
            time_behind_s=own.time_behind_s,
            without_flags=self.dnp3.without_flags,
            backend=own.backend,
            tls=None
            if tls is None
            else Tls(
                ca_file=tls.ca_file,
                certificate_file=tls.certificate_file,
                key_file=tls.key_file,
            ),
        )

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return the point of the outstation; its flags come with it."""
        del settings
        value = self.points[point]
        place = Dnp3Place(kind=value.object, index=value.index)
        return Spot(place=place, status_source=STATUS_SOURCE)

    def trial_settings(
        self, vector: TestVector, channels: Sequence[ChannelSettings]
    ) -> DeviceSettings:
        """Return the settings of a device that says what a test vector says."""
        plain = Profile.trial_settings(self, vector, channels)
        return replace(plain, dnp3=Dnp3Settings(address=10))


def _pydnp3_misfits(endpoint: str, own: Dnp3Settings) -> Iterator[Misfit]:
    """Yield what the other library cannot do."""
    if own.events is not Events.NONE:
        yield Misfit(
            path=(TABLE, "events"),
            message="pydnp3 confirms events before they are stored",
            remedy='write events = "none", or remove backend',
        )
    if own.may_set_time:
        yield Misfit(
            path=(TABLE, "may_set_time"),
            message="clocks are not set by pydnp3",
            remedy="remove may_set_time, or remove backend",
        )
    if not endpoint.startswith("tcp:"):
        yield Misfit(
            path=(TABLE, "backend"),
            message="pydnp3 is used over tcp:// only",
            remedy="write tcp:// in endpoint, or remove backend",
        )
