"""What a bench drives: a plant of simulated devices, and a gateway under test beside it.

The agent and its peer are two subjects of the same scenarios, so that neither is measured by rules
of its own.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psutil

HERE: Final = Path(__file__).parent
FIRST_PORT: Final = 15020


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Devices of one kind: each answers `register_count` holding registers from address 0."""

    device_count: int
    register_count: int
    period_ms: int = 1000
    commit_interval_s: float = 5.0

    @property
    def values_per_s(self) -> float:
        """Return the readings that are due in a second."""
        return self.device_count * self.register_count * 1000 / self.period_ms

    def __str__(self) -> str:
        return f"{self.device_count} x {self.register_count} @{self.period_ms / 1000:g} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What has reached the far end: values, and polls by the number the device gave them."""

    value_count: int
    distinct_poll_count: int
    duplicate_poll_count: int


class Subject(Protocol):
    """A gateway product with its far end."""

    name: str
    load: Load

    @property
    def process(self) -> psutil.Process:
        """Return the gateway's process."""
        ...

    def start(self) -> None:
        """Start the gateway."""
        ...

    def kill(self) -> None:
        """Kill the gateway with SIGKILL and wait for its end."""
        ...

    def set_uplink(self, *, is_up: bool) -> None:
        """Cut the uplink, or mend it."""
        ...

    def delivered(self) -> Delivered:
        """Return what the far end has acknowledged so far."""
        ...


def pause(seconds: float) -> None:
    """Let the subject work; a bench measures over time, so waiting is its business."""
    time.sleep(seconds)  # noqa: TID251 - a bench lets processes run


def workplace() -> Path:
    """Return a folder on the disk that this checkout is on: memory would cost no writes."""
    folder = HERE.parents[1] / ".bench" / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def now_s() -> float:
    """Return a time for durations."""
    return time.monotonic()


class Plant:
    """Simulated Modbus devices in one C process, one port each; it counts what it served."""

    def __init__(self, folder: Path, device_count: int, first_port: int = FIRST_PORT) -> None:
        self._stats = folder / f"plant-{first_port}.stats"
        self._process = subprocess.Popen(
            [_server(folder), str(first_port), str(device_count), "-1", str(self._stats)]
        )

    def served_polls(self) -> int:
        """Return how many polls all devices have answered."""
        self._refresh(signal.SIGUSR1)
        rows = [line.split() for line in self._stats.read_text().splitlines()]
        return sum(int(row[1]) for row in rows)

    def silence(self) -> None:
        """Let no device answer any more."""
        self._refresh(signal.SIGUSR2)

    def close(self) -> None:
        """End the process."""
        end(self._process)

    def _refresh(self, number: signal.Signals) -> None:
        before = self._stats.stat().st_mtime_ns if self._stats.exists() else 0
        self._process.send_signal(number)
        for _ in range(500):
            if self._stats.exists() and self._stats.stat().st_mtime_ns != before:
                return
            if self._process.poll() is not None:
                raise RuntimeError(f"the plant has ended: is a port from {FIRST_PORT} on in use?")
            pause(0.01)
        raise TimeoutError("the plant did not write its counts within 5 s")


@contextlib.contextmanager
def plant(folder: Path, device_count: int) -> Iterator[Plant]:
    """Run a plant for the length of a block."""
    running = Plant(folder, device_count)
    pause(0.3)
    try:
        yield running
    finally:
        running.close()


def end(process: "subprocess.Popen[bytes] | None", limit_s: float = 15.0) -> None:
    """End a process of ours: SIGTERM, and SIGKILL when the limit is over."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def python_environment() -> dict[str, str]:
    """Return the environment both subjects run in.

    Bytecode is kept, as pip leaves it on a gateway: without it a start compiles what is ours, and
    not the libraries, which were installed.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}


def _server(folder: Path) -> str:
    """Compile the plant once a run."""
    binary = folder / "fast_modbus_server"
    if not binary.exists():
        source = HERE / "fast_modbus_server.c"
        subprocess.run(["cc", "-O2", "-o", str(binary), str(source)], check=True)
    return str(binary)


PYTHON: Final = sys.executable
