"""The soak: a gateway and a centre run for hours, and what they take of the machine stays flat.

`python -m tests.system.soak --count 120 --seed 1` runs so many minutes and ends with one JSON line.
Nine devices are polled every second; one of them comes and goes. Memory, descriptors and threads of
agent and centre are sampled every ten seconds and judged by vitals.py; what arrived is judged by
the independent checker. SIGTERM or SIGINT ends a soak early, with a verdict over what there is.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

import psutil

from tests.system.evidence import Witness
from tests.system.installation import CLOCK, Installation, wait_until
from tests.system.relay import Relay
from tests.system.vitals import MIB, Sample, sample, trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.system.evidence import Report

STEADY_DEVICES = 8
PERIOD_S = 1.0
WATCHED = ("agent", "centre")
SAMPLE_S = 10.0
TOLD_EVERY_S = 300.0
# How long the device that comes and goes is there, and how long it is not.
THERE_S = (5.0, 90.0)
GONE_S = (0.5, 30.0)
# The goal is 1 MiB a day, which two hours cannot show: docs/evidence has the slope and its error.
RSS_LIMIT_MIB_PER_H = 1.0
# The checker keeps every answer of the plant in memory, about 3 KB each.
LONGEST_WITH_POLLS_MIN = 240.0
START_LIMIT_S = 120.0


class Flapping:
    """Stands before a device and is there and gone in turn, at random."""

    def __init__(self, target_port: int, seed: int) -> None:
        self._target_port = target_port
        self._chance = random.Random(seed)  # noqa: S311 - chance, not a secret
        self._over = Event()
        self._relay = Relay(target_port)
        self._thread = Thread(target=self._flap)
        self.port = self._relay.port
        self.times_gone = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Be gone."""
        self._over.set()
        self._thread.join()

    def _flap(self) -> None:
        relay = self._relay
        while True:
            with relay:
                if self._over.wait(self._chance.uniform(*THERE_S)):
                    return
            self.times_gone += 1
            if self._over.wait(self._chance.uniform(*GONE_S)):
                return
            relay = Relay(self._target_port, self.port)


@dataclass
class Plant(Installation):
    """An installation whose last device comes and goes."""

    flapping: Flapping = field(init=False)

    def __exit__(self, *words: object) -> None:
        """End what still runs."""
        if hasattr(self, "flapping"):
            self.flapping.__exit__()
        super().__exit__(*words)

    def reached(self, ports: list[int]) -> list[int]:
        """Return the ports of the devices; the last one's is that of what stands before it."""
        self.flapping = Flapping(ports[-1], self.seed).__enter__()
        return [*ports[:-1], self.flapping.port]


@dataclass
class Soak:
    """One soak under way."""

    one: Plant
    began_ns: int = field(default_factory=lambda: CLOCK.now().mono_ns)
    samples: dict[str, list[Sample]] = field(default_factory=lambda: {name: [] for name in WATCHED})
    largest_log_mib: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.witness = Witness(self.one)
        self.processes = {name: psutil.Process(self.one.running[name].pid) for name in WATCHED}

    @property
    def minutes(self) -> float:
        """How long it has gone on."""
        return (CLOCK.now().mono_ns - self.began_ns) / 60e9

    def run(self, minutes: float, every_s: float, over: Event) -> None:
        """Sample until the time is over, and tell how it goes."""
        told_s = 0.0
        while self.minutes < minutes and not over.wait(every_s):
            self.one.check_running()
            at_s = self.minutes * 60
            for name, process in self.processes.items():
                self.samples[name].append(sample(process, at_s))
            for name, size_mib in self._sizes("-wal").items():
                self.largest_log_mib[name] = max(self.largest_log_mib.get(name, 0.0), size_mib)
            self.witness.look()
            if at_s - told_s >= TOLD_EVERY_S:
                told_s = at_s
                print(f"soak: {json.dumps(self.figures())}", file=sys.stderr, flush=True)

    def _sizes(self, suffix: str = "") -> dict[str, float]:
        """Return the sizes of the files of buffer and centre, MiB."""
        files = {"buffer": self.one.buffer, "centre": self.one.centre_file}
        beside = {name: path.with_name(path.name + suffix) for name, path in files.items()}
        there = {name: path for name, path in beside.items() if path.exists()}
        return {name: round(path.stat().st_size / MIB, 3) for name, path in there.items()}

    def figures(self) -> Report:
        """Return what was measured so far."""
        return {
            "minutes": round(self.minutes, 1),
            "file_mib": self._sizes(),
            "largest_log_mib": self.largest_log_mib,
            "times_gone": self.one.flapping.times_gone,
            "batches_seen": len(self.witness.seen),
            **{name: vitals(self.samples[name]) for name in WATCHED},
        }

    def drain(self) -> None:
        """Let everything arrive, stop the agent as an operator would, and note the last batches."""
        code = self.one.stop("agent")
        self.witness.look()
        if code:
            raise RuntimeError(f"the agent stopped with code {code}")


