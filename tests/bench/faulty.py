"""Fifty devices of which one hangs, one refuses and one comes and goes: what the others lose."""

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench.agent import agent
from tests.bench.figure import Figure
from tests.bench.scenario import start, steady
from tests.bench.subject import FIRST_PORT, Load, Plant, pause, plant, workplace

DEVICES: Final = 50
BAD: Final = 3
GOOD: Final = DEVICES - BAD
HANGING_PORT: Final = FIRST_PORT + GOOD
# The port behind it is nobody's: connections to it are refused.
FLAPPING_PORT: Final = FIRST_PORT + GOOD + 2
SECONDS: Final = 60.0
FLAP_S: Final = 2.0


def measure() -> list[Figure]:
    """Return how many of the polls that were due the good devices have answered."""
    load = Load(device_count=DEVICES, register_count=60, commit_interval_s=10.0)
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        folder = Path(name)
        with (
            _hanging(HANGING_PORT),
            plant(folder, GOOD) as devices,
            _flapping(folder, FLAPPING_PORT),
            agent(folder / "agent", load) as subject,
        ):
            start(subject)
            cost = steady(subject, devices, SECONDS)
    made = cost.polls_made_of_due * DEVICES / GOOD
    return [
        Figure(
            name="polls made / due of 47 devices beside one that hangs, refuses, flaps",
            measured=made,
            unit="",
            sense="at least",
            bound=0.999,
            note=f"{SECONDS:g} s at {load}; {cost.cpu_share:.3f} core",
        )
    ]


@contextlib.contextmanager
def _hanging(port: int) -> Iterator[None]:
    """Take connections, and say nothing."""
    with socket.create_server(("127.0.0.1", port)):
        yield


@contextlib.contextmanager
def _flapping(folder: Path, port: int) -> Iterator[None]:
    """Answer for two seconds, and be gone for two."""
    stopping = threading.Event()

    def flap() -> None:
        while not stopping.is_set():
            device = Plant(folder, 1, first_port=port)
            pause(FLAP_S)
            device.close()
            pause(FLAP_S)

    flapping = threading.Thread(target=flap)
    flapping.start()
    try:
        yield
    finally:
        stopping.set()
        flapping.join()
