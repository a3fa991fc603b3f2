"""A plant, a gateway and a centre in one folder: their configuration and their processes.

Everything is asked of the product as a stranger would: its commands, its files, its signals. Only
processes that were started here are ever ended.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Self

from edge_agent.clock import NS_PER_S, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
AGENT = (sys.executable, "-m", "edge_agent")
CENTRE = (sys.executable, "-m", "central_sync")
PROFILE = "emissionwatch/simulated-stack"
FACILITY = "KILL-PLANT"
# docs/profiles.md, the simulated stack, table 3: every device counts its polls there.
POLL_COUNTER = """
[points.poll_count]
parameter = "polls"
unit_of_measure = ""
table = "holding"
address = 42
raw_type = "uint32"
resolution = "1"
page = "table 3"
"""
DEVICE_COUNT = 3
PERIOD_S = 0.1
COMMIT_INTERVAL_S = 1.0
CHANNELS_PER_DEVICE = 100
COMMAND_LIMIT_S = 60.0
STOP_LIMIT_S = 40.0

CLOCK = SystemClock()


def pause(seconds: float) -> None:
    """Let time pass: what is tested here takes place in other processes."""
    Event().wait(seconds)


def wait_until(
    what: str, is_so: Callable[[], bool], *, limit_s: float, look_every_s: float = 0.03
) -> None:
    """Return once `is_so`; TimeoutError names what did not come to be."""
    until_ns = CLOCK.now().mono_ns + round(limit_s * NS_PER_S)
    while not is_so():
        if CLOCK.now().mono_ns > until_ns:
            raise TimeoutError(f"{what}: not within {limit_s:g} s")
        pause(look_every_s)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@dataclass
class Installation:
    """One installation and its running processes, all of which end with the `with` block.

    Attributes:
        folder: where everything is, logs included.
        seed: of the plant.
        device_count: analyzers, each polled every `period_s`.
        centre_port: where the centre listens, each time it is started.
        prefixes: what stands before the command of a process, by its name: another network.
        period_s: how often a device is polled.
        is_hasty: whether it commits and uploads as fast as the product allows, not as by default.

    """

    folder: Path
    seed: int
    device_count: int = DEVICE_COUNT
    centre_port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    prefixes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    period_s: float = PERIOD_S
    is_hasty: bool = True

    def __enter__(self) -> Self:
        """Return it; nothing runs yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what still runs, the gateway before the centre before the plant."""
        for name in reversed(tuple(self.running)):
            self.kill(name)

    @property
    def gateway(self) -> Path:
        """The gateway's folder."""
        return self.folder / "gateway"

    @property
    def config(self) -> Path:
        """The gateway's agent.toml."""
        return self.gateway / "agent.toml"

    @property
    def buffer(self) -> Path:
        """The gateway's buffer file."""
        return self.gateway / "buffer.db"

    @property
    def centre(self) -> Path:
        """The centre's state folder."""
        return self.folder / "centre"

    @property
    def centre_file(self) -> Path:
        """The centre's SQLite file."""
        return self.centre / "centre.db"

    @property
    def served(self) -> Path:
        """The plant's record."""
        return self.folder / "served.jsonl"

    def install(self, centre_port: int, host: str = "127.0.0.1") -> None:
        """Start the plant, make keys and configuration, enrol the gateway.

        Args:
            centre_port: where the gateway is to find the centre.
            host: the same.

        """
        self.folder.mkdir(parents=True, exist_ok=True)
        ports = self._start_plant()
        enrolled = self.ask(
            *(*AGENT, "init", "--facility", FACILITY, "--simulated", "--json"),
            *("--centre", f"http://{host}:{centre_port}", "--config", str(self.config)),
            *("--state", str(self.gateway), "--socket", str(self.gateway / "agent.sock")),
        )
        state = ("--state", str(self.centre))
        self.run(*CENTRE, "migrate", *state)
        self.run(
            *(*CENTRE, "gateway", *state, "add", enrolled["gateway"], "--facility", FACILITY),
            *("--name", "kill", "--key", enrolled["public_key"]),
            *("--receipt-key-out", enrolled["receipt_key_file"]),
        )
        self.public_key = Path(enrolled["public_key"])
        self.receipt_key = Path(enrolled["receipt_key_file"])
        if self.is_hasty:
            self._hasten()
        points = self._extend_profile()
        self._write_devices(self.reached(ports), points)
        self.ask(*AGENT, "check", "--config", str(self.config), "--json")

    def reached(self, ports: list[int]) -> list[int]:
        """Return where the gateway finds the devices of these ports: something may be between."""
        return ports

    def start_agent(self) -> None:
        """Start the gateway's daemon."""
        self.start("agent", *AGENT, "run", "--config", str(self.config))

    def start_centre(self) -> None:
        """Start the centre on its port."""
        listen = f"127.0.0.1:{self.centre_port}"
        options = ("--state", str(self.centre), "--listen", listen, "--allow-simulated")
        self.start("centre", *CENTRE, "serve", *options)

    def start(self, name: str, *command: str) -> None:
        """Start a process whose output goes to a file of its name."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [*self.prefixes.get(name, ()), *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )

    def kill(self, name: str) -> int:
        """End a process with SIGKILL; return when that was, UTC ns."""
        process = self.running.pop(name)
        at_ns = CLOCK.now().utc_ns
        process.kill()
        process.wait()
        return at_ns

    def stop(self, name: str) -> int:
        """Ask a process to stop in an orderly way; return its exit code."""
        process = self.running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise TimeoutError(f"{name}: no orderly stop within {STOP_LIMIT_S:g} s") from None

    def check_running(self) -> None:
        """Raise RuntimeError with the end of its log if a process has ended by itself."""
        for name, process in self.running.items():
            if process.poll() is not None:
                said = (self.folder / f"{name}.log").read_text(errors="replace")[-2_000:]
                raise RuntimeError(f"{name} ended with code {process.returncode}:\n{said}")

    def ask(self, *command: str) -> dict[str, str]:
        """Run a command that prints facts as JSON; return them."""
        facts: dict[str, str] = json.loads(self.run(*command))
        return facts

    def run(self, *command: str) -> str:
        """Run a command to its end; return what it printed. RuntimeError if it failed."""
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, cwd=ROOT, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command[2:])}: {done.returncode}\n{done.stderr}")
        return done.stdout

    def _start_plant(self) -> list[int]:
        options = ("--port", "0", "--devices", str(self.device_count), "--seed", str(self.seed))
        self.start("plant", *AGENT, "simulate", *options, "--log", str(self.served))
        log = self.folder / "plant.log"
        wait_until("the plant's ports", lambda: b"\n" in log.read_bytes(), limit_s=30.0)
        said = log.read_text()
        listing = re.search(r"ports ([\d, ]+)", said)
        if not listing:
            raise RuntimeError(f"plant: no ports in {said!r}")
        return [int(port) for port in listing[1].split(",")]

    def _hasten(self) -> None:
        """Let commits and uploads come as fast as the product allows, and time-outs soon."""
        text = self.config.read_text()
        text = text.replace("[buffer]\n", f"[buffer]\ncommit_interval_s = {COMMIT_INTERVAL_S}\n")
        text = text.replace(
            "[centre]\n",
            "[centre]\nupload_interval_s = 1.0\nupload_readings = 1\ntimeout_s = 3.0\n",
        )
        self.config.write_text(text)

    def _extend_profile(self) -> dict[str, dict[str, object]]:
        """Put the shipped profile with the poll counter into profiles.d; return its points."""
        shipped = (files("firmware_profiles") / f"{PROFILE}.toml").read_text(encoding="utf-8")
        text = shipped + POLL_COUNTER
        path = self.gateway / "profiles.d" / f"{PROFILE}.toml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        profile = tomllib.loads(text)
        points: dict[str, dict[str, object]] = profile["points"]
        for point in points.values():
            if "status" in point:
                status = profile["status"][point["status"]]
                point["status"] = {"table": status["table"], "address": status["address"]}
        return points

    def _write_devices(self, ports: list[int], points: dict[str, dict[str, object]]) -> None:
        """Write devices.d, and the channel map by which the checker knows the registers."""
        described = []
        for index, port in enumerate(ports):
            name, first = f"stack-{index + 1}", 1 + CHANNELS_PER_DEVICE * index
            numbers = {point: first + offset for offset, point in enumerate(points)}
            head = (
                f'name = "{name}"\nprofile = "{PROFILE}"\nendpoint = "tcp://127.0.0.1:{port}"\n'
                f"period_s = {self.period_s}\ntimeout_s = {self.period_s * 0.9:g}\n"
            )
            channels = "".join(
                f'\n[[channels]]\nnumber = {number}\npoint = "{point}"\nname = "{name} {point}"\n'
                for point, number in numbers.items()
            )
            (self.gateway / "devices.d" / f"{name}.toml").write_text(head + channels)
            registers = {str(numbers[name]): _registers(point) for name, point in points.items()}
            poll_channel = numbers["poll_count"]
            described.append({"device": name, "poll_channel": poll_channel, "channels": registers})
        (self.folder / "map.json").write_text(json.dumps({"devices": described}))


def _registers(point: dict[str, object]) -> dict[str, object]:
    """Return where the raw word of a point is, as the checker wants to be told."""
    words = {"32": 2, "64": 4}.get(str(point["raw_type"])[-2:], 1)
    place = {"table": point["table"], "address": point["address"], "words": words}
    return place | ({"status": point["status"]} if "status" in point else {})
