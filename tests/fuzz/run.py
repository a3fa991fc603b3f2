"""The fuzz campaign: changed inputs into everything that reads bytes of strangers.

`python -m tests.fuzz.run --count 100000 --seed 1` ends with one JSON line. Each target runs in a
process of its own; one that dies, hangs, wants more than 256 MiB or raises what is no refusal has
failed, and its input is kept under .bench/fuzz. Of each target's inputs at least a tenth must pass
the outermost check, or it is that check alone which is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.target import TARGETS, shares
from tests.fuzz.worker import noted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = ROOT / ".bench" / "fuzz"
WORKER: Final = "tests.fuzz.worker"
LEAST_SHARE: Final = 0.1
# Two cores, one input at a time on each.
AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one target's process came to."""

    name: str
    wanted: int
    count: int
    passed: int
    cpu_s: float
    fault: str | None

    @property
    def share(self) -> float:
        """The part of the inputs that passed the outermost check."""
        return self.passed / self.count if self.count else 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing surprised the product, and what lies behind the outermost check was met.

        A handful of inputs says nothing about shares.
        """
        is_met = self.share >= LEAST_SHARE or self.count < 100
        return self.fault is None and self.count == self.wanted and is_met

    def facts(self) -> dict[str, object]:
        """Return it as JSON shows it."""
        rate = round(self.count / self.cpu_s) if self.cpu_s else None
        facts: dict[str, object] = {
            "inputs": self.count,
            "passed": round(self.share, 3),
            "per_cpu_s": rate,
        }
        return facts | ({"fault": self.fault} if self.fault else {})


def fuzzed(name: str, count: int, seed: int, *, worker: str = WORKER, kept: Path = KEPT) -> Result:
    """Run one target in a process; keep the input that ended it badly."""
    with tempfile.TemporaryDirectory() as scratch:
        last = Path(scratch) / "last"
        done = subprocess.run(
            [
                *(sys.executable, "-m", worker, name, "--count", str(count)),
                *("--seed", str(seed), "--last", str(last)),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": scratch, "OPENBLAS_NUM_THREADS": "1"},
        )
        lines = done.stdout.splitlines()
        report = json.loads(lines[-1]) if lines else {}
        fault = report.get("fault") if report else _death(done.returncode, done.stderr)
        if fault is not None and last.exists():
            content = noted(last)
            kept.mkdir(parents=True, exist_ok=True)
            path = kept / f"{name}-{sha256(content).hexdigest()[:16]}.bin"
            path.write_bytes(content)
            fault = f"{fault} ({path.name})"
    return Result(
        name=name,
        wanted=count,
        count=int(report.get("count", 0)),
        passed=int(report.get("passed", 0)),
        cpu_s=float(report.get("cpu_s", 0.0)),
        fault=fault,
    )


def _death(code: int, said: str) -> str:
    """Return how a process ended that could not say it itself."""
    if code == -signal.SIGALRM:
        return "hang"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}: {said[-300:]}"


def results(
    count: int, seed: int, modules: Mapping[str, tuple[str, int]] = TARGETS
) -> Iterator[Result]:
    """Yield the result of each target, the longest first."""
    parts = sorted(shares(count, modules).items(), key=lambda part: part[1])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        yield from threads.map(lambda part: fuzzed(part[0], part[1], seed), parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every target; print one JSON line; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--only", choices=sorted(TARGETS))
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    print(f"fuzz: {known.count} inputs, seed {seed}", file=sys.stderr, flush=True)
    modules = {known.only: TARGETS[known.only]} if known.only else TARGETS
    found = list(results(known.count, seed, modules))
    count = sum(result.count for result in found)
    is_good = all(result.is_good for result in found)
    report = {
        "is_good": is_good,
        "campaign": "fuzz",
        "seed": seed,
        "count": count,
        "passed": round(sum(result.passed for result in found) / count, 3) if count else 0.0,
        "targets": {result.name: result.facts() for result in found},
    }
    print(json.dumps(report))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
