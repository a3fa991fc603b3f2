"""The profile of a device that publishes JSON over MQTT, and what the file of one adds to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

from edge_agent.config.constraint import Fault, Matching, Within, field_faults, refuse
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.endpoint import Scheme
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointName, PointProfile, Profile, StatusProfile, TestVector
from edge_agent.config.protocols.mqtt import (
    DeviceTime,
    Login,
    MqttPlace,
    MqttSpeech,
    TimeFormat,
)
from edge_agent.config.protocols.mqtt_settings import BrokerSettings, MqttSettings, Topic
from edge_agent.config.structure import Misfit

# MQTT 3.1.1 and the port registry of IANA.
SCHEMES: Mapping[str, Scheme] = {"mqtt": Scheme(port=1883), "mqtts": Scheme(port=8883)}
RAW_TYPES = ("float64", "int64", "bool")
BROKER = "broker"

# RFC 6901, section 3.
Pointer = Annotated[
    str, Matching(r"(/([^/~]|~[01])*)*", "a JSON Pointer: empty, or /member/member ...")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttFacts:
    """What all messages of the device have in common.

    Attributes:
        time_path: where in a message the time of its values is; left out: messages have no time.
        time_format: how it is written; needed with time_path.
    """

    time_path: Pointer | None = None
    time_format: TimeFormat | None = None

    def __post_init__(self) -> None:
        """Refuse half a time."""
        refuse(*field_faults(self), *self._faults())

    def _faults(self) -> Iterator[Fault]:
        if (self.time_path is None) != (self.time_format is None):
            formats = ", ".join(TimeFormat)
            yield Fault(
                key="time_format",
                message="time_path and time_format say only together when a value was measured",
                remedy=f"write both, time_format as one of {formats}, or neither",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttPoint(PointProfile):
    """One value in the messages of a topic.

    Attributes:
        topic: the topic, behind the root of the site.
        path: JSON Pointer to the value; empty: the message is the value.
    """

    topic: Topic
    path: Pointer = ""

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read or calculated with."""
        yield from PointProfile.faults(self)
        if self.raw_type not in RAW_TYPES:
            yield Fault(
                key="raw_type",
                message=f"{self.raw_type} is no type of a value in JSON",
                remedy="write float64 for a number, int64 for a whole one, bool for true or false",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttStatus(StatusProfile):
    """What a message says about its values: a number, or a text that stands for one.

    Attributes:
        path: JSON Pointer into the message of the value.
        words: text -> the number that stands for it in the status word; a text that is not here
            becomes 4294967295.
    """

    path: Pointer
    words: Mapping[str, Annotated[int, Within(0, 0xFFFF_FFFE)]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttVector(TestVector):
    """Messages, and what the decoder of the agent must make of them.

    Attributes:
        messages: topic as in the points -> the text of a message.
    """

    messages: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MqttProfile(Profile):
    """One model of analyzer that publishes JSON over MQTT.

    Attributes:
        protocol: mqtt.
        mqtt: what all its messages have in common.
        points: the values it gives.
        status: the status words it gives.
        test_vectors: messages and the values they must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]] = SCHEMES
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset({BROKER, "mqtt"})
    SHARED_KEYS: ClassVar[frozenset[str]] = frozenset({BROKER})
    NOWHERE: ClassVar[str] = "mqtt://127.0.0.1"

    protocol: Annotated[str, Matching("mqtt", "mqtt")]
    mqtt: MqttFacts = MqttFacts()
    points: Mapping[PointName, MqttPoint]
    status: Mapping[PointName, MqttStatus] = field(default_factory=dict)
    test_vectors: tuple[MqttVector, ...] = ()

    def misfits(self) -> Iterator[Misfit]:
        """Yield test vectors with messages of topics that no point is in."""
        topics = {point.topic for point in self.points.values()}
        for index, vector in enumerate(self.test_vectors):
            for topic in vector.messages:
                if topic not in topics:
                    yield Misfit(
                        path=("test_vectors", index, "messages", topic),
                        message="no point is in this topic",
                        remedy=f"write one of {', '.join(sorted(topics))}",
                    )

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield what is missing to log in at the broker."""
        yield from broker_misfits(settings)

    def speech(self, settings: DeviceSettings) -> MqttSpeech:
        """Return how the messages are got and dated; the settings have no misfits."""
        own, facts = settings.mqtt or MqttSettings(), self.mqtt
        time = None
        if facts.time_path is not None and facts.time_format is not None:
            time = DeviceTime(
                path=facts.time_path,
                format=facts.time_format,
                ahead_s=own.time_ahead_s,
                behind_s=own.time_behind_s,
            )
        return MqttSpeech(login=login_of(settings), time=time)

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return which message holds a point, and where in it."""
        value = self.points[point]
        root = None if settings.mqtt is None else settings.mqtt.root
        topic = value.topic if root is None else f"{root}/{value.topic}"
        status = source = None
        if value.status is not None:
            said = self.status[value.status]
            status = MqttPlace(topic=topic, path=said.path, words=tuple(said.words.items()))
            source = f"{topic}:{said.path}"
        return Spot(
            place=MqttPlace(topic=topic, path=value.path), status=status, status_source=source
        )

    def trial_settings(
        self, vector: TestVector, channels: Sequence[ChannelSettings]
    ) -> DeviceSettings:
        """Return the settings of a device that publishes a test vector."""
        plain = Profile.trial_settings(self, vector, channels)
        return replace(plain, broker=BrokerSettings(client_id="trial"))


def login_of(settings: DeviceSettings) -> Login:
    """Return how the agent presents itself; the settings have no misfits."""
    broker = settings.broker
    if broker is None:
        raise ValueError(f"device {settings.name} has misfits")
    return Login(
        client_id=broker.client_id,
        user=broker.user,
        password_file=broker.password_file,
        ca_file=broker.ca_file,
    )


def broker_misfits(settings: DeviceSettings) -> Iterator[Misfit]:
    """Yield what is missing to log in at a broker, or is of no use there."""
    broker, is_secure = settings.broker, settings.endpoint.startswith("mqtts:")
    if broker is None:
        yield Misfit(
            path=(BROKER,),
            message="nothing says how the agent presents itself to the broker",
            remedy="add [broker] with a client_id that no other client of the broker has",
        )
        return
    if is_secure and broker.ca_file is None:
        yield Misfit(
            path=(BROKER,),
            message="mqtts needs the certificates to trust",
            remedy="add ca_file, the PEM file of the broker's certificate authority, to [broker]",
        )
    if not is_secure and broker.ca_file is not None:
        yield Misfit(
            path=(BROKER, "ca_file"),
            message="the endpoint is not encrypted",
            remedy="write mqtts:// in endpoint, or remove ca_file",
        )
