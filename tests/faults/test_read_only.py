"""A file system that turns read-only under the buffer, as the kernel does when its disk fails."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from edge_agent.buffer.faults import BufferUnavailableError, Fault
from edge_agent.buffer.store import Buffer
from tests.edge_agent.buffer.gateway import Gateway, Portion, numbers, raw_of, receipts
from tests.faults.full_disk import run, small_disk

LACKING = [
    name
    for name, is_there in (
        ("root", os.geteuid() == 0),
        ("mkfs.ext4", shutil.which("mkfs.ext4") is not None),
    )
    if not is_there
]


async def refused(buffer: Buffer, portion: Portion) -> None:
    with pytest.raises(BufferUnavailableError) as refusal:
        await buffer.append(portion)
    assert refusal.value.fault is Fault.READONLY
    assert await buffer.append_volatile(portion)


async def live(disk: Path) -> None:
    gateway = Gateway(disk)
    async with gateway.opened() as buffer:
        for rows in (1, 2):
            await buffer.append(gateway.portion(rows))
        # ext4(5), Mount options: abort simulates what an I/O error of the journal does.
        await asyncio.to_thread(run, "mount", "-o", "remount,abort", str(disk))
        for rows in (3, 4, 5):
            await refused(buffer, gateway.portion(rows))
        held = await buffer.unreceipted(100)
        frames = await buffer.frames(held)
        # The commit that saw the disk fail is not known to have failed: it waits.
        assert numbers(held) == [0, 1, 2, 0, 1]
        assert [len(raw_of(frame)) for frame in frames] == [0, 1, 2, 4, 5]
        assert await buffer.settle(receipts(held)) == 5
        assert buffer.backlog().unreceipted_count == 0


@pytest.mark.root
@pytest.mark.skipif(bool(LACKING), reason=f"NO READ-ONLY DISK: no {', '.join(LACKING)}")
def test_a_disk_that_turns_read_only_is_still_read_and_what_is_new_goes_out_from_memory(
    tmp_path: Path,
) -> None:
    with (
        small_disk(tmp_path, size_mib=48, is_tmpfs=False) as disk,
        pytest.raises(BufferUnavailableError),
    ):
        asyncio.run(live(disk))
