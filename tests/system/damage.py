"""The campaign of damaged buffers: any bytes in the buffer's files, and what the next start does.

`python -m tests.system.damage --count 40 --seed 1` ends with one JSON line. Each image is a copy of
a real buffer (receipted and waiting batches, several chains, a log or none), damaged by chance. The
product starts on it and salvages; what it then offers for upload is judged by
tests/independent/images.py, which shares no code with it, against the sound buffer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from edge_agent.buffer import schema
from edge_agent.buffer.salvaging import Salvager
from edge_agent.wire.document import Document
from edge_agent.wire.frame import encode_batch
from tests.edge_agent.buffer.gateway import KEY, Gateway, Portion, receipts
from tests.system.harm import HARMS, truncate
from tests.system.installation import CLOCK, ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_agent.buffer.store import Buffer
    from edge_agent.wire.events import Event

CHECKER = ROOT / "tests" / "independent" / "images.py"
CHECKER_LIMIT_S = 600.0
# docs/adr/0011-salvage.md: with any bytes whatsoever.
LONGEST_START_S = 10.0
# So many images are made of one sound buffer.
IMAGES_OF_ONE = 20
MOST_FRAMES = 100_000
LOG = "-wal"


@dataclass
class Figures:
    """What the starts of one campaign were like."""

    quarantined: int = 0
    longest_start_s: float = 0.0
    longest_salvage_s: float = 0.0
    harms: dict[str, int] = field(default_factory=dict)


async def sound_buffer(folder: Path, chance: random.Random) -> Path:
    """Return the file of a new buffer with all that a buffer may hold, as a kill leaves it.

    Args:
        folder: empty.
        chance: decides everything.

    """
    gateway = Gateway(folder)
    copy = folder / "killed"
    async with gateway.opened() as buffer:
        await buffer.keep(Document.of(b"{}" * chance.randrange(2000)))
        for _ in range(chance.randrange(20, 250)):
            rows = [chance.choice((1, 3, 20))] * chance.choice((1, 10, 60))
            await buffer.append(gateway.portion(*rows))
            if chance.random() < 0.01:
                await buffer.begin_chain("fork")
            if chance.random() < 0.05:
                await _settle(buffer, chance)
            if chance.random() < 0.02:
                await buffer.give_up((await buffer.unreceipted(8))[1:4])
        if chance.random() < 0.5:
            await buffer.append(Portion(events=(gateway.note("checkpoint"),)))
            await buffer._writer.database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        for _ in range(chance.randrange(30)):
            await buffer.append(gateway.portion(3))
        gateway.crash_to(copy)
    return gateway.path


async def _settle(buffer: Buffer, chance: random.Random) -> None:
    waiting = await buffer.unreceipted(chance.randrange(1, 40))
    await buffer.settle(receipts(waiting[: chance.randrange(1, 40)]))


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def damaged(sound: Path, folder: Path, chance: random.Random) -> tuple[Path, str]:
    """Return a damaged copy of a buffer, and what was done to it."""
    _new(folder)
    done: list[str] = []
    least = 2 * schema.PAGE_BYTES
    is_small = sound.stat().st_size < least
    for suffix in ("", LOG):
        source = sound.with_name(sound.name + suffix)
        if not source.exists():
            continue
        content = bytearray(source.read_bytes())
        is_log = suffix == LOG
        times = (0, 0, 0, 1) if is_log and not is_small else (1, 1, 1, 2, 3)
        for _ in range(chance.choice(times)):
            # A log that is only shorter is what a power cut leaves: no reader can tell.
            harm = chance.choice([each for each in HARMS if not is_log or each is not truncate])
            if len(content) >= least:
                harm(content, chance)
                done.append(f"{harm.__name__}{suffix}")
        (folder / source.name).write_bytes(content)
    return folder / sound.name, "+".join(sorted(set(done)))


def _copied(path: Path, target: Path) -> None:
    """Copy a buffer's files; the index beside them is made anew by whoever opens them."""
    for suffix in ("", LOG):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copy(source, target.with_name(target.name + suffix))


