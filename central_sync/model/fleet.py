"""The state of the fleet as the store knows it: heads, holes, alarms, counts."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from edge_agent.wire.vocabulary import Hash


class AlarmCode(StrEnum):
    """Why a person must look at a gateway."""

    FORK = "fork"
    HOLE = "hole"
    SERVER_BEHIND = "server_behind"
    CONTENT = "content"
    CHAIN = "chain"
    KEY = "key"
    SIMULATED = "simulated"
    CLOCK = "clock"
    LOG = "log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: raised once while open, however often its cause is seen again.

    `gateway_id` is None where no known gateway is concerned; `subject` tells apart alarms of one
    code and gateway (a chain, a configuration).
    """

    code: AlarmCode
    gateway_id: UUID | None
    subject: str
    detail: str
    opened_ns: int
    closed_ns: int | None
    seen_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The newest batch of one chain, and the newest behind which nothing is missing.

    `contiguous_no` is None when the beginning of the chain is missing;
    `contiguous_ns` is the gateway's wall clock (UTC ns) in that batch's header.
    """

    gateway_id: UUID
    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    wall_ns: int
    contiguous_no: int | None
    contiguous_ns: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """A batch that a stored batch names as the one before it, and that the centre lacks."""

    chain_id: UUID
    batch_no: int
    batch_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """What the fleet pages and rules need to know of one gateway; times are UTC ns.

    `last_seen_ns`: last authentic request; `last_data_ns`: newest `at` of any accepted row;
    `newest`: head of the chain that was written last; both None before the first batch.
    """

    gateway_id: UUID
    facility: str
    name: str
    is_revoked: bool
    last_seen_ns: int | None
    last_data_ns: int | None
    batch_count: int
    record_count: int
    newest: ChainHead | None
    last_header: bytes | None
    hole_count: int
    missing_bundle_count: int
    alarms: tuple[Alarm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Totals over the whole store, for the metrics."""

    gateways: int
    batches: int
    readings: int
    quarantined: int
    holes: int
    open_alarms: int
    dirty_hours: int
