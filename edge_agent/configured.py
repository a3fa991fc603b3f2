"""A configuration in force: judges, origin and devices, and how another one takes its place.

A change ends the open batch: a batch names one configuration only (docs/wire-format.md section 2).
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import structlog

from edge_agent.buffer.store import Buffer, BufferUnavailableError
from edge_agent.committer import Committer
from edge_agent.config.plan import ConfigurationError, Confirmed, Plan
from edge_agent.overview import Overview
from edge_agent.polling import Pollers
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

    async def reloaded(
        self,
        reread: Callable[[], Plan],
        committer: Committer[Buffer],
        pollers: Pollers,
        overview: Overview,
    ) -> Self:
        """Return the configuration that is in force after a reload: a new one, or this one."""
        try:
            plan = await asyncio.to_thread(reread)
        except ConfigurationError as error:
            log.error("configuration.refused", problems=list(error.problems))
            return self
        if plan.settings != self.plan.settings:
            log.error(
                "configuration.refused",
                problems=["agent.toml has changed: it is read at a start only. Restart the agent"],
            )
            return self
        try:
            await documents_kept(committer.buffer, plan)
        except BufferUnavailableError as error:
            log.error("configuration.refused", problems=[str(error)])
            return self
        after = type(self).of(plan, self.origin.key, self)
        await pollers.stop_changed(plan.devices)
        await committer.switch(after.judges, after.origin)
        pollers.start_changed(plan.devices)
        overview.plan = after.plan
        log.info("configuration.applied", config_hash=plan.config_hash.hex())
        return after


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


async def documents_kept(buffer: Buffer, plan: Plan) -> None:
    """Keep what the centre will ask for: the bundle and the profile files behind it."""
    for document in (plan.bundle, *plan.profiles):
        await buffer.keep(document)
