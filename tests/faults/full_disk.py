"""Fills the disk under a buffer, again and again, and holds what is left against what was taken.

usage: python -m tests.faults.full_disk [--count 2] [--seed S] [--steps 300] [--folder DIR]
Each cycle is a small file system of its own (ext4 on a loop device, or tmpfs), of a random size and
under a random quota. Prints one JSON object; exit code 1 if a cycle failed. Needs root.
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
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CHECKER: Final = ROOT / "tests" / "faults" / "full_disk_checker.py"
LIMIT_S: Final = 300
MIB: Final = 1 << 20
SIZES_MIB: Final = (24, 32, 48, 96)


@contextmanager
def small_disk(folder: Path, *, size_mib: int, is_tmpfs: bool) -> Iterator[Path]:
    """Yield a folder on a file system of its own of that size."""
    disk = folder / "disk"
    disk.mkdir(parents=True)
    if is_tmpfs:
        run("mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "small", str(disk))
    else:
        image = folder / "image"
        with image.open("wb") as file:
            file.truncate(size_mib * MIB)
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", str(image))
        run("mount", "-o", "loop,noatime", str(image), str(disk))
    try:
        yield disk
    finally:
        run("umount", str(disk))


def cycle(folder: Path, *, seed: int, steps: int) -> dict[str, object]:
    """Run one; return the sums, the faults among them."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    out = folder / "out"
    out.mkdir(parents=True)
    size_mib, is_tmpfs = chance.choice(SIZES_MIB), chance.random() < 0.5
    with small_disk(folder, size_mib=size_mib, is_tmpfs=is_tmpfs) as disk:
        command = ["-m", "tests.faults.full_disk_workload", str(disk), str(out)]
        worked = _python(*command, "--seed", str(seed), "--steps", str(steps))
        about: dict[str, object] = {"seed": seed, "mib": size_mib, "tmpfs": is_tmpfs}
        if worked.returncode:
            return about | {"fault": worked.stderr[-2000:]}
        about |= json.loads((out / "taken.json").read_text())
        sums = json.loads(_python(str(CHECKER), str(disk), str(out)).stdout or "{}")
        if "fault" not in sums and sums["losses"]:
            blind = json.loads(_python(str(CHECKER), str(disk), str(out), "--forget-loss").stdout)
            if "fault" not in blind:
                sums["fault"] = "the checker did not notice a missing loss event"
        about |= sums
        return about


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    path = f"{ROOT}:{ROOT / 'tests' / 'independent'}"
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def run(*words: str) -> None:
    """Run a command that must not fail."""
    subprocess.run(words, check=True, capture_output=True, timeout=60)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cycles of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    given = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if given.seed is None else given.seed
    total: Counter[str] = Counter()
    faults: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for index in range(given.count):
            folder = (given.folder or Path(temporary)) / str(index)
            found = cycle(folder, seed=seed + index, steps=given.steps)
            if "fault" in found:
                faults.append(found)
            numbers = {k: v for k, v in found.items() if isinstance(v, int) and k not in HELD}
            total.update(numbers)
            print(json.dumps(found), file=sys.stderr, flush=True)
    is_good = not faults
    report = {"campaign": "disk_full", "seed": seed, "count": given.count, "is_good": is_good}
    report |= dict(total) | {"failed": len(faults), "faults": faults[:3]}
    print(json.dumps(report))
    return 0 if is_good else 1


# What is no sum over cycles.
HELD: Final = ("seed", "mib", "tmpfs", "has_room")

if __name__ == "__main__":
    sys.exit(main())
