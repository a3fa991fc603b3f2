"""Damaged buffers, started on and salvaged, for tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from edge_agent.buffer.salvage import Standby, Tell
from edge_agent.buffer.salvaging import Salvager
from edge_agent.buffer.store import Buffer
from edge_agent.wire.events import Event
from edge_agent.wire.frame import BatchFrame
from edge_agent.wire.header import Header
from tests.edge_agent.buffer.gateway import Gateway, Portion, events_of
from tests.edge_agent.buffer.reopening import PAGE, sql

MOST = 10_000

# What the start notices at once; no batch is harmed by it.
UNREADABLE = sql("UPDATE chain SET first_position = 2")


@asynccontextmanager
async def started(gateway: Gateway) -> AsyncIterator[tuple[Buffer, Salvager]]:
    """Yield the buffer of a newly started agent, and what will salvage into it."""
    async with gateway.opened() as buffer:
        yield (
            buffer,
            Salvager(
                buffer,
                gateway.path,
                origin=gateway.origin,
                clock=gateway.clock,
                tell=teller(buffer),
            ),
        )


@asynccontextmanager
async def standing_by(gateway: Gateway) -> AsyncIterator[tuple[Buffer, Standby]]:
    """Yield the buffer of a newly started agent, and what salvages while the block runs."""
    async with gateway.opened() as buffer, asyncio.TaskGroup() as group:
        standby = Standby(
            buffer, gateway.path, origin=gateway.origin, clock=gateway.clock, tell=teller(buffer)
        )
        work = group.create_task(standby.run())
        yield buffer, standby
        work.cancel()


def teller(buffer: Buffer) -> Tell:
    """Return what makes events durable, signed."""

    async def told(events: Sequence[Event]) -> None:
        await buffer.append(Portion(events=tuple(events)))

    return told


async def waiting(buffer: Buffer) -> list[BatchFrame]:
    """Return everything that would be uploaded."""
    return list(await buffer.frames(await buffer.unreceipted(MOST)))


def losses(frames: Sequence[BatchFrame]) -> list[Event]:
    """Return the losses that are told in batches."""
    return [event for frame in frames for event in events_of(frame) if event.type == "loss"]


def numbers_of(frames: Sequence[BatchFrame], chain: BatchFrame) -> list[int]:
    """Return the numbers of those batches that are of one chain."""
    wanted = Header.unpack(chain.header_bytes).chain_id
    headers = [Header.unpack(frame.header_bytes) for frame in frames]
    return [header.batch_no for header in headers if header.chain_id == wanted]


def destroy_header(file: Path) -> None:
    """Write noise over the file's first page: SQLite cannot open it at all."""
    with file.open("r+b") as damaged:
        damaged.write(b"\xa5" * PAGE)
