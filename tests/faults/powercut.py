"""Cuts the power at random moments of a workload, on a real ext4, and asks a checker each time.

1. The workload runs on a fresh ext4 while `blkrec` records every block write, flush and mark.
2. For each crash point the disk image is built that a power cut there could leave:
   lost    only what had been flushed,
   prefix  and the first few of the writes since,
   random  and any subset of their 4 KiB blocks, because a drive reorders,
   torn    and any subset of their 512-byte sectors.
3. Each image is mounted, so that ext4 recovers its journal, and the checker sees it together with
   the last mark before the cut.

usage: python -m tests.faults.powercut [--work 'COMMAND {dir} {mark}']
           [--check 'COMMAND {dir} {mark}'] [--points 200] [--modes lost,prefix,random,torn]
           [--seed 1] [--size-mb 48] [--folder DIR]
Prints one JSON object; exit code 1 if a check failed. Needs root, /dev/fuse and loop devices.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

RECORDER: Final = Path(__file__).with_name("blkrec.py")
BLOCK_BYTES: Final = {"random": 4096, "torn": 512}
# How much of what was not flushed reaches the disk all the same.
SHARES: Final = (0.1, 0.5, 0.9)
PATIENCE_S: Final = 10.0
ALONE: Final = "POWERCUT_ALONE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of the recorder's log."""

    kind: str
    offset: int = 0
    written: bytes = b""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command line."""

    work: str
    check: str
    points: int
    modes: Sequence[str]
    seed: int
    size_mb: int
    timeout_s: float


@dataclass(slots=True, kw_only=True)
class Disk:
    """A disk with a write cache, as the log is played back onto it."""

    durable: bytearray
    cached: list[Event] = field(default_factory=list)
    mark: str = ""

    def play(self, event: Event) -> None:
        """Apply one event of the log."""
        match event.kind:
            case "W":
                self.cached.append(event)
            case "F":
                for write in self.cached:
                    _put(self.durable, write)
                self.cached.clear()
            case "M":
                self.mark = event.mark

    def image(self, mode: str, chance: random.Random) -> bytearray:
        """Return what a power cut now could leave."""
        image = bytearray(self.durable)
        match mode:
            case "lost":
                return image
            case "prefix":
                for write in self.cached[: chance.randint(0, len(self.cached))]:
                    _put(image, write)
            case _:
                share = chance.choice(SHARES)
                for write in self.cached:
                    for part in _blocks(write, BLOCK_BYTES[mode]):
                        if chance.random() < share:
                            _put(image, part)
        return image


def run(options: Options, folder: Path) -> dict[str, object]:
    """Record the workload, cut it at so many points, and return what the checker said."""
    base = folder / "base.img"
    with base.open("wb") as image:
        image.truncate(options.size_mb << 20)
    _sh("mkfs.ext4", "-q", "-F", "-b", "4096", str(base))
    log = folder / "log"
    work_code = _record(options, folder, base, log)
    events = _events(log)
    disk = Disk(durable=bytearray((folder / "start.img").read_bytes()))
    chance = random.Random(options.seed)  # noqa: S311 - crash points, not secrets
    results: Counter[str] = Counter()
    failures: list[str] = []
    played = 0
    began = time.monotonic()
    for index, point in enumerate(_points(events, options.points, chance)):
        for event in events[played:point]:
            disk.play(event)
        played = point
        mode = options.modes[index % len(options.modes)]
        fault = _cut(disk.image(mode, chance), options.check, folder, disk.mark)
        results[f"{mode}/{'ok' if fault is None else 'failed'}"] += 1
        if fault is not None:
            failures.append(f"event {point}, {mode}: {fault}")
    kinds = Counter(event.kind for event in events)
    return {
        "work_exit_code": work_code,
        "writes": kinds["W"],
        "flushes": kinds["F"],
        "marks": kinds["M"],
        "written_bytes": sum(len(event.written) for event in events),
        "points": sum(results.values()),
        "seconds": round(time.monotonic() - began, 1),
        "results": dict(sorted(results.items())),
        "failed": len(failures),
        "first_failures": failures[:3],
    }


def _record(options: Options, folder: Path, base: Path, log: Path) -> int:
    """Run the workload on the recorded disk; return its exit code."""
    fuse, mounted = folder / "fuse", folder / "mounted"
    fuse.mkdir()
    mounted.mkdir()
    shutil.copy(base, folder / "start.img")
    recorder = subprocess.Popen([sys.executable, str(RECORDER), str(fuse), str(base), str(log)])
    try:
        _wait_for(fuse / "disk")
        with _loop_device(fuse / "disk") as device, _mounted(device, mounted):
            command = options.work.format(dir=mounted, mark=fuse / "mark")
            code = subprocess.run(
                shlex.split(command), timeout=options.timeout_s, check=False
            ).returncode
    finally:
        subprocess.run(["fusermount3", "-u", str(fuse)], check=False)
        recorder.wait(PATIENCE_S)
    return code


def _events(log: Path) -> list[Event]:
    written = log.with_suffix(".dat").read_bytes()
    events: list[Event] = []
    with log.with_suffix(".idx").open(encoding="utf-8") as lines:
        for line in lines:
            raw = json.loads(line)
            place, size = raw.get("p", 0), raw.get("n", 0)
            events.append(
                Event(
                    kind=raw["t"],
                    offset=raw.get("o", 0),
                    written=written[place : place + size],
                    mark=raw.get("m", ""),
                )
            )
    return events


def _points(events: Sequence[Event], count: int, chance: random.Random) -> list[int]:
    """Return so many places in the log between the first mark and the end of the workload."""
    marks = [index for index, event in enumerate(events) if event.kind == "M"]
    if not marks:
        raise RuntimeError("the workload set no mark: there is nothing to check against")
    span = range(marks[0] + 1, marks[-1] + 2)
    return sorted(chance.sample(span, min(count, len(span))))


def _cut(image: bytearray, check: str, folder: Path, mark: str) -> str | None:
    """Mount an image after the cut and return what the checker objects to, or None."""
    file, mounted = folder / "cut.img", folder / "cut"
    file.unlink(missing_ok=True)
    file.write_bytes(image)
    mounted.mkdir(exist_ok=True)
    with _loop_device(file) as device:
        try:
            with _mounted(device, mounted):
                command = check.format(dir=mounted, mark=shlex.quote(mark))
                checked = subprocess.run(
                    shlex.split(command), capture_output=True, text=True, check=False
                )
        except subprocess.CalledProcessError as error:
            return f"cannot be mounted: {error.stderr.strip()}"
    if checked.returncode == 0:
        return None
    return f"exit code {checked.returncode}: {(checked.stdout + checked.stderr).strip()[-300:]}"


@contextmanager
def _loop_device(file: Path) -> Iterator[str]:
    device = _sh("losetup", "-f", "--show", str(file))
    try:
        yield device
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


@contextmanager
def _mounted(device: str, folder: Path) -> Iterator[None]:
    _sh("mount", "-o", "noatime", device, str(folder))
    try:
        yield
    finally:
        _sh("umount", str(folder))


def _put(image: bytearray, write: Event) -> None:
    image[write.offset : write.offset + len(write.written)] = write.written


def _blocks(write: Event, size: int) -> Iterator[Event]:
    for start in range(0, len(write.written), size):
        part = write.written[start : start + size]
        yield Event(kind="W", offset=write.offset + start, written=part)


def _wait_for(file: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not file.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"{file} did not appear: is FUSE there?")
        time.sleep(0.02)  # noqa: TID251 - a mount of another process announces itself by nothing


def _sh(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _options() -> tuple[Options, Path | None]:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    ours = f"{sys.executable} -m tests.faults"
    parser.add_argument("--work", default=f"{ours}.buffer_workload {{dir}} {{mark}}")
    parser.add_argument("--check", default=f"{ours}.buffer_checker {{dir}} {{mark}} --reopen")
    parser.add_argument("--points", "--count", type=int, default=200)
    parser.add_argument("--modes", default="lost,prefix,random,torn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size-mb", type=int, default=48)
    parser.add_argument("--timeout-s", type=float, default=120.0)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    options = Options(
        work=given.work,
        check=given.check,
        points=given.points,
        modes=tuple(given.modes.split(",")),
        seed=given.seed,
        size_mb=given.size_mb,
        timeout_s=given.timeout_s,
    )
    return options, given.folder


def _alone_with_mounts() -> None:
    """Go on in a mount namespace of our own.

    Whoever makes a namespace meanwhile (a container, a network under test) would keep our file
    systems alive in it: an older cut then went on writing into the image of the next one.
    """
    if os.environ.get(ALONE) or os.geteuid() != 0:
        return
    again = (sys.executable, "-m", "tests.faults.powercut", *sys.argv[1:])
    os.execvpe("unshare", ("unshare", "--mount", *again), {**os.environ, ALONE: "1"})  # noqa: S606 - ours


def main() -> int:
    """Run the campaign of the command line."""
    options, parent = _options()
    _alone_with_mounts()
    with tempfile.TemporaryDirectory(prefix="powercut-", dir=parent) as folder:
        outcome = run(options, Path(folder))
    is_good = not outcome["failed"] and not outcome["work_exit_code"]
    print(json.dumps({"is_good": is_good, "count": options.points, **outcome}))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
