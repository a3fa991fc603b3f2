"""A gateway's buffer on a disk that fills up, and a centre that is reached now and then.

usage: python -m tests.faults.full_disk_workload DIR OUT [--seed 1] [--steps 300]
DIR is a small file system; OUT lies elsewhere. Every reading carries its own number, from 1 on.
What the centre was given stands in OUT/centre.jsonl, frame by frame; how many readings were taken
in OUT/taken.json, with what happened. At the end the disk has room again, and nothing else is done
for the buffer: it must recover by itself.
"""

import argparse
import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np

from edge_agent.buffer.disk import BALLAST_BYTES
from edge_agent.buffer.faults import BufferFullError, BufferUnavailableError
from edge_agent.buffer.records import Boot, Held, Nothing
from edge_agent.buffer.store import Buffer, open_buffer
from edge_agent.clock import SystemClock
from edge_agent.config.model import BufferSettings
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.readings import Readings
from edge_agent.wire.receipt import BatchPlace, sign_receipt
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import Hash, Verdict
from tests.faults.buffer_workload import CENTRE_SEED, CHANNELS, GATEWAY, NAME, Portion, origin

NUMBER_BITS: Final = 24
MOST_ROWS: Final = 3000
CHUNK: Final = 1 << 20
FULL_TRIES: Final = 50


