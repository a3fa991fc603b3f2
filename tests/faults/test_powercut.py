"""Power cuts at random moments: what the buffer acknowledged is there, and the tool would notice.

POWERCUT_POINTS sets the number of crash points (default 24; a campaign takes 400).
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
POINTS = int(os.environ.get("POWERCUT_POINTS", "24"))
SECONDS_PER_POINT = 3

LACKING = [
    name
    for name, is_there in (
        ("root", os.geteuid() == 0),
        ("/dev/fuse", Path("/dev/fuse").exists()),
        ("/dev/loop-control", Path("/dev/loop-control").exists()),
        *((name, shutil.which(name) is not None) for name in ("fusermount3", "mkfs.ext4")),
    )
    if not is_there
]

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(LACKING), reason=f"NO POWER CUT WAS TESTED: no {', '.join(LACKING)}"),
    pytest.mark.timeout(120 + SECONDS_PER_POINT * POINTS),
]


def cut(folder: Path, *, points: int, work: str = "", check: str = "") -> dict[str, object]:
    """Return what the campaign found; the words are added to workload and checker."""
    tools = f"{sys.executable} -m tests.faults"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.faults.powercut", "--folder", str(folder)),
            *("--points", str(points), "--seed", str(POINTS)),
            *("--work", f"{tools}.buffer_workload {{dir}} {{mark}} {work}"),
            *("--check", f"{tools}.buffer_checker {{dir}} {{mark}} {check}"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    print(found)
    return found


def test_no_power_cut_takes_what_was_acknowledged(tmp_path: Path) -> None:
    found = cut(tmp_path, points=POINTS, check="--reopen")
    assert found["work_exit_code"] == 0
    assert found["points"] == POINTS
    assert found["failed"] == 0, found["first_failures"]


def test_the_same_cuts_do_find_what_a_weaker_commit_loses(tmp_path: Path) -> None:
    weak = "--synchronous NORMAL --commits 300 --most-rows 600"
    found = cut(tmp_path, points=8, work=weak)
    assert found["work_exit_code"] == 0
    assert found["failed"] == found["points"]
