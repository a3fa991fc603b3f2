"""Measures how many bytes the buffer writes to disk per reading, with the uplink up.

usage: python -m tests.faults.bytes_to_disk FOLDER [--hours 1] [--quota-mb 1024]
                                                    [--only-chosen] [--device /dev/loopN]
60 channels of 12-bit registers on 6 devices, one scan of each a second, at 5-, 10- and 60-second
commits; every minute the centre's receipts for all that waits. Simulated time, real batches.
FOLDER must be on a real disk: what counts is write_bytes of /proc/self/io. With --device the
counters of that block device are read as well (file system journal included).
"""

import argparse
import asyncio
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

import numpy as np
import numpy.typing as npt

from edge_agent.buffer import schema
from edge_agent.buffer.records import Boot
from edge_agent.buffer.store import open_buffer
from edge_agent.clock import NS_PER_S, Instant, Trust
from edge_agent.config.model import BufferSettings
from edge_agent.wire.readings import Readings
from tests.faults.buffer_workload import Portion, origin, receipts_for, weaken

DEVICES: Final = 6
CHANNELS_EACH: Final = 10
UPLOAD_S: Final = 60
SECTOR_BYTES: Final = 512  # Documentation/block/stat.rst: sectors are always of 512 bytes
JITTER_NS: Final = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One layout at one commit interval."""

    commit_s: int = 10
    page_bytes: int = schema.PAGE_BYTES
    checkpoint_pages: int = schema.CHECKPOINT_PAGES
    are_receipts_folded: bool = True


@dataclass(slots=True)
class SimulatedClock:
    """A clock that stands still until it is told."""

    mono_ns: int = NS_PER_S

    def now(self) -> Instant:
        """Return the simulated moment."""
        return Instant(utc_ns=1_795_000_000 * NS_PER_S + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        """Return what a gateway with NTP says."""
        return Trust(state=1, error_ms=12)

    async def sleep_until(self, mono_ns: int) -> None:
        """Nobody sleeps here."""

    async def wait(self, event: asyncio.Event, until_mono_ns: int | None) -> None:
        """Nobody waits here."""


class Plant:
    """60 registers of 12 bits with AR(1) noise of 0.4 % of full scale."""

    def __init__(self) -> None:
        self._noise = np.random.default_rng(20261120)
        self._mean = self._noise.uniform(800, 3300, (DEVICES, CHANNELS_EACH))
        self._offset = np.zeros((DEVICES, CHANNELS_EACH))

    def second(self, clock: SimulatedClock) -> Iterator[Readings]:
        """Yield one scan of each device."""
        self._offset = 0.9 * self._offset + self._noise.normal(0, 16, self._offset.shape)
        words = np.clip(np.rint(self._mean + self._offset), 0, 4095).astype(np.int64)
        now = clock.now()
        zeros: npt.NDArray[np.uint32] = np.zeros(CHANNELS_EACH, dtype=np.uint32)
        for device in range(DEVICES):
            late_ns = int(self._noise.integers(0, JITTER_NS))
            yield Readings(
                at_ns=now.utc_ns + late_ns,
                mono_ns=now.mono_ns + late_ns,
                channel=np.arange(CHANNELS_EACH, dtype=np.uint32) + 1 + device * CHANNELS_EACH,
                raw=words[device],
                status=zeros,
                quality=zeros | np.uint32(1 << 31),
            )


async def simulate(case: Case, folder: Path, *, hours: float, quota_mb: int) -> dict[str, float]:
    """Return what one case wrote, per reading."""
    clock, plant = SimulatedClock(), Plant()
    settings = BufferSettings(path=folder / "buffer.db", quota_mb=quota_mb)
    readings = size = 0
    async with open_buffer(
        settings, origin=origin(), clock=clock, boot=Boot(boot_id=UUID(int=1))
    ) as buffer:
        begun = _written_bytes()
        for second in range(1, int(hours * 3600) + 1, case.commit_s):
            scans: list[Readings] = []
            for _ in range(case.commit_s):
                clock.mono_ns += NS_PER_S
                scans += plant.second(clock)
            for held in await buffer.append(Portion(readings=tuple(scans))):
                readings += held.record_count
                size += held.size
            if (second + case.commit_s - 1) % UPLOAD_S == 0:
                await buffer.settle(receipts_for(await buffer.unreceipted(256)))
                if not case.are_receipts_folded:
                    await buffer.flush()
    # Closing writes the log back into the file: counted, or a short run would look cheap.
    return {
        "written_per_reading": (_written_bytes() - begun) / readings,
        "frame_per_reading": size / readings,
        "evicted": buffer.counters.evicted,
    }


def _written_bytes() -> int:
    """Return what this process has sent to the block layer (proc(5), /proc/pid/io)."""
    for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines():
        name, value = line.split(":")
        if name == "write_bytes":
            return int(value)
    raise RuntimeError("/proc/self/io has no write_bytes")


def _device_bytes(device: str | None) -> int:
    """Return what a block device has been given, journal and all."""
    if device is None:
        return 0
    os.sync()
    fields = Path(f"/sys/block/{Path(device).name}/stat").read_text(encoding="ascii").split()
    return int(fields[6]) * SECTOR_BYTES


def cases() -> Iterator[Case]:
    """Yield what is compared: the chosen layout, then one change at a time."""
    for commit_s in (5, 10, 60):
        chosen = Case(commit_s=commit_s)
        yield chosen
        yield replace(chosen, are_receipts_folded=False)
        yield replace(chosen, checkpoint_pages=8000)
        yield replace(chosen, page_bytes=1024, checkpoint_pages=1000)
        yield replace(chosen, page_bytes=1024, checkpoint_pages=4000)
        yield replace(chosen, page_bytes=4096, checkpoint_pages=1000)
        yield replace(chosen, page_bytes=4096, checkpoint_pages=4000)


def main() -> None:
    """Measure and print one line per case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--device")
    parser.add_argument("--only-chosen", action="store_true")
    parser.add_argument("--quota-mb", type=int, default=1024)
    given = parser.parse_args()
    folder = given.folder / "bytes_to_disk"
    for case in cases():
        if given.only_chosen and case != Case(commit_s=case.commit_s):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        weaken("FULL", case.page_bytes, case.checkpoint_pages)
        begun = _device_bytes(given.device)
        found = asyncio.run(simulate(case, folder, hours=given.hours, quota_mb=given.quota_mb))
        rows = given.hours * 3600 * DEVICES * CHANNELS_EACH
        found["device_per_reading"] = (_device_bytes(given.device) - begun) / rows
        rounded = {name: round(value, 2) for name, value in found.items()}
        print(json.dumps(asdict(case) | rounded), flush=True)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
