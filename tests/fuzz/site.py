"""Fuzz targets that need a folder: the configuration of a gateway, and the start of its buffer."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from edge_agent.buffer.records import Boot
from edge_agent.buffer.schema import FILE_HEADER_BYTES, PAGE_BYTES
from edge_agent.buffer.store import open_buffer
from edge_agent.clock import SystemClock
from edge_agent.config.loading import load_plan
from edge_agent.config.model import BufferSettings
from edge_agent.config.problem import ConfigurationError
from tests.faults.buffer_workload import NAME, origin, portion, receipts_for
from tests.fuzz.mutation import filled, flipped, overwritten
from tests.fuzz.target import Target
from tests.fuzz.texts import is_toml, toml_maker

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD: Final = Path(__file__).parents[1] / "cases" / "config" / "_good"
FILES: Final = ("agent.toml", "devices.d/stack-1.toml")
COMMITS: Final = 12


def configuration() -> Target:
    """Return the target of a gateway's files: every problem is told, and nothing else raised."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-configuration-"))
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    whole = [(folder / name).read_bytes() for name in FILES]
    makers = [toml_maker([content]) for content in whole]

    def make(chance: random.Random) -> bytes:
        place = chance.randrange(len(FILES))
        return bytes([place]) + makers[place](chance)

    def run(content: bytes) -> bool:
        place = content[0]
        (folder / FILES[place]).write_bytes(content[1:])
        try:
            load_plan(folder / "agent.toml", environ={}, overrides={})
        except ConfigurationError:
            pass
        finally:
            (folder / FILES[place]).write_bytes(whole[place])
        return is_toml(content[1:])

    return Target(make=make, run=run)


def start_up() -> Target:
    """Return the target of a buffer's file: whatever is in it, the agent starts and goes on."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-start-up-"))
    asyncio.run(_filled(folder))
    whole = (folder / NAME).read_bytes()

    def make(chance: random.Random) -> bytes:
        content = whole
        mutators: tuple[Callable[[bytes, random.Random], bytes], ...] = (
            flipped,
            overwritten,
            filled,
            _page_zeroed,
            _page_moved,
            _cut_off,
        )
        for _ in range(chance.randint(1, 3)):
            content = chance.choice(mutators)(content, chance)
        return content

    def run(content: bytes) -> bool:
        place = folder / "started"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        (place / NAME).write_bytes(content)
        asyncio.run(_started(place))
        return content[:FILE_HEADER_BYTES] == whole[:FILE_HEADER_BYTES]

    return Target(make=make, run=run)


def _page_zeroed(content: bytes, chance: random.Random) -> bytes:
    start = PAGE_BYTES * chance.randrange(1, max(2, len(content) // PAGE_BYTES))
    return content[:start] + bytes(PAGE_BYTES) + content[start + PAGE_BYTES :]


def _page_moved(content: bytes, chance: random.Random) -> bytes:
    count = max(2, len(content) // PAGE_BYTES)
    start, other = (PAGE_BYTES * chance.randrange(1, count) for _ in range(2))
    page = content[other : other + PAGE_BYTES]
    return content[:start] + page + content[start + PAGE_BYTES :]


def _cut_off(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(FILE_HEADER_BYTES, len(content) + 1)]


async def _filled(folder: Path) -> None:
    """Make a small buffer, some of its batches receipted."""
    chance = random.Random(1)  # noqa: S311 - sizes and noise, not secrets
    async with open_buffer(
        BufferSettings(path=folder / NAME, quota_mb=16),
        origin=origin(),
        clock=SystemClock(),
        boot=Boot(boot_id=UUID(int=1)),
    ) as buffer:
        for count in range(COMMITS):
            await buffer.append(portion(chance, 100))
            if count == COMMITS // 2:
                await buffer.settle(receipts_for(await buffer.unreceipted(3)))


async def _started(folder: Path) -> None:
    """Start on what is there, and go on."""
    async with open_buffer(
        BufferSettings(path=folder / NAME, quota_mb=16),
        origin=origin(),
        clock=SystemClock(),
        boot=Boot(boot_id=UUID(int=2)),
    ) as buffer:
        await buffer.append(portion(random.Random(2), 20))  # noqa: S311 - noise
        if buffer.head is None:
            raise ValueError("a buffer was opened, and has no batch")
