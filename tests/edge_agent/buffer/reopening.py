"""A filled and closed buffer, changed in its file, and what the next start finds in it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame
from tests.edge_agent.buffer.gateway import Gateway, events_of, receipts

BATCHES = 40
# Not the genesis: its events tell how a chain began, and only what waits is verified whole.
RECEIPTED = slice(1, 11)
PAGE = 512

Damage: TypeAlias = Callable[[Path], object]


async def filled(folder: Path) -> tuple[Gateway, list[BatchFrame]]:
    """Return a gateway whose buffer is closed, and its batches; those of RECEIPTED have theirs."""
    gateway = Gateway(folder)
    async with gateway.opened() as buffer:
        for _ in range(BATCHES):
            await buffer.append(gateway.portion(20))
        held = await buffer.unreceipted(1000)
        await buffer.settle(receipts(held[RECEIPTED]))
        return gateway, list(await buffer.frames(held))


def without_receipt(frames: list[BatchFrame]) -> list[BatchFrame]:
    """Return the batches that wait in a buffer made by `filled`."""
    return [*frames[: RECEIPTED.start], *frames[RECEIPTED.stop :]]


async def opened(gateway: Gateway) -> tuple[Event, list[BatchFrame]]:
    """Open the buffer; return the first event of its chain and all frames without a receipt."""
    async with gateway.opened() as buffer:
        assert buffer.head is not None
        chain = buffer.head.header.chain_id
        first = await buffer.held_from(chain, 0, 1)
        (genesis,) = await buffer.frames(first)
        return events_of(genesis)[0], list(await buffer.frames(await buffer.unreceipted(1000)))


def quarantined(gateway: Gateway) -> list[Path]:
    """Return the files that were set aside."""
    return sorted(gateway.path.parent.glob("quarantine/*/*"))


def sql(statement: str) -> Damage:
    """Return a change of a database by a statement."""

    def change(file: Path) -> None:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(statement)
            connection.commit()

    return change
