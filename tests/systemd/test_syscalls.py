"""The agent's parts work with no other system calls than those that the unit leaves to them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.systemd.test_unit import run, service

WORKLOAD = Path(__file__).with_name("syscalls_workload.py")
ANALYZE, STRACE = shutil.which("systemd-analyze"), shutil.which("strace")

pytestmark = pytest.mark.skipif(
    ANALYZE is None or STRACE is None,
    reason="systemd-analyze or strace is missing: make system-packages",
)


def members(name: str) -> set[str]:
    """Return the system calls of one of systemd's sets, or the one call that this names."""
    if not name.startswith("@"):
        return {name}
    lines = run(str(ANALYZE), "syscall-filter", name).stdout.splitlines()[1:]
    words = [line.strip() for line in lines]
    inner = [members(word) for word in words if word and not word.startswith("#")]
    return set().union(*inner)


def allowed() -> set[str]:
    """Return what the unit's filter lets through: its lines take effect in order."""
    calls: set[str] = set()
    for line in service()["SystemCallFilter"]:
        names = line.removeprefix("~").split()
        change = set().union(*(members(name) for name in names))
        calls = calls - change if line.startswith("~") else calls | change
    return calls


def worked_without(refused: str) -> bool:
    """Return whether the workload gets through while these system calls fail with EPERM."""
    result = subprocess.run(
        [
            *(str(STRACE), "-f", "-qq", "-e", f"trace={refused}", "-e", "signal=none"),
            *("-e", f"inject={refused}:error=EPERM", "-o", "/dev/null"),
            *(sys.executable, str(WORKLOAD)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
        cwd=WORKLOAD.parents[2],
        env={"PYTHONPATH": ".", "OPENBLAS_NUM_THREADS": "1"},
    )
    return result.stdout.endswith("done\n")


def test_the_parts_of_the_agent_work_behind_the_filter() -> None:
    # A question mark lets strace pass over calls that this processor does not have.
    assert worked_without("!" + ",".join(f"?{call}" for call in sorted(allowed())))


def test_a_call_that_the_agent_needs_would_be_missed() -> None:
    assert not worked_without("fdatasync")
