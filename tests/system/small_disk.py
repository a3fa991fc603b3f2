"""A whole gateway on a small disk of its own, and how that disk is filled under it."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from edge_agent.technician.asking import asked
from tests.faults.full_disk import small_disk
from tests.system.evidence import Witness
from tests.system.installation import Installation, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LACKING = [
    name
    for name, is_there in (
        ("root", os.geteuid() == 0),
        ("mkfs.ext4", shutil.which("mkfs.ext4") is not None),
    )
    if not is_there
]


def fill(folder: Path) -> None:
    """Take the last byte of a disk."""
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))


def alarms(one: Installation) -> set[str]:
    """Return the alarms that the agent tells of itself."""
    status = asked(one.gateway / "agent.sock")
    raised = [] if status is None else status["alarms"]
    assert isinstance(raised, list)
    return {str(alarm["reason"]) for alarm in raised if isinstance(alarm, dict)}


def until_it_hurts(one: Installation, disk: Path) -> None:
    """Fill the disk, and return once the agent says so."""
    fill(disk)
    hurt = {"storage_full", "disk_low"}
    wait_until("an alarm of the disk", lambda: bool(alarms(one) & hurt), limit_s=20)


def until_more(witness: Witness) -> None:
    """Return once the centre has got more batches."""
    before = witness.at_centre()
    wait_until("uploads go on", lambda: witness.at_centre() > before + 1, limit_s=30)


@contextmanager
def on_small_disk(
    tmp_path: Path, *, size_mib: int, seed: int
) -> Iterator[tuple[Installation, Witness, Path]]:
    """Yield a gateway that works and uploads on a disk of its own, and that disk."""
    with (
        small_disk(tmp_path, size_mib=size_mib, is_tmpfs=False) as disk,
        Installation(tmp_path / "one", seed=seed) as one,
    ):
        one.folder.mkdir()
        one.gateway.symlink_to(disk)
        one.install(one.centre_port)
        witness = Witness(one)
        one.start_centre()
        one.start_agent()
        wait_until("an upload", lambda: witness.at_centre() > 2, limit_s=30)
        yield one, witness, disk
