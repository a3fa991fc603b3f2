"""The settings of a gateway, as its files say them; `plan` turns them into what the agent runs.

Every default of the product is here and in docs/agent.sample.toml, and a test compares the two.
Times are seconds, sizes are MB (1,000,000 bytes); paths are absolute once a file has been read.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from uuid import UUID

from edge_agent.config.constraint import Matching, Within, fault, field_faults, refuse
from edge_agent.config.endpoint import SerialLine
from edge_agent.config.url import url_fault
from edge_agent.config.vocabulary import Addressing, LogLevel, Table, WordOrder

__all__ = [
    "Addressing",
    "AgentFile",
    "BufferSettings",
    "CentreSettings",
    "ChannelSettings",
    "DeviceSettings",
    "GatewaySettings",
    "HealthSettings",
    "Limits",
    "LogLevel",
    "LogSettings",
    "Table",
    "WordOrder",
]

DEFAULT_CONFIG = Path("/etc/edge-agent/agent.toml")

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
class ChannelSettings:
    """One parameter of one analyzer, as configured on this gateway.

    Attributes:
        number: given once per gateway and never again, also after removal.
        point: name of the point in the device's profile.
        name: what people call the channel.
        facility: the facility it belongs to. Default: the gateway's.
        limits: when its readings are judged.
    """

    number: Annotated[int, Within(1, HIGHEST_CHANNEL)]
    point: str
    name: Name
    facility: FacilityId | None = None
    limits: Limits = Limits()

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


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Who this gateway is.

    Attributes:
        id: UUID of the enrolment.
        facility: the facility of channels that name none.
        facilities: the facilities it may serve, at most 25; empty: any.
        simulated: every reading is marked as simulated and only a centre that allows it takes it.
        key_file: the signing key; only its owner may read it.
    """

    id: UUID
    facility: FacilityId
    facilities: tuple[FacilityId, ...] = ()
    simulated: bool = False
    key_file: Path = Path("/var/lib/edge-agent/gateway.key")

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferSettings:
    """Where readings are kept until the centre has signed for them.

    Attributes:
        path: the database file; its folder must exist.
        commit_interval_s: readings are durable at the latest so long after they came.
        quota_mb: what the buffer may take of the disk.
        offline_duration_s: how long the buffer must last without a centre; `check` compares it
            with the quota.
    """

    path: Path = Path("/var/lib/edge-agent/buffer.db")
    commit_interval_s: Annotated[float, Within(1.0, 60.0)] = 10.0
    quota_mb: Annotated[int, Within(16, 1_000_000)] = 1024
    offline_duration_s: Annotated[float, Within(0.0, 31_536_000.0)] = 86_400.0

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreSettings:
    """Where readings go.

    Attributes:
        url: https, or plain http to this machine only.
        receipt_key_file: the centre's public key; receipts are verified with it.
        ca_file: certificates that the centre's certificate must descend from; https needs it.
        upload_interval_s: time from one upload to the next.
        upload_readings: upload sooner, once so many readings wait.
        timeout_s: how long to wait for an answer.
    """

    url: str
    receipt_key_file: Path
    ca_file: Path | None = None
    upload_interval_s: Annotated[float, Within(1.0, 86_400.0)] = 60.0
    upload_readings: Annotated[int, Within(1, 100_000_000)] | None = None
    timeout_s: Annotated[float, Within(1.0, 600.0)] = 30.0

    def __post_init__(self) -> None:
        """Refuse an address that is not one, and readings in plain text over a network."""
        refuse(*field_faults(self), url_fault(self.url, has_ca_file=self.ca_file is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """Where the agent answers questions about itself; it never takes orders there.

    Attributes:
        socket: Unix socket.
        port: also on this port of the loopback interface.
    """

    socket: Path | None = Path("/run/edge-agent/agent.sock")
    port: Annotated[int, Within(1, 65_535)] | None = None

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """How much the agent says.

    Attributes:
        level: the least level that is said.
    """

    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFile:
    """What agent.toml says.

    Attributes:
        gateway: who this gateway is.
        buffer: where readings are kept.
        centre: where readings go.
        health: where the agent answers questions about itself.
        log: how much the agent says.
    """

    gateway: GatewaySettings
    buffer: BufferSettings = BufferSettings()
    centre: CentreSettings
    health: HealthSettings = HealthSettings()
    log: LogSettings = LogSettings()
