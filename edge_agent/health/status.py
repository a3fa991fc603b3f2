"""How the agent is doing, as one plain value. Pure: it reads nothing by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

NS_PER_S: Final = 1_000_000_000

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStatus:
    """One device. Times are UTC ns."""

    name: str
    endpoint: str
    last_ok_ns: int | None
    """Its last answer; None before the first."""
    misses: int
    """Polls missed in the present gap, or in the last one."""
    gap_since_ns: int | None
    """When the present gap began; None while it answers."""
    last_error: str | None
    """Why the last poll failed; None while it answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SalvageStatus:
    """What became of damaged files that were set aside."""

    folders: int = 0
    """Quarantines."""
    unseen: int = 0
    """Of these, how many no operator has looked at (`edge-agent buffer info`)."""
    is_running: bool = False
    """Whether batches are being brought back now."""
    salvaged_batches: int = 0
    lost_batches: int = 0
    """Batches that are nowhere any more, told in signed loss events."""
    reason: str | None = None
    """Why it does not go on; None while nothing is in its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BufferStatus:
    """What is on disk."""

    batches: int
    """Batches made durable since the agent started."""
    readings: int
    """Readings taken since the chain began: the next sequence number."""
    unreceipted_batches: int
    unreceipted_readings: int
    unreceipted_bytes: int
    oldest_unreceipted_ns: int | None
    """When the oldest batch without a receipt was sealed, UTC ns; None when there is none."""
    used_bytes: int
    quota_bytes: int
    is_full: bool
    """Whether readings cannot be stored any more."""
    chain_id: UUID | None
    """Chain of the newest batch; None before the first."""
    batch_no: int | None
    """Number of the newest batch; None before the first."""
    salvage: SalvageStatus = SalvageStatus()
    fault: str = ""
    """Why the storage refuses writes: full, readonly or failing; empty while it does not."""
    volatile_readings: int = 0
    """Readings on a chain in memory, because the storage refuses them."""
    given_up_readings: int = 0
    """Readings given up since the agent started, each under a signed loss event."""
    disk_free_bytes: int | None = None
    """Free on the file system; None where nobody says."""
    disk_level: str = "ample"
    """How scarce that is: ample, low, scarce or spent (docs/configuration.md, the buffer)."""
    has_ballast: bool = True
    """Whether there is a reserve that a full disk can be emptied with."""
    lasts_days: float | None = None
    """How long an empty buffer holds without a centre, as reckoned at the start."""
    written_bytes: int | None = None
    """Sent to the disk since the agent started; None where the kernel does not say."""
    written_bytes_per_day: int | None = None
    """The same for a day; None in the first ten minutes."""


class UplinkStatus(Protocol):
    """The uplink, as `edge_agent.uplink` tells it. Times are UTC ns."""

    @property
    def last_contact_ns(self) -> int | None:
        """When the centre last answered."""
        ...

    @property
    def last_receipt_ns(self) -> int | None:
        """When the centre last receipted a batch."""
        ...

    @property
    def last_error(self) -> str | None:
        """What went wrong last; None while nothing is wrong."""
        ...

    @property
    def failures(self) -> int:
        """Failures in a row."""
        ...

    @property
    def next_try_ns(self) -> int | None:
        """End of the present back-off."""
        ...

    @property
    def alarms(self) -> Sequence[str]:
        """Named reasons for a person to look."""
        ...

    @property
    def requests(self) -> int:
        """Uploads tried."""
        ...

    @property
    def delivered_batches(self) -> int:
        """Batches receipted since the agent started."""
        ...

    @property
    def delivered_bytes(self) -> int:
        """Bytes of their frames."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStatus:
    """How far the wall clock can be believed."""

    state: int
    """clock_state of docs/wire-format.md section 2."""
    error_ms: int | None
    """Bound of its error; None when unknown."""
    skew_ns: int = 0
    """How far it is ahead of the centre's for certain; 0 where they may agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """The agent itself."""

    version: str
    gateway_id: UUID
    config_hash: bytes
    started_ns: int
    """UTC ns."""
    is_simulated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStatus:
    """Which files the agent runs, and what became of others."""

    edition: str = ""
    """Names the files in force; another edition may have the same hash (`config.plan`)."""
    probation_until_ns: int | None = None
    """When it has passed its probation at the earliest, UTC ns; None while it is not on one."""
    reloads: int = 0
    """Reloads carried out since the start, whatever came of them."""
    problems: tuple[str, ...] = ()
    """Why the last reload was refused; none where it was not."""
    rolled_back: str = ""
    """The edition that was given up; empty where there is none."""
    rolled_back_why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All of it at one moment."""

    at_ns: int
    """UTC ns."""
    agent: AgentStatus
    devices: tuple[DeviceStatus, ...]
    buffer: BufferStatus
    uplink: UplinkStatus
    clock: ClockStatus
    configuration: ConfigurationStatus = ConfigurationStatus()
    hardware_changed: tuple[str, ...] = ()
    """Facts about the machine that are others than at the start before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelStatus:
    """The last reading of one channel."""

    channel: int
    name: str
    facility: str
    device: str
    parameter: str
    unit_of_measure: str
    at_ns: int | None
    """UTC ns; None before the first reading."""
    raw: int | None
    """As the device sent it; None where it sent no value."""
    value: str | None
    """Decimal number in the unit of measure; None where raw says nothing."""
    quality: int | None
    """Quality word of docs/wire-format.md section 7; None before the first reading."""
    status: int | None
    """The device's own status word; None before the first reading."""
    is_stale: bool
    """Whether its device does not answer: the reading is the last one before that."""
    raw_type: str
    """How raw is read, and in which word order."""
    word_order: str
