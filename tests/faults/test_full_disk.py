"""A disk that is filled to its last byte: every reading is at the centre, here, or signed as lost.

FULL_DISK_CYCLES raises the count, FULL_DISK_SEED repeats a run.
"""

import os
import shutil

import pytest

from tests.faults import full_disk
from tests.system.campaign import budgets, seed_in_test

COUNT = int(os.environ.get("FULL_DISK_CYCLES") or {b.name: b.test for b in budgets()}["disk_full"])
LACKING = [
    name
    for name, is_there in (
        ("root", os.geteuid() == 0),
        ("mkfs.ext4", shutil.which("mkfs.ext4") is not None),
        ("mount", shutil.which("mount") is not None),
    )
    if not is_there
]


@pytest.mark.root
@pytest.mark.skipif(bool(LACKING), reason=f"NO FULL DISK WAS TESTED: no {', '.join(LACKING)}")
@pytest.mark.timeout(120 + 60 * COUNT)
def test_a_full_disk_loses_nothing_without_a_signed_word() -> None:
    seed = seed_in_test("disk_full", "FULL_DISK_SEED")
    assert full_disk.main(["--count", str(COUNT), "--seed", str(seed)]) == 0
