"""Agent against peer: the same devices, the same load, the same losses, alternated in one run."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias

from tests.bench.agent import agent
from tests.bench.figure import Figure
from tests.bench.peer.gateway import peer
from tests.bench.scenario import (
    LOSS_SCENARIOS,
    Losses,
    Steady,
    bare_values_per_cpu_s,
    start,
    steady,
)
from tests.bench.subject import HERE, Load, Plant, Subject, plant, workplace

Make: TypeAlias = Callable[[Path, Load], AbstractContextManager[Subject]]

ROOT: Final = HERE.parents[1]
ENVIRONMENT: Final = ROOT / ".bench" / "peer"
PINS: Final = ROOT / ".ci" / "requirements" / "peer.txt"
ROUNDS: Final = 2
STEADY_S: Final = 30.0

# The agent must reach this part of a bare pymodbus loop (docs/adr/0008-against-the-peer.md).
LEAST_PART_OF_BARE: Final = 0.65
# Values per CPU-second, agent / peer, where that part of the loop reaches so far.
TARGETS: Final = {
    Load(device_count=1, register_count=60): 25.0,
    Load(device_count=8, register_count=60): 12.0,
    Load(device_count=200, register_count=125): 8.0,
}
LOSS_LOAD: Final = Load(device_count=20, register_count=125, commit_interval_s=1.0)


def install() -> None:
    """Install the peer into an environment of its own, by hash."""
    if (ENVIRONMENT / ".done").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--require-hashes", "--requirement", str(PINS)], check=True)
    (ENVIRONMENT / ".done").touch()


def alone_on_loopback() -> None:
    """Go on in an empty network namespace where we may make one: the peer looks for updates."""
    if os.geteuid() != 0 or os.environ.get("BENCH_ALONE"):
        return
    again = f"ip link set lo up; exec {sys.executable} -m tests.bench.run peers"
    environment = {**os.environ, "BENCH_ALONE": "1"}
    os.execvpe("unshare", ["unshare", "-n", "sh", "-c", again], environment)  # noqa: S606 - ours


def measure() -> list[Figure]:
    """Return cost under steady load and losses, both as ratios or side by side."""
    install()
    alone_on_loopback()
    return [figure for load, target in TARGETS.items() for figure in _cost(load, target)] + [
        figure for name in LOSS_SCENARIOS for figure in _losses(name)
    ]


def _cost(load: Load, target: float) -> Iterator[Figure]:
    """Yield the ratio of values per CPU-second, and what both take otherwise."""
    ours: list[Steady] = []
    theirs: list[Steady] = []
    bare: list[float] = []
    for _ in range(ROUNDS):
        theirs.append(_steady(_peer, load))
        ours.append(_steady(_agent, load))
        bare.append(_bare(load))
    ratios = [
        one.values_per_cpu_s / other.values_per_cpu_s
        for one, other in zip(ours, theirs, strict=True)
    ]
    floors = [one / other.values_per_cpu_s for one, other in zip(bare, theirs, strict=True)]
    yield Figure(
        name=f"values per CPU-second, bare pymodbus loop / peer, {load}",
        measured=median(floors),
        unit="x",
        note="what reading alone leaves to be won",
    )
    yield Figure(
        name=f"values per CPU-second, agent / peer, {load}",
        measured=median(ratios),
        unit="x",
        sense="at least",
        bound=min(target, LEAST_PART_OF_BARE * median(floors)),
        note=f"pairs {', '.join(f'{ratio:.1f}' for ratio in ratios)}; commits every "
        f"{load.commit_interval_s:g} s",
    )
    yield Figure(
        name=f"bytes to disk per value, agent / peer, {load}",
        measured=median(one.disk_bytes_per_value for one in ours)
        / median(one.disk_bytes_per_value for one in theirs),
        unit="x",
        note=f"{median(one.disk_bytes_per_value for one in ours):.1f} against "
        f"{median(one.disk_bytes_per_value for one in theirs):.1f} B",
    )
    yield Figure(
        name=f"RSS, agent / peer, {load}",
        measured=ours[-1].rss_mb / theirs[-1].rss_mb,
        unit="x",
        note=f"{ours[-1].rss_mb:.0f} against {theirs[-1].rss_mb:.0f} MB",
    )


def _bare(load: Load) -> float:
    with tempfile.TemporaryDirectory(dir=workplace()) as name, plant(Path(name), load.device_count):
        return bare_values_per_cpu_s(load, STEADY_S)


def _losses(name: str) -> Iterator[Figure]:
    """Yield the polls lost and duplicated by either in one scenario."""
    for make in (_peer, _agent):
        with _running(make, LOSS_LOAD) as (subject, devices):
            losses: Losses = LOSS_SCENARIOS[name](subject, devices)
            yield Figure(
                name=f"polls lost, {subject.name}: {name}",
                measured=losses.lost_polls,
                unit="polls",
                note=f"of {losses.served_polls} answered, {losses.duplicate_polls} duplicated; "
                f"{LOSS_LOAD}, agent commits every {LOSS_LOAD.commit_interval_s:g} s",
            )


def _steady(make: Make, load: Load) -> Steady:
    with _running(make, load) as (subject, devices):
        start(subject)
        return steady(subject, devices, STEADY_S)


@contextmanager
def _running(make: Make, load: Load) -> Iterator[tuple[Subject, Plant]]:
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        folder = Path(name)
        with plant(folder, load.device_count) as devices, make(folder / "subject", load) as subject:
            yield subject, devices


def _peer(folder: Path, load: Load) -> AbstractContextManager[Subject]:
    return peer(folder, ENVIRONMENT, load)


def _agent(folder: Path, load: Load) -> AbstractContextManager[Subject]:
    return agent(folder, load)
