"""Random schedules of batches, uploads, faults, crashes and accidents; each is judged at its end.

Run as `python -m tests.simulation.schedules --count N --seed S`: N schedules.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from time import monotonic
from typing import TYPE_CHECKING

from tests.simulation.network import FAULTS
from tests.simulation.world import Rules, S, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.gateway import Gateway
    from tests.simulation.machine import Image

# Most are short, so that there are many; what takes long to go wrong needs the long ones.
STEPS = (10, 16, 16, 24, 24, 60)
# So many of a hundred schedules meet accidents: copies, replaced disks, a centre put back.
HOSTILE_PCT = 70
# The rest meet crashes and network faults only.
ACTS = (
    *["seal"] * 22,
    *["exchange"] * 44,
    *["crash"] * 3,
    *["interval"] * 5,
    *["late"] * 3,
    *["forget"] * 4,
    *["silence", "poison", "evict", "evict", "damage"],
    *["image"] * 4,
    *["backup"] * 4,
    *["copy"] * 5,
    *["put back"] * 4,
    *["quarantine"] * 2,
)
ACCIDENTS = frozenset({"copy", "put back", "quarantine"})
MOST_MACHINES = 3


class Schedule:
    """One world and what chance does to it."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.world = World(seed, rules or Rules())
        self.rng = self.world.rng
        self.is_hostile = self.rng.randrange(100) < HOSTILE_PCT
        self.images: list[Image] = []
        self.backups: list[bytes] = []

    def played(self) -> list[str]:
        """Play it to its end; return everything that is wrong then."""
        for _ in range(self.rng.choice(STEPS)):
            self.act(self.rng.choice(ACTS))
        wrong = self.world.judged()
        self.world.close()
        return wrong

    def act(self, what: str) -> None:
        """Take one step."""
        world, rng = self.world, self.rng
        machine = rng.choice(world.gateways)
        world.now_ns += rng.randrange(20) * S
        if what in ACCIDENTS:
            if self.is_hostile:
                self.accident(what, machine)
            return
        steps: dict[str, Callable[[], object]] = {
            "seal": lambda: machine.buffer.seal_many(rng.choice((1, 1, 1, 2, 5))),
            "exchange": lambda: world.exchange(machine, rng.choice(FAULTS)),
            "crash": machine.start,
            "interval": machine.interval,
            "late": world.deliver_late,
            "evict": lambda: machine.buffer.evict(rng.randrange(1, 4)),
            "damage": machine.buffer.damage,
            "poison": lambda: machine.buffer.seal(is_poison=True),
            "silence": lambda: world.wait(hours=rng.randrange(60)),
            "forget": lambda: machine.buffer.forget(rng.randrange(8)),
            "image": lambda: self.images.append(machine.buffer.image()),
            "backup": lambda: self.backups.append(world.centre.backup()),
        }
        steps[what]()

    def accident(self, what: str, machine: Gateway) -> None:
        """Take a step that no gateway and no centre takes by itself."""
        world, rng = self.world, self.rng
        match what:
            case "copy" if self.images:
                is_beside = rng.random() < 0.5 and len(world.gateways) < MOST_MACHINES
                world.copy(
                    rng.choice(self.images),
                    is_resumed=rng.random() < 0.3,
                    onto=None if is_beside else machine,
                )
            case "put back" if self.backups:
                world.put_back(rng.choice(self.backups))
            case "quarantine":
                world.quarantine(machine)


def main() -> int:
    """Run, and end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    known = parser.parse_args()
    began_s = monotonic()
    wrong: dict[str, int] = {}
    met: Counter[str] = Counter()
    for seed in range(known.seed, known.seed + known.count):
        schedule = Schedule(seed)
        for fault in schedule.played():
            wrong.setdefault(fault, seed)
        met["hostile"] += schedule.world.is_hostile
        met["set_back"] += bool(schedule.world.set_back)
        met["batches"] += schedule.world.serial
    report = {
        "count": known.count,
        "is_good": not wrong,
        "seconds": round(monotonic() - began_s, 1),
        **met,
        "violations": wrong,
    }
    print(json.dumps(report))
    return 0 if not wrong else 1


if __name__ == "__main__":
    raise SystemExit(main())