class Centre:
    """Takes frames, gives receipts, and writes down all it was given."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._with_readings: set[Hash] = set()
        self._key = SigningKey.from_seed(CENTRE_SEED)
        path.touch()

    async def serve(self, buffer: Buffer, most: int) -> int:
        """Take the oldest batches that wait; return how many those were."""
        held = await buffer.unreceipted(most)
        frames = await buffer.frames(held)
        if len(frames) != len(held):
            return 0
        with self._path.open("a") as file:
            for frame in frames:
                told = [int(frame.flags), *(part.hex() for part in _parts(frame))]
                file.write(json.dumps(told) + "\n")
        receipts = [
            sign_receipt(
                self._key,
                BatchPlace(
                    gateway_id=GATEWAY,
                    chain_id=one.chain_id,
                    batch_no=one.batch_no,
                    batch_hash=one.batch_hash,
                ),
                verdict=self._verdict(one, frame),
                received_ns=1,
            )
            for one, frame in zip(held, frames, strict=True)
        ]
        return await buffer.settle(receipts)

    def _verdict(self, held: Held, frame: BatchFrame) -> Verdict:
        if not frame.flags & FrameFlag.HEADSTONE:
            self._with_readings.add(held.batch_hash)
        is_whole = held.batch_hash in self._with_readings
        return Verdict.ACCEPTED if is_whole else Verdict.HEADSTONE


def _parts(frame: BatchFrame) -> tuple[bytes, bytes, bytes]:
    return frame.header_bytes, frame.signature, frame.body


class Gateway:
    """One life after another of a buffer, and what happens to its disk."""

    def __init__(self, folder: Path, centre: Centre, chance: random.Random) -> None:
        self._filler = folder / "filler"
        self._centre = centre
        self._chance = chance
        self._noise = np.random.default_rng(chance.randrange(2**32))
        self._settings = BufferSettings(path=folder / NAME, quota_mb=16)
        self._page_limit = chance.randrange(1_000, 16_000)
        self._is_cut = chance.random() < 0.5
        self._boots = 0
        self.taken = 0
        self.happened: Counter[str] = Counter()
        self._waiting: Portion | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Buffer]:
        """Yield the buffer after a start; a start that a full disk refuses is tried with room."""
        self._boots += 1
        boot = Boot(boot_id=UUID(int=self._boots))
        async with open_buffer(
            self._settings, origin=origin(), clock=SystemClock(), boot=boot
        ) as buffer:
            # Another quota than any setting allows, so that it is full soon.
            buffer._writer.quota._page_limit = self._page_limit
            yield buffer

    async def live(self, steps: int) -> bool:
        """Run one life of so many steps; return whether it could start and stop in order."""
        try:
            async with self.opened() as buffer:
                for _ in range(steps):
                    await self._step(buffer)
                await self._settled_down(buffer)
        except BufferUnavailableError:
            self.happened["starts or stops refused"] += 1
            self.free()
            return False
        return True

    async def end(self) -> None:
        """Make room, let the buffer recover, and stop in order."""
        self.free()
        async with self.opened() as buffer:
            await self._settled_down(buffer)
            for _ in range(3):
                await buffer.append(self._portion())
            if self._chance.random() < 0.5:
                while await self._centre.serve(buffer, 256):
                    pass
            await buffer.append(Nothing())
            self.happened["ballast is back"] = buffer.storage().has_ballast

    def free(self) -> None:
        """Give the disk its room back."""
        with suppress(FileNotFoundError):
            self._filler.unlink()

    async def _step(self, buffer: Buffer) -> None:
        match self._chance.choices(
            ("append", "serve", "cut", "fill", "nearly", "free"), (70, 12, 3, 4, 4, 10)
        )[0]:
            case "append":
                await self._append(buffer)
            case "cut":
                self._is_cut = not self._is_cut
            case "serve" if self._is_cut:
                pass
            case "serve":
                with suppress(BufferUnavailableError):
                    self.happened["served"] += await self._centre.serve(
                        buffer, self._chance.randrange(1, 40)
                    )
            case "fill":
                self._fill(0)
            case "nearly":
                self._fill(self._chance.randrange(4_096, 2 << 20))
            case _:
                self.free()

    async def _append(self, buffer: Buffer) -> None:
        portion = self._waiting or self._portion()
        self._waiting = None
        try:
            await buffer.append(portion)
        except BufferFullError:
            self.happened["quota full"] += 1
            self._waiting = portion
        except BufferUnavailableError as error:
            self.happened[f"refused: {error.fault}"] += 1
            if await buffer.append_volatile(portion):
                self.happened["in memory"] += 1
            else:
                self._waiting = portion

    async def _settled_down(self, buffer: Buffer) -> None:
        """Bring to the disk what it had refused, making room before a stop."""
        self.free()
        self.happened["given up"] += buffer.counters.given_up_readings
        for _ in range(FULL_TRIES):
            if self._waiting is None:
                break
            await self._append(buffer)
            await self._centre.serve(buffer, 64)
        await buffer.flush()

    def _portion(self) -> Portion:
        clock = SystemClock().now()
        scans = 1 + self._chance.randrange(MOST_ROWS // len(CHANNELS))
        zeros = np.zeros(len(CHANNELS), dtype=np.uint32)
        readings = []
        for index in range(scans):
            numbers = np.arange(len(CHANNELS), dtype=np.int64) + self.taken + 1
            noise = self._noise.integers(0, 2**39, len(CHANNELS), dtype=np.int64)
            self.taken += len(CHANNELS)
            readings.append(
                Readings(
                    at_ns=clock.utc_ns + index,
                    mono_ns=clock.mono_ns + index,
                    channel=CHANNELS,
                    raw=(noise << NUMBER_BITS) | numbers,
                    status=zeros,
                    quality=zeros,
                )
            )
        return Portion(readings=tuple(readings))

    def _fill(self, left_bytes: int) -> None:
        """Leave so many bytes of the disk free, and no more."""
        self.happened["fills"] += 1
        self.free()
        self._filler.touch()
        with self._filler.open("ab", buffering=0) as file:
            for size in (CHUNK, 4096):
                with suppress(OSError):
                    while _free_bytes(self._filler.parent) > left_bytes + size:
                        file.write(bytes(size))
            if not left_bytes:
                with suppress(OSError):
                    while True:
                        file.write(bytes(512))


def _free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def work(folder: Path, out: Path, *, seed: int, steps: int) -> None:
    """Live, and write down what was taken."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    gateway = Gateway(folder, Centre(out / "centre.jsonl"), chance)
    left = steps
    while left > 0:
        life = min(left, chance.randrange(20, 150))
        await gateway.live(life)
        left -= life
    await gateway.end()
    has_room = _free_bytes(folder) > BALLAST_BYTES // 4
    told = {"taken": gateway.taken, "has_room": has_room, **gateway.happened}
    (out / "taken.json").write_text(json.dumps(told))


def main() -> None:
    """Run the workload of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    asyncio.run(work(given.dir, given.out, seed=given.seed, steps=given.steps))


if __name__ == "__main__":
    main()
