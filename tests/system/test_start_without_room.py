"""A start on a disk that is full or read-only: what goes on, what stops, and with which words."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.full_disk import run
from tests.system.installation import Installation, wait_until
from tests.system.small_disk import LACKING, alarms, fill, on_small_disk, until_more

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.evidence import Witness

UNAVAILABLE = 69
LIMIT_S = 30.0

pytestmark = [
    pytest.mark.root,
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(LACKING), reason=f"NO START ON A FULL DISK: no {', '.join(LACKING)}"),
]


@contextmanager
def stopped(tmp_path: Path, *, size_mib: int) -> Iterator[tuple[Installation, Witness, Path]]:
    """Yield a gateway that has worked on a disk of its own and was stopped, and that disk."""
    with on_small_disk(tmp_path, size_mib=size_mib, seed=3) as (one, witness, disk):
        assert one.stop("agent") == 0
        yield one, witness, disk


def fill_at_once(disk: Path) -> None:
    """Take the last byte of a disk, most of it without writing."""
    free = os.statvfs(disk)
    with (disk / "filler").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - (8 << 20)))
    fill(disk)


def refused(one: Installation) -> str:
    """Start an agent that must stop by itself; return what it said."""
    log = one.folder / "agent.log"
    before = log.stat().st_size
    one.start_agent()
    assert one.running.pop("agent").wait(LIMIT_S) == UNAVAILABLE
    with log.open("rb") as file:
        file.seek(before)
        return file.read().decode()


def starts_again(one: Installation, witness: Witness) -> None:
    """Start the agent, which must go on with what it had; ask for the verdict."""
    one.start_agent()
    until_more(witness)
    wait_until("nothing waits", lambda: witness.unreceipted() <= 1, limit_s=LIMIT_S)
    assert one.stop("agent") == 0
    witness.look()
    report = witness.verdict()
    assert (report["exit_code"], report["chains"]) == (0, 1), report


def test_a_start_on_a_full_disk_takes_the_reserve_and_works(tmp_path: Path) -> None:
    with stopped(tmp_path, size_mib=2_048) as (one, witness, disk):
        fill_at_once(disk)
        one.start_agent()
        until_more(witness)
        assert {"storage_full", "disk_low"} & alarms(one)
        assert not (disk / "buffer.db.ballast").exists()
        assert one.stop("agent") == 0
        (disk / "filler").unlink()
        starts_again(one, witness)


def test_a_start_that_may_not_write_stops_says_why_and_leaves_the_buffer_alone(
    tmp_path: Path,
) -> None:
    with stopped(tmp_path, size_mib=48) as (one, witness, disk):
        run("mount", "-o", "remount,ro", str(disk))
        said = refused(one)
        assert "Read-only file system; make its folder writable for the agent" in said
        run("mount", "-o", "remount,rw", str(disk))
        (disk / "buffer.db.ballast").unlink()  # given up, and what it freed was taken too
        fill(disk)
        said = refused(one)
        assert "buffer.db: " in said
        assert "there is no room on its disk: free some" in said
        assert "damaged" not in said
        assert not (disk / "quarantine").exists()
        (disk / "filler").unlink()
        starts_again(one, witness)
        for path in disk.glob("buffer.db*"):
            path.unlink()
        fill(disk)
        assert "buffer.db: database or disk is full. Check its free space" in refused(one)
