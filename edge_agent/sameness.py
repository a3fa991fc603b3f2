"""Whether this is the machine that the buffer was written on: compared at each start, and told."""

import json
from collections.abc import Mapping
from typing import Final

from edge_agent.buffer.store import Buffer
from edge_agent.clock import Instant
from edge_agent.wire.events import Event

FACT: Final = "hardware"


async def hardware_changes(
    buffer: Buffer, facts: Mapping[str, str], *, now: Instant
) -> tuple[Event, ...]:
    """Return an event for each fact that is another than at the last start; keep the present ones.

    A fact that cannot be read now keeps its last value: a missing driver is no other machine.

    Raises:
        BufferUnavailableError: the storage refuses; nothing was kept.

    """
    async with buffer.lent() as writer:
        kept = await writer.table.fact(FACT)
        before: dict[str, str] = {} if kept is None else json.loads(kept)
        after = {**before, **facts}
        if after != before:
            async with writer.database.transaction():
                await writer.table.keep_fact(FACT, json.dumps(after, sort_keys=True))
    return tuple(
        Event(
            type="hardware_changed",
            at_ns=now.utc_ns,
            mono_ns=now.mono_ns,
            fields={"what": name, "old": before[name], "new": fact},
        )
        for name, fact in sorted(facts.items())
        if before.get(name, fact) != fact
    )
