"""One snapshot of a well agent, to be changed by the tests."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from edge_agent.health.status import (
    NS_PER_S,
    AgentStatus,
    BufferStatus,
    ClockStatus,
    DeviceStatus,
    Snapshot,
)

NOW_NS = 1_800_000_000 * NS_PER_S
MINUTE_NS = 60 * NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Uplink:
    """What an uplink tells about itself."""

    last_contact_ns: int | None = NOW_NS
    last_receipt_ns: int | None = NOW_NS
    last_error: str | None = None
    failures: int = 0
    next_try_ns: int | None = None
    alarms: tuple[str, ...] = ()
    requests: int = 12
    delivered_batches: int = 70
    delivered_bytes: int = 210_000


DEVICE = DeviceStatus(
    name="nox-1",
    endpoint="tcp://127.0.0.1:5020",
    last_ok_ns=NOW_NS,
    misses=0,
    gap_since_ns=None,
    last_error=None,
)
BUFFER = BufferStatus(
    batches=100,
    readings=60_000,
    unreceipted_batches=6,
    unreceipted_readings=3_600,
    unreceipted_bytes=15_000,
    oldest_unreceipted_ns=NOW_NS - MINUTE_NS,
    used_bytes=1_000_000,
    quota_bytes=100_000_000,
    is_full=False,
    chain_id=UUID(int=1),
    batch_no=99,
)
WELL = Snapshot(
    at_ns=NOW_NS,
    agent=AgentStatus(
        version="1.2.3",
        gateway_id=UUID(int=7),
        config_hash=bytes(32),
        started_ns=NOW_NS - 60 * MINUTE_NS,
        is_simulated=True,
    ),
    devices=(DEVICE,),
    buffer=BUFFER,
    uplink=Uplink(),
    clock=ClockStatus(state=1, error_ms=12),
)
