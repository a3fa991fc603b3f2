"""The profile of a Sparkplug B device, and what it means together with the device's file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

from edge_agent.config.constraint import Fault, Matching, Within
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.endpoint import Scheme
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointName, PointProfile, Profile, StatusProfile, TestVector
from edge_agent.config.protocols.mqtt_profile import BROKER, SCHEMES, broker_misfits, login_of
from edge_agent.config.protocols.mqtt_settings import BrokerSettings, SparkplugSettings
from edge_agent.config.protocols.sparkplug import Metric, SparkplugSpeech
from edge_agent.config.structure import Misfit

QUALITY = "Quality"
STATUS_SOURCE = "sparkplug:Quality"


class DataWord(StrEnum):
    """The data types of Sparkplug 3.0.0, section 6.4.16, that a value can have."""

    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    UINT8 = "uint8"
    UINT16 = "uint16"
    UINT32 = "uint32"
    UINT64 = "uint64"
    FLOAT = "float"
    DOUBLE = "double"
    BOOLEAN = "boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugPoint(PointProfile):
    """One metric.

    Attributes:
        metric: its name, as the birth certificate says it.
    """

    metric: Annotated[str, Matching(r"[^\x00]{1,255}", "the name of a metric")]

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read or calculated with."""
        yield from PointProfile.faults(self)
        if self.raw_type.startswith("bit"):
            yield Fault(
                key="raw_type",
                message=f"{self.raw_type} is no type of a metric",
                remedy="float is float32, double float64, boolean bool; integers are as they are",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a metric says in a test vector.

    Attributes:
        type: its data type.
        value: the value; left out: is_null.
        quality: its property `Quality`; left out: it has none.
    """

    type: DataWord
    value: Decimal | None = None
    quality: Annotated[int, Within(0, 0x7FFF_FFFF)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugVector(TestVector):
    """Metrics of a birth certificate, and what the decoder of the agent must make of them.

    Attributes:
        metrics: name -> what it says.
    """

    metrics: Mapping[str, Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugProfile(Profile):
    """One model of analyzer that speaks Sparkplug B.

    Attributes:
        protocol: sparkplug.
        points: the metrics it gives.
        status: what its `Quality` says beyond the three numbers of the specification.
        test_vectors: metrics and the values they must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]] = SCHEMES
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset({BROKER, "sparkplug"})
    SHARED_KEYS: ClassVar[frozenset[str]] = frozenset({BROKER})
    NOWHERE: ClassVar[str] = "mqtt://127.0.0.1"

    protocol: Annotated[str, Matching("sparkplug", "sparkplug")]
    points: Mapping[PointName, SparkplugPoint]
    status: Mapping[PointName, StatusProfile] = field(default_factory=dict)
    test_vectors: tuple[SparkplugVector, ...] = ()

    def misfits(self) -> Iterator[Misfit]:
        """Yield metrics that two points are of."""
        seen: set[str] = set()
        for name, point in self.points.items():
            if point.metric in seen:
                yield Misfit(
                    path=("points", name, "metric"),
                    message=f"'{point.metric}' is the metric of another point",
                    remedy="write each metric once",
                )
            seen.add(point.metric)

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield what is missing to find the edge node."""
        yield from broker_misfits(settings)
        if settings.sparkplug is None:
            yield Misfit(
                path=("sparkplug",),
                message="nothing says which edge node this is",
                remedy="add [sparkplug] with group, node and, for a device behind it, device",
            )

    def speech(self, settings: DeviceSettings) -> SparkplugSpeech:
        """Return how the edge node is heard; the settings have no misfits."""
        own = _own(settings)
        return SparkplugSpeech(
            login=login_of(settings),
            group=own.group,
            node=own.node,
            may_request_rebirth=own.may_request_rebirth,
            trusts_time=own.trusts_time,
        )

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return which metric a point is."""
        device, name = _own(settings).device or "", self.points[point].metric
        return Spot(
            place=Metric(device=device, name=name),
            status=Metric(device=device, name=name, property=QUALITY),
            status_source=STATUS_SOURCE,
        )

    def trial_settings(
        self, vector: TestVector, channels: Sequence[ChannelSettings]
    ) -> DeviceSettings:
        """Return the settings of a device whose birth is a test vector."""
        plain = Profile.trial_settings(self, vector, channels)
        own = SparkplugSettings(group="trial", node="trial")
        return replace(plain, broker=BrokerSettings(client_id="trial"), sparkplug=own)


def _own(settings: DeviceSettings) -> SparkplugSettings:
    if settings.sparkplug is None:
        raise ValueError(f"device {settings.name} has misfits")
    return settings.sparkplug