def vitals(samples: Sequence[Sample]) -> Report:
    """Return what became of a process, for people and for `is_flat`."""
    found = trend(samples)
    if found is None:
        return {"now": asdict(samples[-1])} if samples else {}
    return {
        "rss_mib": [round(found.rss_begin_mib, 2), round(found.rss_end_mib, 2)],
        "rss_mib_per_h": round(found.rss.per_h, 3),
        "rss_error": round(found.rss.error, 3),
        "descriptors": found.descriptors,
        "threads": found.threads,
        "is_flat": not found.rss.exceeds(RSS_LIMIT_MIB_PER_H)
        and found.more_descriptors <= 0
        and found.more_threads <= 0,
    }


def campaign(
    minutes: float, *, seed: int, folder: Path, every_s: float = SAMPLE_S, over: Event | None = None
) -> Report:
    """Run a new installation for so many minutes; return the report.

    Args:
        minutes: how long, from when the first readings have arrived.
        seed: of the plant, and of when its last device is gone.
        folder: an empty or missing folder, kept for whoever wants to look.
        every_s: between two samples.
        over: set to end it early.

    """
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    with ExitStack() as stack:
        one = stack.enter_context(
            Plant(
                folder,
                seed=seed,
                device_count=STEADY_DEVICES + 1,
                period_s=PERIOD_S,
                is_hasty=False,
            )
        )
        one.install(one.centre_port)
        one.start_centre()
        one.start_agent()
        soak = Soak(one)
        wait_until("the first batch", lambda: soak.witness.look() > 0, limit_s=START_LIMIT_S)
        soak.began_ns = CLOCK.now().mono_ns
        soak.run(minutes, every_s, over or Event())
        figures = soak.figures()
        soak.drain()
        verdict = soak.witness.verdict(with_polls=soak.minutes < LONGEST_WITH_POLLS_MIN)
        sees_damage = soak.witness.sees_damage(chance)
    return {
        "campaign": "soak",
        "seed": seed,
        "count": round(float(str(figures["minutes"]))),
        **figures,
        "checker_sees_damage": sees_damage,
        **verdict,
    }


def is_good(report: Report) -> bool:
    """Return whether nothing grew, and nothing was lost, twice or invented."""
    return (
        all(is_flat(report[name]) for name in WATCHED)
        and report["exit_code"] == 0
        and report["checker_sees_damage"] is True
        and not report["forks"]
        and not report["batches_declared_lost"]
    )


def is_flat(figures: object) -> bool:
    """Return whether a process did not grow; not, where too little was measured to tell."""
    return isinstance(figures, dict) and figures.get("is_flat") is True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one soak; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=float, default=30, help="minutes")
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    over = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    print(f"soak: {known.count:g} minutes, seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary) / "installation"
        report = campaign(known.count, seed=seed, folder=folder, over=over)
    print(json.dumps({"is_good": is_good(report), **report}))
    return 0 if is_good(report) else 1


if __name__ == "__main__":
    sys.exit(main())
