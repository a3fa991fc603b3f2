"""What the agent takes of a small gateway: memory, start-up time, CPU, against bare libraries."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from edge_agent.buffer.faults import BufferUnavailableError
from edge_agent.buffer.summary import summary_of
from tests.bench.agent import Agent, agent
from tests.bench.figure import Figure
from tests.bench.scenario import bare_values_per_cpu_s, start, steady
from tests.bench.subject import (
    Load,
    now_s,
    pause,
    plant,
    python_environment,
    workplace,
)

# What the daemon imports of others for Modbus TCP (cattrs reads the configuration, in a process
# of its own); httpx loads the last with its first request.
LIBRARIES: Final = (
    "asyncio, sqlite3, numpy, zstandard, aiosqlite, structlog, h11, httpx,"
    "pymodbus.client, cryptography.hazmat.primitives.asymmetric.ed25519,"
    "anyio._backends._asyncio"
)
PRODUCT: Final = (
    "edge_agent.cli.run, edge_agent.agent, edge_agent.drivers.modbus, anyio._backends._asyncio"
)
ROUNDS: Final = 5
STEADY_S: Final = 30.0

PROBE: Final = """
import dataclasses, time
making, made_s = dataclasses._process_class, 0.0
def timed(*arguments):
    global made_s
    before = time.perf_counter()
    made = making(*arguments)
    made_s += time.perf_counter() - before
    return made
dataclasses._process_class = timed
began = time.perf_counter()
from edge_agent.logs import keep_out
keep_out()
{first}
import {modules}
took = time.perf_counter() - began
pages = int(open("/proc/self/statm").read().split()[1])
import json, resource
print(json.dumps([took, pages * resource.getpagesize() / 2**20, made_s]))
"""


def measure() -> list[Figure]:
    """Return the figures; everything is alternated or side by side in this run."""
    figures = _imports()
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        folder = Path(name)
        figures += _small(folder, floor_mb=figures[-1].measured)
        figures += _large(folder)
        figures += _largest(folder)
    return figures


def _imports() -> list[Figure]:
    """Return import time of the agent against its libraries, and the libraries' memory."""
    floors, products = [], []
    for _ in range(1 + ROUNDS):
        floors.append(_probe(LIBRARIES))
        products.append(_probe(PRODUCT, first="from edge_agent import memory; memory.begin()"))
    # The first leaves the bytecode.
    del floors[0], products[0]
    floor_s, product_s = median(one[0] for one in floors), median(one[0] for one in products)
    made_s = median(one[2] for one in products) - median(one[2] for one in floors)
    return [
        Figure(
            name="imports of the agent / of its libraries alone",
            measured=product_s / floor_s,
            unit="x",
            bound=1.7,
            note=f"medians of {ROUNDS}, alternated; {floor_s:.3f} s and {product_s:.3f} s",
        ),
        Figure(
            name="of it, the making of our frozen and slotted dataclasses",
            measured=made_s / floor_s,
            unit="x",
            note="what the style costs at a start, docs/adr/0007-start.md",
        ),
        Figure(
            name="memory of an interpreter that has only imported the libraries",
            measured=median(one[1] for one in floors),
            unit="MB",
            note="the floor in this run",
        ),
    ]


def _small(folder: Path, *, floor_mb: float) -> list[Figure]:
    """Return memory, CPU and time to the first commit with 8 devices of 60 registers."""
    load = Load(device_count=8, register_count=60, commit_interval_s=10.0)
    with plant(folder, 8) as devices, agent(folder / "small", load) as subject:
        first_s = [_first_commit_s(subject) for _ in range(ROUNDS)]
        start(subject)
        cost = steady(subject, devices, STEADY_S)
    return [
        Figure(name="RSS, 8 Modbus devices", measured=cost.rss_mb, unit="MB", bound=66),
        Figure(
            name="RSS, 8 Modbus devices / libraries alone",
            measured=cost.rss_mb / floor_mb,
            unit="x",
            bound=1.25,
        ),
        Figure(
            name="start to the first committed signed reading",
            measured=median(first_s),
            unit="s",
            bound=0.9,
            note=f"median of {ROUNDS}",
        ),
        Figure(name="core share at 480 values/s", measured=cost.cpu_share, unit="", bound=0.010),
        Figure(
            name="polls made / due, 8 x 60",
            measured=cost.polls_made_of_due,
            unit="",
            sense="at least",
            bound=0.999,
        ),
    ]


def _large(folder: Path) -> list[Figure]:
    """Return the agent's share of a bare pymodbus loop with 200 devices of 125 registers."""
    load = Load(device_count=200, register_count=125, commit_interval_s=10.0)
    shares, sizes = [], []
    for index in range(2):
        with plant(folder, 200) as devices, agent(folder / f"large{index}", load) as subject:
            start(subject)
            cost = steady(subject, devices, STEADY_S)
            subject.close()
            shares.append(cost.values_per_cpu_s / bare_values_per_cpu_s(load, STEADY_S))
            sizes.append(cost.rss_mb)
    return [
        Figure(
            name="values per CPU-second, agent / bare pymodbus loop, 200 x 125",
            measured=median(shares),
            unit="x",
            sense="at least",
            bound=0.65,
            note="median of 2, alternated",
        ),
        Figure(name="RSS, 200 x 125", measured=max(sizes), unit="MB", bound=85),
    ]


def _largest(folder: Path) -> list[Figure]:
    load = Load(device_count=800, register_count=125, commit_interval_s=10.0)
    with plant(folder, 800) as devices, agent(folder / "largest", load) as subject:
        start(subject)
        cost = steady(subject, devices, STEADY_S)
    return [
        Figure(name="RSS, 800 x 125", measured=cost.rss_mb, unit="MB", bound=110),
        Figure(
            name="polls made / due, 800 x 125",
            measured=cost.polls_made_of_due,
            unit="",
            sense="at least",
            bound=0.999,
            note=f"at {cost.cpu_share:.2f} core",
        ),
    ]


def _first_commit_s(subject: Agent) -> float:
    """Return the time from the start of the process until a reading is durable."""
    buffer = subject.folder / "buffer.db"
    before = summary_of(buffer).readings if buffer.exists() else 0
    began_s = now_s()
    subject.start()
    while now_s() - began_s < 30:
        try:
            if summary_of(buffer).readings > before:
                break
        except BufferUnavailableError:
            pause(0.005)
    else:
        raise TimeoutError("no reading was committed within 30 s")
    lasted_s = now_s() - began_s
    subject.kill()
    return lasted_s


def _probe(modules: str, *, first: str = "") -> tuple[float, float, float]:
    """Return seconds, MB and seconds in dataclasses; `first`: what `edge-agent run` does first."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(modules=modules, first=first)],
        check=True,
        capture_output=True,
        text=True,
        env=python_environment(),
    )
    took_s, size_mb, made_s = json.loads(done.stdout)
    return took_s, size_mb, made_s
