"""The processes of a demonstration, started in order and always ended: plant, centre, gateway."""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import httpx

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.demo.analyzers import SIMULATED
from edge_agent.demo.answers import BufferInfo, Enrolled, Status, answer_of
from edge_agent.errors import ExitCode, OperatorError

AGENT: Final = (sys.executable, "-m", "edge_agent")
CENTRE: Final = (sys.executable, "-m", "central_sync")
FACILITY: Final = "DEMO-PLANT"
CENTRE_PORT: Final = 8080
COMMAND_LIMIT_S: Final = 60.0
START_LIMIT_S: Final = 30.0
STOP_LIMIT_S: Final = 20.0

ANSWER_LIMIT_S: Final = 10.0
LAST_LINES: Final = 10


class Site:
    """A folder with everything in it, and the processes that run there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self.centre_url = f"http://127.0.0.1:{_free_port(CENTRE_PORT)}"
        self._ports = {one.protocol: _free_port(one.port) for one in SIMULATED}
        self.channel_count = 0
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    @property
    def gateway(self) -> Path:
        """The gateway's folder: configuration, key, buffer."""
        return self.folder / "gateway"

    @property
    def config(self) -> Path:
        """The gateway's agent.toml."""
        return self.gateway / "agent.toml"

    def install(self) -> None:
        """Make keys and configuration, and let the centre and the gateway know each other."""
        enrolled = answer_of(
            self.run(
                *(*AGENT, "init", "--facility", FACILITY, "--simulated", "--json"),
                *("--centre", self.centre_url, "--config", str(self.config)),
                *("--state", str(self.gateway), "--socket", str(self.gateway / "agent.sock")),
            ),
            Enrolled,
        )
        self.run(*CENTRE, "migrate", *self._state)
        self.run(
            *(*CENTRE, "gateway", *self._state, "add", str(enrolled.gateway)),
            *("--facility", FACILITY, "--name", "demo", "--key", enrolled.public_key),
            *("--receipt-key-out", enrolled.receipt_key_file),
        )
        self.config.write_text(_hastened(self.config.read_text(encoding="utf-8")), encoding="utf-8")
        first_channel = 1
        for one in SIMULATED:
            for number in range(1, one.count + 1):
                port = self._ports[one.protocol]
                device = one.file(number, port=port, first_channel=first_channel)
                self.channel_count += device.count("[[channels]]")
                path = self.gateway / "devices.d" / f"{one.name(number)}.toml"
                path.write_text(device, encoding="utf-8")
                first_channel += 100

    def start_all(self, scenario: str, seed: int) -> None:
        """Start plant, centre and agent, in this order."""
        for one in SIMULATED:
            self.start(
                one.protocol,
                *(*AGENT, "simulate", "--scenario", scenario, "--seed", str(seed)),
                *("--protocol", one.protocol, "--devices", str(one.count)),
                *("--port", str(self._ports[one.protocol])),
            )
        listen = self.centre_url.removeprefix("http://")
        self.start(
            "centre", *CENTRE, "serve", *self._state, "--listen", listen, "--allow-simulated"
        )
        self.wait_for_centre()
        self.wait_for_plant()
        self.start("agent", *AGENT, "run", "--config", str(self.config))

    def start(self, name: str, *command: str) -> None:
        """Start a process; its output goes to a file of its name."""
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: the parts stop in their order
            )

    def stop(self, name: str) -> int:
        """Ask a process to stop; kill it when it does not within the limit; return its code."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def check(self) -> None:
        """Raise an OperatorError with the end of its log when a process has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise OperatorError(
                    f"{name} ended with code {process.returncode}",
                    *self._log(name).read_text(errors="replace").splitlines()[-LAST_LINES:],
                )

    def run(self, *command: str) -> str:
        """Run a command to its end; return what it printed.

        Raises:
            OperatorError: it failed; with the end of what it said.

        """
        done = self._done(command)
        if done.returncode:
            raise OperatorError(
                f"{' '.join(command[2:])}: exit code {done.returncode}",
                *done.stderr.splitlines()[-LAST_LINES:],
                exit_code=ExitCode.UNAVAILABLE,
            )
        return done.stdout

    def status(self) -> Status | None:
        """Return what the agent says of itself; None while it does not answer."""
        transport = httpx.HTTPTransport(uds=str(self.gateway / "agent.sock"))
        try:
            with httpx.Client(transport=transport) as client:
                return answer_of(client.get("http://agent/v1/status").text, Status)
        except httpx.TransportError:
            return None

    def buffer_info(self) -> BufferInfo:
        """Return what the gateway's buffer holds; the agent need not run."""
        text = self.run(*AGENT, "buffer", "info", "--config", str(self.config), "--json")
        return answer_of(text, BufferInfo)

    def is_explained(self) -> bool:
        """Return whether the latest hourly value follows from signed bytes."""
        return self._done((*CENTRE, "explain", *self._state)).returncode == 0

    def get(self, path: str) -> httpx.Response:
        """Ask the centre over HTTP."""
        return httpx.get(self.centre_url + path, timeout=ANSWER_LIMIT_S)

    def wait_for_centre(self) -> None:
        """Return when the centre says that it is ready."""
        until_ns = self.clock.now().mono_ns + round(START_LIMIT_S * NS_PER_S)
        while True:
            self.check()
            try:
                if self.get("/readyz").is_success:
                    return
            except httpx.TransportError:
                if self.clock.now().mono_ns > until_ns:
                    raise
            self.pause(0.1)

    def wait_for_plant(self) -> None:
        """Return when every simulator has said which ports it serves."""
        until_ns = self.clock.now().mono_ns + round(START_LIMIT_S * NS_PER_S)
        while not all("ports" in self._log(one.protocol).read_text() for one in SIMULATED):
            self.check()
            if self.clock.now().mono_ns > until_ns:
                raise OperatorError("the simulated plant does not start")
            self.pause(0.1)

    def stop_plant(self) -> None:
        """Stop the simulators."""
        for one in SIMULATED:
            self.stop(one.protocol)

    def pause(self, seconds: float) -> None:
        """Wait; Ctrl-C ends the waiting."""
        signal.sigtimedwait((), seconds)

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    @property
    def _state(self) -> tuple[str, str]:
        return "--state", str(self.folder / "centre")

    def _done(self, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, check=False
        )


def _hastened(config: str) -> str:
    """Return the configuration with sooner commits and uploads: a demonstration lasts a minute."""
    config = config.replace("[buffer]\n", "[buffer]\ncommit_interval_s = 2\n")
    return config.replace("[centre]\n", "[centre]\nupload_interval_s = 5\n")


def _free_port(wanted: int) -> int:
    """Return the port that is wanted when nothing listens there, or another."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            number: int = probe.getsockname()[1]
            return number
    raise OperatorError("no free port on 127.0.0.1", exit_code=ExitCode.UNAVAILABLE)
