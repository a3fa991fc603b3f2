"""Fails, or kills the process at, the N-th of each system call with which a buffer writes.

usage: python -m tests.faults.failing_calls [--count 12] [--seed S]
The issue's count is every fifth N up to 200 for every call and fault; fewer are chosen at random
among those, more at random up to N = 2,000. Judged by buffer_checker, which shares no code with the
product: what was acknowledged is there. Prints one JSON object; exit code 1 on a fault. Needs
strace.
"""

import argparse
import json
import os
import random
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LIMIT_S: Final = 120
# strace(1), --inject: an error, or a signal on entering the call. Every thread has its own counts.
OFTEN: Final = (
    ("pwrite64", "error=EIO"),
    ("pwrite64", "error=ENOSPC"),
    ("pwrite64", "signal=KILL"),
    ("fdatasync", "error=EIO"),
    ("fdatasync", "signal=KILL"),
    ("openat", "error=EIO"),
)
# These come a few times in a life of a buffer: their first calls, every one.
SELDOM: Final = tuple(
    (call, fault)
    for call in ("ftruncate", "unlink", "fsync")
    for fault in ("error=EIO", "signal=KILL")
)
SELDOM_MOST: Final = 4
# strace ends as its tracee did.
KILLED: Final = (-9, 137)
ISSUE_STEP: Final = 5
ISSUE_MOST: Final = 200
TORTURE_MOST: Final = 2_000
COMMITS: Final = 220
TORTURE_COMMITS: Final = 800


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where to fail: which call, how, and the how-many-th of it."""

    call: str
    fault: str
    number: int

    @property
    def is_kill(self) -> bool:
        """Whether the process ends there."""
        return self.fault.startswith("signal")

    @property
    def name(self) -> str:
        """The kind of fault, for the report."""
        return f"{self.call} {self.fault}"


def points(count: int, chance: random.Random) -> Iterator[Point]:
    """Yield where to fail."""
    numbers = range(ISSUE_STEP, ISSUE_MOST + 1, ISSUE_STEP)
    often = [(kind, number) for kind in OFTEN for number in numbers]
    seldom = [(kind, number) for kind in SELDOM for number in range(1, SELDOM_MOST + 1)]
    every = [
        Point(call=call, fault=fault, number=number) for (call, fault), number in (*often, *seldom)
    ]
    chance.shuffle(every)
    yield from islice(every, count)
    for _ in range(len(every), count):
        call, fault = chance.choice(OFTEN)
        yield Point(call=call, fault=fault, number=chance.randint(1, TORTURE_MOST))


def cycle(folder: Path, point: Point, seed: int) -> tuple[bool, str]:
    """Run the workload with one fault and judge what it left.

    Returns:
        Whether the call came about, and what is wrong; empty where nothing is.

    """
    ack, trace = folder / "ack", folder / "trace"
    commits = COMMITS if point.number <= ISSUE_MOST else TORTURE_COMMITS
    inject = f"inject={point.call}:{point.fault}:when={point.number}"
    # With --seccomp-bpf strace is fast, and delivers no signals (seen with 6.1).
    fast = () if point.is_kill else ("--seccomp-bpf",)
    ran = _run(
        *("strace", "-f", "-qq", *fast, "-o", str(trace)),
        *("-e", f"trace={point.call}", "-e", inject),
        *(sys.executable, "-m", "tests.faults.failing_calls_workload", str(folder), str(ack)),
        *("--commits", str(commits), "--seed", str(seed)),
    )
    promised = ack.read_text().splitlines() if ack.exists() else []
    told = trace.read_text(errors="replace") if trace.exists() else ""
    is_hit = ran.returncode in KILLED if point.is_kill else "INJECTED" in told
    if not promised:
        return is_hit, ""
    checker = [sys.executable, "-m", "tests.faults.buffer_checker", str(folder), promised[-1]]
    done = _run(*checker, "--reopen")
    return is_hit, "" if done.returncode == 0 else (done.stdout or done.stderr)[-1000:]


def _run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cycles of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=12)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if given.seed is None else given.seed
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    kinds: Counter[str] = Counter()
    faults: list[str] = []
    for index, point in enumerate(points(given.count, chance)):
        with tempfile.TemporaryDirectory() as folder:
            is_hit, fault = cycle(Path(folder), point, seed + index)
        kinds[point.name] += is_hit
        if fault:
            faults.append(f"{point}: {fault}")
            print(faults[-1], file=sys.stderr, flush=True)
    report = {"campaign": "syscalls", "seed": seed, "count": given.count, "is_good": not faults}
    report |= {"injected": kinds.total()}
    print(
        json.dumps(report | {"failed": len(faults), "results": dict(kinds), "faults": faults[:3]})
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
