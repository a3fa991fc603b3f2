"""The centre as a process of its own, on a free port, for the length of a block."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx

from edge_agent.identity import public_pem
from edge_agent.wire.signing import VerifyingKey
from tests.bench.subject import PYTHON, end, free_port, now_s, pause, python_environment

READY_LIMIT_S = 30.0


def run(*words: str) -> str:
    """Run a command of the product to its end; return what it printed."""
    done = subprocess.run(
        [PYTHON, "-m", *words],
        capture_output=True,
        text=True,
        check=False,
        env=python_environment(),
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.returncode}\n{done.stderr}")
    return done.stdout


class Centre:
    """A centre with a state folder, which can be stopped and started again."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._listen = f"127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        run("central_sync", "migrate", "--state", str(state))

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://{self._listen}"

    def register(self, gateway_id: UUID | str, key: VerifyingKey) -> Path:
        """Register a gateway; return the file with the centre's receipt key."""
        public, receipt = self.state / f"{gateway_id}.pub", self.state / f"{gateway_id}.receipt"
        public.write_text(public_pem(key))
        run(
            *("central_sync", "gateway", "--state", str(self.state), "add", str(gateway_id)),
            *("--facility", "BENCH", "--name", str(gateway_id), "--key", str(public)),
            *("--receipt-key-out", str(receipt)),
        )
        return receipt

    def start(self) -> None:
        """Start it and wait until it is ready."""
        words = ("serve", "--state", str(self.state), "--listen", self._listen)
        with (self.state / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "central_sync", *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=python_environment(),
            )
        began_s = now_s()
        while now_s() - began_s < READY_LIMIT_S:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz", timeout=5.0).is_success:
                    return
            pause(0.05)
        raise TimeoutError(f"the centre did not become ready within {READY_LIMIT_S:g} s")

    def stop(self) -> None:
        """End it; its state stays."""
        end(self._process)
        self._process = None


@contextlib.contextmanager
def centre(state: Path) -> Iterator[Centre]:
    """Run a centre for the length of a block."""
    service = Centre(state)
    service.start()
    try:
        yield service
    finally:
        service.stop()