async def offered(path: Path, figures: Figures) -> bytes:
    """Start on a damaged buffer, salvage, and return all frames that would be uploaded."""
    gateway = Gateway(_new(path.parent / "running"))
    _copied(path, gateway.path)
    gateway.reboot()
    gateway.clock.utc_ns += 10**15
    began_ns = CLOCK.now().mono_ns
    async with gateway.opened() as buffer:
        started_ns = CLOCK.now().mono_ns

        async def told(events: Sequence[Event]) -> None:
            await buffer.append(Portion(events=tuple(events)))

        salvager = Salvager(
            buffer, gateway.path, origin=gateway.origin, clock=gateway.clock, tell=told
        )
        await salvager.once()
        salvaged_ns = CLOCK.now().mono_ns
        figures.quarantined += salvager.status().folders
        held = await buffer.unreceipted(MOST_FRAMES)
        frames = await buffer.frames(held)
    figures.longest_start_s = max(figures.longest_start_s, (started_ns - began_ns) / 1e9)
    figures.longest_salvage_s = max(figures.longest_salvage_s, (salvaged_ns - started_ns) / 1e9)
    # The next start finds what was salvaged good.
    async with gateway.opened() as buffer:
        again = await buffer.unreceipted(MOST_FRAMES)
        if buffer.counters.quarantined or len(again) != len(held) + 1:
            raise RuntimeError(f"{path}: the start after the salvage is not a good one")
    shutil.rmtree(gateway.path.parent)
    return b"".join(map(encode_batch, frames))


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


async def images(folder: Path, count: int, seed: int, figures: Figures) -> Path:
    """Make images and start on each; return the list of what is to be judged."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    lines: list[str] = []
    sound = folder / "none"
    for index in range(count):
        if index % IMAGES_OF_ONE == 0:
            sound = await sound_buffer(_new(folder / f"sound{index}"), chance)
        path, kind = damaged(sound, folder / f"image{index}", chance)
        for one in kind.split("+"):
            figures.harms[one] = figures.harms.get(one, 0) + 1
        uploaded = folder / f"uploaded{index}"
        _written(uploaded, await offered(path, figures))
        named = {"sound": str(sound), "damaged": str(path), "uploaded": str(uploaded)}
        lines.append(json.dumps(named))
    return _written(folder / "images.jsonl", ("\n".join(lines) + "\n").encode())


def verdict(listed: Path) -> dict[str, object]:
    """Return the report of the independent judge."""
    key = KEY.public_bytes.hex()
    done = subprocess.run(
        [sys.executable, str(CHECKER), str(listed), "--key", key],
        capture_output=True,
        text=True,
        timeout=CHECKER_LIMIT_S,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the checker failed: {done.stderr}")
    report: dict[str, object] = json.loads(done.stdout)
    return report | {"exit_code": done.returncode}


def campaign(count: int, *, seed: int, folder: Path) -> dict[str, object]:
    """Run `count` images in an empty folder; return the report."""
    began_ns = CLOCK.now().mono_ns
    figures = Figures()
    found = verdict(asyncio.run(images(folder, count, seed, figures)))
    is_good = found["exit_code"] == 0 and figures.longest_start_s < LONGEST_START_S
    return {
        "campaign": "damage",
        "is_good": is_good,
        "seed": seed,
        "count": count,
        "seconds": round((CLOCK.now().mono_ns - began_ns) / 1e9, 1),
        "quarantined": figures.quarantined,
        "longest_start_s": round(figures.longest_start_s, 3),
        "longest_salvage_s": round(figures.longest_salvage_s, 3),
        "harms": figures.harms,
        **found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="empty; kept; default: temporary")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"damage: {known.count} images, seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary)
        folder.mkdir(exist_ok=True)
        report = campaign(known.count, seed=seed, folder=folder)
    print(json.dumps(report))
    return 0 if report["is_good"] else 1


if __name__ == "__main__":
    sys.exit(main())
