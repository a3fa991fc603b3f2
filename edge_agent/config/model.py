"""The settings of a gateway, as its files say them; `plan` turns them into what the agent runs.

Every default of the product is here and in docs/agent.sample.toml, and a test compares the two.
Times are seconds, sizes are MB (1,000,000 bytes); paths are absolute once a file has been read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

from edge_agent.config.constraint import Within, field_faults, refuse
from edge_agent.config.device_parts import FacilityId
from edge_agent.config.url import url_fault
from edge_agent.config.vocabulary import LogLevel, OnFull

DEFAULT_CONFIG = Path("/etc/edge-agent/agent.toml")
# What a reading and a batch take in the buffer, generously (docs/configuration.md, the buffer):
# float32 noise takes 6.5 bytes in batches of 10 s, a batch by itself about 1 kB and its page.
READING_BYTES = 8
BATCH_BYTES = 2_048
MEGABYTE = 1_000_000


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
        on_full: evict_oldest: the oldest readings are given up, and a signed event says so;
            stop: no more are taken, and a signed gap says so.
    """

    path: Path = Path("/var/lib/edge-agent/buffer.db")
    commit_interval_s: Annotated[float, Within(1.0, 60.0)] = 10.0
    quota_mb: Annotated[int, Within(16, 1_000_000)] = 1024
    offline_duration_s: Annotated[float, Within(0.0, 31_536_000.0)] = 86_400.0
    on_full: OnFull = OnFull.EVICT_OLDEST

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
        certificate_file: our TLS key and certificate; the agent renews it.
        upload_interval_s: time from one upload to the next.
        upload_readings: upload sooner, once so many readings wait.
        timeout_s: how long to wait for an answer.
    """

    url: str
    receipt_key_file: Path
    ca_file: Path | None = None
    certificate_file: Path | None = None
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
class ApplySettings:
    """How another configuration takes its place while the agent runs.

    Attributes:
        probation_s: so long at least a new one is on probation: a good channel that goes bad
            meanwhile brings the old one back. 0: no probation.
    """

    probation_s: Annotated[float, Within(0.0, 3600.0)] = 60.0

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFile:
    """What agent.toml says.

    Attributes:
        gateway: who this gateway is.
        buffer: where readings are kept.
        centre: where readings go.
        health: where the agent answers questions about itself.
        log: how much the agent says.
        apply: how another configuration takes its place.
    """

    gateway: GatewaySettings
    buffer: BufferSettings = BufferSettings()
    centre: CentreSettings
    health: HealthSettings = HealthSettings()
    log: LogSettings = LogSettings()
    apply: ApplySettings = ApplySettings()
