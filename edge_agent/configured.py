"""A configuration in force: judges, origin and devices."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import structlog

from edge_agent.buffer.lasting import lasting, readings_per_s, short_facts
from edge_agent.buffer.store import Buffer
from edge_agent.config.plan import Confirmed, Plan
from edge_agent.quality.judge import Judge
from edge_agent.uplink.client import Identity
from edge_agent.uplink.state import Trust
from edge_agent.wire.batch import Origin
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.document import Document
from edge_agent.wire.signing import SigningKey, VerifyingKey
from edge_agent.wire.vocabulary import NO_HASH

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
            ),
            judges={
                device.name: known.get(device.name) or Judge(device, simulated=gateway.simulated)
                for device in plan.devices
            },
        )

    def uploader(self, receipt_keys: Mapping[bytes, VerifyingKey]) -> Identity:
        """Return who uploads, and whose receipts count."""
        trust = Trust(gateway_id=self.origin.gateway_id, receipt_keys=receipt_keys)
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
