"""OPC UA: the agent's driver against bare asyncua on the same server, alternated in one run."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.agent import Agent
from tests.bench.figure import Figure
from tests.bench.opcua_client import URI
from tests.bench.subject import (
    HERE,
    PYTHON,
    Load,
    end,
    free_port,
    now_s,
    pause,
    python_environment,
    workplace,
)

NODES: Final = 200
CHANGES_MS: Final = 100
MEASURED_S: Final = 8.0
ROUNDS: Final = 3
SETTLE_S: Final = 12.0
# Issue 3: what the driver may cost beside the library alone.
LEAST_PART_OF_BARE: Final = 0.8
PROFILE: Final = """\
id = "bench/registers"
revision = "1.0.0"
vendor = "bench"
model = "registers"
protocol = "opcua"
trust = "bench"
gaps = []

[[provenance]]
kind = "manual"
document = "tests/bench/opcua_client.py"
pages = "all"
"""
POINT: Final = """
[points.v{number}]
parameter = "count"
unit_of_measure = "1"
node = "nsu={uri};s=v{number}"
raw_type = "float64"
resolution = "0.001"
page = "serve"
"""


class OpcuaAgent(Agent):
    """The product with one device of an OPC UA server, which is subscribed to."""

    def __init__(self, folder: Path, load: Load, port: int, mode: str) -> None:
        self._port = port
        self._mode = mode
        super().__init__(folder, load)

    def _install(self) -> None:
        super()._install()
        numbers = range(self.load.register_count)
        points = "".join(POINT.format(number=number, uri=URI) for number in numbers)
        (self.folder / "profiles.d" / "bench" / "registers.toml").write_text(PROFILE + points)

    def _device(self, index: int) -> str:
        sampling = "" if self._mode == "read" else f"opcua.sampling_ms = {CHANGES_MS}\n"
        head = (
            f'name = "d{index}"\nprofile = "bench/registers"\nperiod_s = 1.0\ntimeout_s = 0.8\n'
            f'endpoint = "opc.tcp://127.0.0.1:{self._port}"\nopcua.mode = "{self._mode}"\n'
        )
        return (
            head
            + sampling
            + "".join(
                f'\n[[channels]]\nnumber = {number + 1}\npoint = "v{number}"\nname = "v{number}"\n'
                for number in range(self.load.register_count)
            )
        )


def measure() -> list[Figure]:
    """Return what reading and subscribing cost beside the library alone, and the agent's size."""
    figures = []
    with _server() as port:
        for name, way in (("batched reads", "read"), ("subscription", "subscribe")):
            figures.append(_against_bare(name, way, port))
        figures += [figure for mode in ("read", "subscribe") for figure in _agent(port, mode)]
    return figures


def _against_bare(name: str, way: str, port: int) -> Figure:
    ours, bare = [], []
    for _ in range(ROUNDS):
        bare.append(_values_per_cpu_s(f"bare_{way}", port))
        ours.append(_values_per_cpu_s(way, port))
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return Figure(
        name=f"values per CPU-second, driver / bare asyncua, {name} of {NODES}",
        measured=median(ratios),
        unit="x",
        sense="at least",
        bound=LEAST_PART_OF_BARE,
        note=f"{median(ours):.0f} against {median(bare):.0f}; pairs "
        f"{', '.join(f'{ratio:.2f}' for ratio in ratios)}",
    )


def _values_per_cpu_s(way: str, port: int) -> float:
    done = subprocess.run(
        [*_client(way, port), str(MEASURED_S)],
        check=True,
        capture_output=True,
        env=python_environment(),
    )
    told = json.loads(done.stdout)
    values, cpu_s = float(told["values"]), float(told["cpu_s"])
    return values / cpu_s


def _agent(port: int, mode: str) -> Iterator[Figure]:
    """Yield size and cost of the whole agent with one device of all the variables."""
    load = Load(device_count=1, register_count=NODES)
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        subject = OpcuaAgent(Path(name) / "agent", load, port, mode)
        try:
            subject.start()
            pause(SETTLE_S)
            before, began_s = subject.process.cpu_times(), now_s()
            pause(MEASURED_S)
            after = subject.process.cpu_times()
            used_s = after.user + after.system - before.user - before.system
            share = used_s / (now_s() - began_s)
            size_mb = subject.process.memory_info().rss / 1e6
        finally:
            subject.close()
    rate = NODES if mode == "read" else NODES * 1000 // CHANGES_MS
    yield Figure(
        name=f"RSS of the agent, OPC UA {mode}, {NODES} variables",
        measured=size_mb,
        unit="MB",
        bound=110,
        note=f"{share:.3f} core at about {rate} values/s",
    )


@contextlib.contextmanager
def _server() -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [*_client("serve", port), str(CHANGES_MS)],
        stdout=subprocess.PIPE,
        env=python_environment(),
    )
    try:
        assert process.stdout is not None
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the server did not start")
        yield port
    finally:
        end(process)


def _client(way: str, port: int) -> tuple[str, ...]:
    return (PYTHON, str(HERE / "opcua_client.py"), way, str(port), str(NODES))
