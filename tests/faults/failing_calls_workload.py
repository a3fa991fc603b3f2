"""Fills a buffer while system calls fail, as patiently as the agent does, and says what is durable.

usage: python -m tests.faults.failing_calls_workload DIR ACK [--commits 60] [--seed 1]
Appends "ack <batch_no> <batch_hash>" to ACK after each append has returned; with write(2), which is
not among the calls that fail.
"""

import argparse
import asyncio
import os
import random
from pathlib import Path
from typing import Final
from uuid import UUID

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.records import Boot, Held
from edge_agent.buffer.store import Buffer, open_buffer
from edge_agent.clock import SystemClock
from edge_agent.config.model import BufferSettings
from tests.faults.buffer_workload import NAME, Portion, origin, portion, settle

TRIES: Final = 20
MOST_ROWS: Final = 400
SETTLED_EVERY: Final = 6
ROOM_PAGES: Final = 400


async def work(given: argparse.Namespace) -> None:
    """Append until all commits are made."""
    chance = random.Random(given.seed)  # noqa: S311 - sizes and noise, not secrets
    ack = os.open(given.ack, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    settings = BufferSettings(path=Path(given.dir) / NAME, quota_mb=16)
    async with open_buffer(
        settings, origin=origin(), clock=SystemClock(), boot=Boot(boot_id=UUID(int=1))
    ) as buffer:
        buffer._writer.quota._page_limit = ROOM_PAGES
        for count in range(given.commits):
            for held in await stored(buffer, portion(chance, MOST_ROWS)):
                os.write(ack, f"ack {held.batch_no} {held.batch_hash.hex()}\n".encode())
            if count % SETTLED_EVERY == 0:
                await settle(buffer, chance)


async def stored(buffer: Buffer, one: Portion) -> tuple[Held, ...]:
    """Return what a portion became, at the latest after some tries."""
    for _ in range(TRIES):
        try:
            return await buffer.append(one)
        except BufferUnavailableError:
            continue
    raise RuntimeError("the storage refuses for good")


def main() -> None:
    """Run the workload of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("ack")
    parser.add_argument("--commits", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
