"""One target in a process of its own: so many inputs, within limits of time and memory.

`python -m tests.fuzz.worker NAME --count N --seed S --last FILE` ends with one JSON line. FILE
holds the input under way, so that whoever finds the process dead knows what killed it;
`--replay FILE` runs that one again.
"""

from __future__ import annotations

import argparse
import gc
import json
import mmap
import random
import resource
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent import logs
from tests.fuzz.target import TARGETS, Target, target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# More than this above what the process has when it begins is a fault.
MEMORY_BYTES: Final = 256 * 1024 * 1024
HANG_S: Final = 10
# So many inputs share one alarm: setting it costs as much as the cheapest of them.
ROUND: Final = 64
LARGEST_INPUT: Final = 8 * 1024 * 1024
WARM_UP: Final = 20
PAGE_BYTES: Final = resource.getpagesize()


def run(found: Target, count: int, seed: int, last: mmap.mmap) -> dict[str, object]:
    """Return what became of so many inputs of a target; a surprise ends it."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    outcomes: Counter[bool] = Counter()
    for number in range(count):
        if number % ROUND == 0:
            signal.alarm(HANG_S)
        content = found.make(chance)
        _note(last, content)
        try:
            outcomes[found.run(content)] += 1
        except Exception as error:  # noqa: BLE001 - whatever a refusal is not, is what we look for
            signal.alarm(0)
            return {"count": number, "passed": outcomes[True], "fault": _told(error)}
    signal.alarm(0)
    return {"count": count, "passed": outcomes[True], "fault": None}


def _note(last: mmap.mmap, content: bytes) -> None:
    """Leave an input where it outlives this process."""
    last[:4] = len(content).to_bytes(4, "little")
    last[4 : 4 + len(content)] = content


def noted(path: Path) -> bytes:
    """Return the input that a process noted last."""
    with path.open("rb") as file:
        return file.read(int.from_bytes(file.read(4), "little"))


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _limit_memory() -> None:
    """Let no address space be had beyond what there is now and the limit."""
    used = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * PAGE_BYTES
    limit = used + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def prepared(name: str, modules: Mapping[str, tuple[str, int]] = TARGETS) -> Target:
    """Return a target whose libraries are loaded and warm, under the limits."""
    logs.configure("critical")
    warnings.simplefilter("error")
    found = target(name, modules)
    chance = random.Random(0)  # noqa: S311 - chance, not a secret
    for _ in range(WARM_UP):
        found.run(found.make(chance))
    gc.collect()
    _limit_memory()
    return found


def main(
    arguments: Sequence[str] | None = None, modules: Mapping[str, tuple[str, int]] = TARGETS
) -> int:
    """Run; return 1 after a surprise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(modules))
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--last", type=Path)
    parser.add_argument("--replay", type=Path, help="an input that was kept; nothing else is run")
    known = parser.parse_args(arguments)
    found = prepared(known.name, modules)
    if known.replay:
        print(json.dumps({"passed": found.run(known.replay.read_bytes())}))
        return 0
    with known.last.open("w+b") as file:
        file.truncate(4 + LARGEST_INPUT)
        with mmap.mmap(file.fileno(), 0) as last:
            report = run(found, known.count, known.seed, last)
    used = resource.getrusage(resource.RUSAGE_SELF)
    report |= {"cpu_s": round(used.ru_utime + used.ru_stime, 2), "rss_mb": used.ru_maxrss // 1024}
    print(json.dumps(report))
    return 0 if report["fault"] is None else 1


if __name__ == "__main__":
    sys.exit(main())
