"""A configuration in force: judges, origin and devices; and the clock that goes on with it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import structlog

from edge_agent.buffer.lasting import lasting, readings_per_s, short_facts
from edge_agent.buffer.reading import Limit, newest_verified
from edge_agent.buffer.store import Buffer
from edge_agent.clock import Clock, Instant, Trust
from edge_agent.config.plan import Confirmed, Plan
from edge_agent.gateway_clock import GatewayClock, LastKnown
from edge_agent.quality.judge import Judge
from edge_agent.uplink import state as uplink_state
from edge_agent.uplink.client import Identity
from edge_agent.wire.batch import Origin
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.document import Document
from edge_agent.wire.signing import SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import NO_HASH, UNKNOWN_ERROR_MS

# The newest batch is found in milliseconds, or the file is damaged and its opening finds that.
LOOK_LIMIT_S: Final = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A plan, and what the line needs of it."""

    plan: Plan
    origin: Origin
    judges: Mapping[str, Judge]

    @classmethod
    def of(cls, plan: Plan, key: SigningKey, before: Self | None = None) -> Self:
        """Return what a plan means; an unchanged device keeps the memory of its judge."""
        kept = (
            () if before is None else zip(before.plan.devices, before.judges.values(), strict=True)
        )
        after = {device.name: device for device in plan.devices}
        known = {one.name: judge for one, judge in kept if after.get(one.name) == one}
        gateway = plan.settings.gateway
        return cls(
            plan=replace(plan, bundle=Document(digest=plan.config_hash, packed=b""), profiles=()),
            origin=Origin(
                gateway_id=gateway.id,
                config_hash=plan.config_hash,
                # Zero marks a development build: there is no release manifest yet.
                software_hash=NO_HASH,
                key=key,
                confirmations=tuple(map(_fields, plan.confirmations)),
                earlier=() if before is None else before.origin.earlier,
            ),
            judges={
                device.name: known.get(device.name) or Judge(device, simulated=gateway.simulated)
                for device in plan.devices
            },
        )

    def signed_by(self, key: SigningKey) -> Self:
        """Return the same under another signing key; the one before is still known."""
        earlier = (*self.origin.earlier, self.origin.key.verifying_key)
        return replace(self, origin=replace(self.origin, key=key, earlier=earlier))

    def knowing(self, *earlier: VerifyingKey) -> Self:
        """Return the same with keys that signed before this one."""
        return replace(self, origin=replace(self.origin, earlier=earlier))

    def uploader(self, receipt_keys: Mapping[bytes, VerifyingKey]) -> Identity:
        """Return who uploads, and whose receipts count."""
        trust = uplink_state.Trust(gateway_id=self.origin.gateway_id, receipt_keys=receipt_keys)
        return Identity(trust=trust, own_key=self.origin.key.verifying_key)


def _fields(confirmed: Confirmed) -> Mapping[str, JsonValue]:
    """Return the fields of a `confirmation` event (docs/wire-format.md section 10)."""
    said = confirmed.said
    return {
        "who": said.who,
        "what": str(said.what),
        "device": confirmed.device,
        "channels": list(said.channels),
        "confirmed_at": said.at,
        "how": said.how,
    }


async def told_lasting(plan: Plan) -> float | None:
    """Return how many days the quota holds without a centre; say so loudly where that is short."""
    found = await asyncio.to_thread(lasting, plan.settings.buffer, readings_per_s(plan.devices))
    if found.too_short_for:
        log.warning("quota.short", **short_facts(found))
    return found.days


async def documents_kept(buffer: Buffer, plan: Plan) -> None:
    """Keep what the centre will ask for: the bundle and the profile files behind it."""
    for document in (plan.bundle, *plan.profiles):
        await buffer.keep(document)


async def clock_of(machine: Clock, path: Path, origin: Origin, boot_id: UUID) -> GatewayClock:
    """Return the clock to stamp with, which does not begin before what the buffer holds.

    Args:
        machine: the machine's own clocks.
        path: of the buffer, which nobody has open yet.
        origin: whose signatures count.
        boot_id: of the present boot.

    """
    clock = GatewayClock(machine)
    look = partial(
        newest_verified,
        gateway_id=origin.gateway_id,
        keys=origin.verifying_keys,
        limit=Limit(machine, LOOK_LIMIT_S),
    )
    last = await asyncio.to_thread(look, path)
    if last is not None:
        header = last.header
        error_ms = None if header.wall_unc_ms == UNKNOWN_ERROR_MS else header.wall_unc_ms
        clock.remember(
            LastKnown(
                at=Instant(utc_ns=header.wall_ns, mono_ns=header.mono_ns),
                trust=Trust(state=header.clock_state, error_ms=error_ms),
                is_this_boot=header.boot_id == boot_id,
            )
        )
    return clock
