"""The settings of one device, as its file in devices.d says them.

Every default is here and in docs/device.sample.toml, and a test compares the two.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from edge_agent.config.constraint import Matching, Within, fault, field_faults, refuse
from edge_agent.config.endpoint import SerialLine
from edge_agent.config.protocols.bayern_hessen_settings import BayernHessenSettings
from edge_agent.config.protocols.dnp3_settings import Dnp3Settings, TlsSettings
from edge_agent.config.protocols.mqtt_settings import (
    BrokerSettings,
    MqttSettings,
    SparkplugSettings,
)
from edge_agent.config.protocols.opcua_settings import OpcuaSettings
from edge_agent.config.vocabulary import Addressing, ConfirmedKey, WordOrder

# docs/wire-format.md section 3: the channel of a row is a u32 and 0 is never used.
HIGHEST_CHANNEL = 2**32 - 1

Name = Annotated[
    str,
    Matching(
        r"[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,62}[^\x00-\x20\x7f])?",
        "1 to 64 characters without a space at either end",
    ),
]
FacilityId = Annotated[
    str, Matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "1 to 64 letters, digits, '.', '_' or '-'")
]
PositiveSeconds = Annotated[float, Within(0.001, 31_536_000.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a reading of a channel is judged, in the channel's unit of measure; None: not judged.

    Attributes:
        low: a reading below is out of specification. Default: the profile's.
        high: a reading above is out of specification. Default: the profile's.
        max_rate_per_s: a faster change from one reading to the next is a spike.
        stuck_after_s: a reading that has not changed for so long is stuck.
        gap_after_s: the first reading after so long a silence is marked so.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    max_rate_per_s: Decimal | None = None
    stuck_after_s: PositiveSeconds | None = None
    gap_after_s: PositiveSeconds = 900.0  # 15 minutes, docs/configuration.md

    def __post_init__(self) -> None:
        """Refuse limits that cannot be passed or that contradict one another."""
        low, high, rate = self.low, self.high, self.max_rate_per_s
        refuse(
            *field_faults(self),
            fault(
                "low",
                f"low {low} is not below high {high}",
                "write low below high",
                when=low is not None and high is not None and not low < high,
            ),
            fault(
                "max_rate_per_s",
                f"{rate} is not above 0",
                "write a rate above 0, or leave the key out to not judge changes",
                when=rate is not None and not rate > 0,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAvailable:
    """Numbers by which a device says that there is none, in the unit of measure of the point.

    Attributes:
        values: exactly these.
        below: everything below.
        above: everything above.
    """

    values: tuple[Decimal, ...] = ()
    below: Decimal | None = None
    above: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing, or leaves no number that means one."""
        below, above = self.below, self.above
        refuse(
            fault(
                "values",
                "no number is named",
                "write values, below or above",
                when=not self.values and below is None and above is None,
            ),
            fault(
                "below",
                f"below {below} and above {above} leave nothing between",
                "write below below above",
                when=below is not None and above is not None and not below < above,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """One parameter of one analyzer, as configured on this gateway.

    Attributes:
        number: given once per gateway and never again, also after removal.
        point: name of the point in the device's profile.
        name: what people call the channel.
        facility: the facility it belongs to. Default: the gateway's.
        parameter: what is measured, where the profile leaves it to the site.
        unit_of_measure: of its values, where the profile leaves it to the site.
        resolution: the step of a value, where the unit of measure is the site's.
        span: the calibrated span; drift is told in per cent of it.
        zero_reference: what the zero check should give. Default: 0.
        span_reference: what the span check should give, where no register of the device says it.
        limits: when its readings are judged.
    """

    number: Annotated[int, Within(1, HIGHEST_CHANNEL)]
    point: str
    name: Name
    facility: FacilityId | None = None
    parameter: Name | None = None
    unit_of_measure: Name | None = None
    resolution: Decimal | None = None
    span: Decimal | None = None
    zero_reference: Decimal = Decimal(0)
    span_reference: Decimal | None = None
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        """Refuse steps and spans that are none."""
        refuse(
            *field_faults(self),
            *(
                fault(
                    key, f"{number} is not above 0", "write a number above 0", when=not number > 0
                )
                for key, number in (("resolution", self.resolution), ("span", self.span))
                if number is not None
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Something that a technician looked at, and stands for with a name.

    Attributes:
        what: the key that was confirmed: unit_of_measure, word_order, addressing or parameter; or
            reading: the front panel showed the value that the gateway read.
        channels: the numbers of the channels it is about; empty: the whole device.
        who: who confirmed it.
        at: when, such as 2026-11-20T10:12:00Z.
        how: how it was found, such as what the front panel showed.
    """

    what: ConfirmedKey
    channels: tuple[Annotated[int, Within(1, HIGHEST_CHANNEL)], ...] = ()
    who: Name
    at: Annotated[
        str,
        Matching(
            r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z",
            "a time in UTC such as 2026-11-20T10:12:00Z",
        ),
    ]
    how: Name

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSettings:
    """One file of devices.d: an analyzer, where it answers and which channels it gives.

    Attributes:
        name: what people call the device; unique on the gateway.
        profile: id of its profile.
        endpoint: where it answers, such as tcp://10.0.5.20:502.
        unit_id: Modbus unit identifier; 1 where it is not given.
        period_s: time from one reading to the next.
        timeout_s: how long to wait for an answer; below period_s.
        word_order: what a technician confirmed, where the profile says unknown.
        addressing: what a technician confirmed, where the profile says unknown.
        serial: how octets go over the line, where the endpoint is a serial port.
        broker: how the agent presents itself, where the endpoint is an MQTT broker.
        mqtt: where a device publishes, and how far its time is believed.
        opcua: how the session with an OPC UA server is protected.
        dnp3: which DNP3 outstation it is.
        tls: how an encrypted connection is protected, where the endpoint is tls://.
        sparkplug: which edge node of the broker it is.
        bayern_hessen: which instrument of the line it is.
        confirmations: what technicians stand for.
        channels: the channels it gives.
    """

    name: Name
    profile: str
    endpoint: str
    unit_id: Annotated[int, Within(0, 255)] | None = None
    period_s: Annotated[float, Within(0.05, 3600.0)] = 1.0
    timeout_s: Annotated[float, Within(0.01, 3600.0)] = 0.8
    word_order: WordOrder | None = None
    addressing: Addressing | None = None
    serial: SerialLine | None = None
    broker: BrokerSettings | None = None
    mqtt: MqttSettings | None = None
    opcua: OpcuaSettings | None = None
    dnp3: Dnp3Settings | None = None
    tls: TlsSettings | None = None
    sparkplug: SparkplugSettings | None = None
    bayern_hessen: BayernHessenSettings | None = None
    confirmations: tuple[Confirmation, ...] = ()
    channels: tuple[ChannelSettings, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a device without channels, and a timeout that reaches into the next period."""
        refuse(
            *field_faults(self),
            fault(
                "timeout_s",
                f"timeout_s {self.timeout_s:g} is not below period_s {self.period_s:g}",
                "write a timeout_s below period_s, or a longer period_s",
                when=not self.timeout_s < self.period_s,
            ),
            fault(
                "channels",
                "a device without channels reads nothing",
                "add a [[channels]] table, or remove the file",
                when=not self.channels,
            ),
        )
