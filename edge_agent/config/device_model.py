"""The settings of one device, as its file in devices.d says them.

Every default is here and in docs/device.sample.toml, and a test compares the two.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from edge_agent.config.constraint import Within, fault, field_faults, refuse
from edge_agent.config.device_parts import (
    HIGHEST_CHANNEL,
    USUAL_LIMITS,
    Confirmation,
    FacilityId,
    Limits,
    Name,
)
from edge_agent.config.endpoint import SerialLine
from edge_agent.config.protocols.bayern_hessen_settings import BayernHessenSettings
from edge_agent.config.protocols.dnp3_settings import Dnp3Settings, TlsSettings
from edge_agent.config.protocols.mqtt_settings import (
    BrokerSettings,
    MqttSettings,
    SparkplugSettings,
)
from edge_agent.config.protocols.opcua_settings import OpcuaSettings
from edge_agent.config.vocabulary import Addressing, WordOrder


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
    limits: Limits = USUAL_LIMITS

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
