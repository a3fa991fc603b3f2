"""Fills a buffer as an agent does, fast, and marks each batch once it is promised to be durable.

usage: python -m tests.faults.buffer_workload DIR MARK [--commits 600] [--most-rows 4000]
           [--seed 1] [--room-bytes 1000000]
           [--page-bytes 512] [--checkpoint-pages 2000] [--synchronous FULL]
Writes "ack <batch_no> <batch_hash>" to MARK after each append has returned. A centre of its own
gives receipts, late and not for all, and the quota is small: log, checkpoints, receipts and
evictions all take their turn.
"""

import argparse
import asyncio
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np

from edge_agent.buffer import schema
from edge_agent.buffer.records import Boot, Held, Nothing
from edge_agent.buffer.store import Buffer, open_buffer
from edge_agent.clock import SystemClock
from edge_agent.config.model import BufferSettings
from edge_agent.wire.batch import Origin
from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings
from edge_agent.wire.receipt import BatchPlace, Receipt, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH, Hash, Verdict

GATEWAY: Final = UUID("11111111-2222-4333-8444-555555555555")
GATEWAY_SEED: Final = bytes(range(32))
CENTRE_SEED: Final = bytes(range(32, 64))
NAME: Final = "buffer.db"
CHANNELS: Final = np.arange(1, 11, dtype=np.uint32)
SETTLED_EVERY: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What one commit takes."""

    readings: tuple[Readings, ...]
    events: tuple[Event, ...] = ()
    is_last: bool = False
    marks: tuple[bytes, ...] = ()


def origin() -> Origin:
    """Return who signs here."""
    return Origin(
        gateway_id=GATEWAY,
        config_hash=Hash(b"c" * 32),
        software_hash=NO_HASH,
        key=SigningKey.from_seed(GATEWAY_SEED),
    )


def portion(chance: random.Random, most_rows: int) -> Portion:
    """Return scans of ten noisy 12-bit registers, from one up to so many rows."""
    clock = SystemClock().now()
    scans = 1 + chance.randrange(max(1, most_rows // len(CHANNELS)))
    noise = np.random.default_rng(chance.randrange(2**32))
    zeros = np.zeros(len(CHANNELS), dtype=np.uint32)
    return Portion(
        readings=tuple(
            Readings(
                at_ns=clock.utc_ns + index,
                mono_ns=clock.mono_ns + index,
                channel=CHANNELS,
                raw=noise.integers(0, 4096, len(CHANNELS), dtype=np.int64),
                status=zeros,
                quality=zeros,
            )
            for index in range(scans)
        )
    )


def promise(mark: int, batch_no: int, batch_hash: Hash) -> None:
    """Mark a batch as durable; always at offset 0, because the kernel cuts writes at pages."""
    os.pwrite(mark, f"ack {batch_no} {batch_hash.hex()}\n".encode(), 0)


def receipts_for(waiting: Sequence[Held]) -> list[Receipt]:
    """Return what a centre of this workload answers to these batches."""
    centre = SigningKey.from_seed(CENTRE_SEED)
    places = (
        BatchPlace(
            gateway_id=GATEWAY,
            chain_id=held.chain_id,
            batch_no=held.batch_no,
            batch_hash=held.batch_hash,
        )
        for held in waiting
    )
    return [
        sign_receipt(centre, place, verdict=Verdict.ACCEPTED, received_ns=1) for place in places
    ]


async def settle(buffer: Buffer, chance: random.Random) -> None:
    """Give receipts for what waits, sometimes for the newest only, sometimes for nothing."""
    match chance.randrange(4):
        case 0:
            waiting = await buffer.newest(3)
        case 1:
            waiting = ()
        case _:
            waiting = await buffer.unreceipted(256)
    await buffer.settle(receipts_for(waiting))


async def work(given: argparse.Namespace) -> None:
    """Append until all commits are made."""
    chance = random.Random(given.seed)  # noqa: S311 - sizes and noise, not secrets
    mark = os.open(given.mark, os.O_WRONLY)
    settings = BufferSettings(path=Path(given.dir) / NAME, quota_mb=16)
    async with open_buffer(
        settings, origin=origin(), clock=SystemClock(), boot=Boot(boot_id=UUID(int=1))
    ) as buffer:
        # Less room than any quota allows, so that evictions come soon.
        buffer._writer.quota._page_limit = given.room_bytes // given.page_bytes
        head = buffer.head
        if head is None:
            raise RuntimeError("the buffer was not opened with a batch")
        promise(mark, head.header.batch_no, head.batch_hash)
        for count in range(given.commits):
            for held in await buffer.append(portion(chance, given.most_rows)):
                promise(mark, held.batch_no, held.batch_hash)
            if count % SETTLED_EVERY == 0:
                await settle(buffer, chance)
        await buffer.append(Nothing())
        print({"usage": buffer.usage(), "counters": buffer.counters})


def main() -> None:
    """Run the workload of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("mark")
    parser.add_argument("--commits", type=int, default=600)
    parser.add_argument("--most-rows", type=int, default=4000)
    parser.add_argument("--room-bytes", type=int, default=1_000_000)
    parser.add_argument("--page-bytes", type=int, default=schema.PAGE_BYTES)
    parser.add_argument("--checkpoint-pages", type=int, default=schema.CHECKPOINT_PAGES)
    parser.add_argument("--synchronous", default="FULL", choices=["FULL", "NORMAL"])
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    weaken(given.synchronous, given.page_bytes, given.checkpoint_pages)
    asyncio.run(work(given))


async def reopened(folder: Path) -> int:
    """Open the buffer as a restarted agent would, append, and return the batch it went on from."""
    async with open_buffer(
        BufferSettings(path=folder / NAME, quota_mb=16),
        origin=origin(),
        clock=SystemClock(),
        boot=Boot(boot_id=UUID(int=2)),
    ) as buffer:
        (first, *_) = await buffer.append(portion(random.Random(1), 10))  # noqa: S311 - noise
        return first.batch_no - 2  # the restart told its boot in a batch of its own


def weaken(synchronous: str, page_bytes: int, checkpoint_pages: int) -> None:
    """Give the product another layout than its own: rejected ones, and one that must fail.

    Neither layout nor durability is an option of the product, so this reaches inside.
    """
    changed: dict[str, tuple[str, str | int]] = {
        "synchronous": (synchronous, {"FULL": 2, "NORMAL": 1}[synchronous]),
        "wal_autocheckpoint": (str(checkpoint_pages), checkpoint_pages),
    }
    pragmas = tuple(
        (name, *changed.get(name, (value, expected))) for name, value, expected in schema.PRAGMAS
    )
    vars(schema).update(PAGE_BYTES=page_bytes, PRAGMAS=pragmas)


if __name__ == "__main__":
    main()
