"""The profile of a device behind an OPC UA server, and what the file of one adds to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, ClassVar, Final

from edge_agent.config.constraint import Fault, Matching, Within, field_faults, refuse
from edge_agent.config.device_model import DeviceSettings
from edge_agent.config.endpoint import Scheme
from edge_agent.config.place import Spot
from edge_agent.config.profile import PointName, PointProfile, Profile, StatusProfile, TestVector
from edge_agent.config.protocols.opcua import (
    Certificates,
    Mode,
    Node,
    OpcuaSpeech,
    Sampling,
    Security,
    SourceTime,
)
from edge_agent.config.protocols.opcua_settings import OpcuaSettings
from edge_agent.config.structure import Misfit

OPCUA_PORT: Final = 4840  # IANA port registry: opcua-tcp
RAW_TYPES: Final = ("bool", "int64", "uint64", "float32", "float64")
STATUS_SOURCE: Final = "opcua:status_code"

# OPC 10000-6 section 5.3.1.10, with the URI of the namespace (`nsu=`) and never its index.
NodeText = Annotated[
    str,
    Matching(
        r"(nsu=[^;]+;)?(s=.+|i=[0-9]+|g=[0-9A-Fa-f-]{36}|b=[A-Za-z0-9+/=]+)",
        "nsu=URI;s=NAME (or i=, g=, b=); the index of a namespace (ns=) may change",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaPoint(PointProfile):
    """One variable of the server.

    Attributes:
        node: the variable.
    """

    node: NodeText

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read or calculated with."""
        yield from PointProfile.faults(self)
        if self.raw_type not in RAW_TYPES:
            yield Fault(
                key="raw_type",
                message=f"{self.raw_type} is no type of a variable here",
                remedy=f"write one of {', '.join(RAW_TYPES)}; every whole number is int64, but "
                "UInt64 is uint64",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidOfVariable:
    """What a server says of one variable.

    Attributes:
        value: a number, 1 for true; left out: nothing.
        status: the StatusCode.
    """

    value: Decimal | None = None
    status: Annotated[int, Within(0, 0xFFFF_FFFF)] = 0

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaVector(TestVector):
    """What a server says, and what the decoder of the agent must make of it.

    Attributes:
        values: point -> what the server says of its variable.
    """

    values: Mapping[str, SaidOfVariable]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaProfile(Profile):
    """One model of analyzer, or one server, that speaks OPC UA.

    Attributes:
        protocol: opcua.
        points: the values it gives.
        status: rules on the StatusCode beside those of the protocol.
        test_vectors: what it says, and the values that this must give.
    """

    SCHEMES: ClassVar[Mapping[str, Scheme]] = {"opc.tcp": Scheme(port=OPCUA_PORT, has_path=True)}
    OWN_KEYS: ClassVar[frozenset[str]] = frozenset({"opcua"})
    SHARED_KEYS: ClassVar[frozenset[str]] = frozenset({"opcua"})
    NOWHERE: ClassVar[str] = "opc.tcp://127.0.0.1"

    protocol: Annotated[str, Matching("opcua", "opcua")]
    points: Mapping[PointName, OpcuaPoint]
    status: Mapping[PointName, StatusProfile] = field(default_factory=dict)
    test_vectors: tuple[OpcuaVector, ...] = ()

    def misfits(self) -> Iterator[Misfit]:
        """Yield test vectors that say something of a point that there is not."""
        for index, vector in enumerate(self.test_vectors):
            for name in vector.values:
                if name not in self.points:
                    yield Misfit(
                        path=("test_vectors", index, "values", name),
                        message="there is no such point",
                        remedy="write the name of one of the profile's points",
                    )

    def device_misfits(self, settings: DeviceSettings) -> Iterator[Misfit]:
        """Yield a sampling at which a value would be told again that nobody has looked at."""
        own = settings.opcua
        if own is None or own.mode is Mode.READ or own.sampling_ms <= settings.period_s * 1_000:
            return
        yield Misfit(
            path=("opcua", "sampling_ms"),
            message=f"the server looks every {own.sampling_ms} ms, which is beyond period_s "
            f"{settings.period_s:g}",
            remedy=f"write at most {int(settings.period_s * 1_000)}, or a longer period_s",
        )

    def speech(self, settings: DeviceSettings) -> OpcuaSpeech:
        """Return how the server is spoken to; the settings have no misfits."""
        own = settings.opcua or OpcuaSettings()
        sampling = time = None
        if own.mode is Mode.SUBSCRIBE:
            sampling = Sampling(interval_ms=own.sampling_ms, queue_size=own.queue_size)
        if own.trusts_time:
            time = SourceTime(ahead_s=own.time_ahead_s, behind_s=own.time_behind_s)
        return OpcuaSpeech(
            certificates=_certificates(own),
            user=own.user,
            password_file=own.password_file,
            sampling=sampling,
            time=time,
        )

    def spot(self, settings: DeviceSettings, point: str) -> Spot:
        """Return the variable of a point; its StatusCode comes with it."""
        del settings
        namespace, _, identifier = self.points[point].node.rpartition(";")
        if namespace and not identifier.startswith(("s=", "i=", "g=", "b=")):
            raise ValueError(f"{self.id}: {point} has misfits")
        node = Node(namespace=namespace.removeprefix("nsu="), identifier=identifier)
        return Spot(place=node, status_source=STATUS_SOURCE)


def _certificates(own: OpcuaSettings) -> Certificates | None:
    files = (own.certificate_file, own.key_file, own.server_certificate_file)
    if own.security is Security.NONE or None in files:
        return None
    own_file, own_key_file, server_file = (file for file in files if file is not None)
    return Certificates(own_file=own_file, own_key_file=own_key_file, server_file=server_file)
