"""The agent as a subject: the product's own commands, a generated profile, a real centre."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from edge_agent.identity import load_signing_key
from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import open_body
from edge_agent.wire.header import Header
from tests.bench.service import Centre, run
from tests.bench.subject import (
    FIRST_PORT,
    PYTHON,
    Delivered,
    Load,
    end,
    python_environment,
)

PROFILE: Final = """\
id = "bench/registers"
revision = "1.0.0"
vendor = "bench"
model = "registers"
protocol = "modbus"
trust = "bench"
gaps = []

[[provenance]]
kind = "manual"
document = "tests/bench/fast_modbus_server.c"
pages = "its head"

[modbus]
addressing = "zero_based"
word_order = "ABCD"
max_registers_per_read = 125
"""
POINT: Final = """
[points.r{address}]
parameter = "count"
unit_of_measure = "1"
table = "holding"
address = {address}
raw_type = "uint16"
resolution = "1"
low = "0"
high = "{high}"
page = "its head"
"""
# Limits on every channel, so that the judge has the work it has at a plant.
LIMITS: Final = """
[channels.limits]
max_rate_per_s = "100000"
stuck_after_s = 600.0
"""


class Agent:
    """The product with its centre."""

    name = "edge-agent"

    def __init__(self, folder: Path, load: Load) -> None:
        self.load = load
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._counted = 0
        self._values = 0
        self._polls: defaultdict[int, Counter[int]] = defaultdict(Counter)
        folder.mkdir(parents=True)
        self._centre = Centre(folder / "centre")
        self._install()
        self._centre.start()

    @property
    def config(self) -> Path:
        """The gateway's agent.toml."""
        return self.folder / "agent.toml"

    @property
    def process(self) -> psutil.Process:
        """Return the gateway's process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def start(self) -> None:
        """Start the gateway."""
        with (self.folder / "agent.log").open("ab") as log:
            self._process = subprocess.Popen(
                [PYTHON, "-m", "edge_agent", "run", "--config", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=python_environment(),
            )

    def kill(self) -> None:
        """Kill the gateway with SIGKILL and wait for its end."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def set_uplink(self, *, is_up: bool) -> None:
        """Cut the uplink by ending the centre, or start it again."""
        if is_up:
            self._centre.start()
        else:
            self._centre.stop()

    def delivered(self) -> Delivered:
        """Return what the centre has stored so far, read from its own record."""
        with contextlib.closing(
            sqlite3.connect(f"file:{self.folder / 'centre' / 'centre.db'}?mode=ro", uri=True)
        ) as record:
            found = record.execute(
                "SELECT rowid, header, body FROM batch WHERE rowid > ? ORDER BY rowid",
                (self._counted,),
            )
            for number, header_bytes, body in found:
                self._count(Header.unpack(header_bytes), body)
                self._counted = number
        return Delivered(
            value_count=self._values,
            distinct_poll_count=sum(map(len, self._polls.values())),
            duplicate_poll_count=sum(
                sum(polls.values()) - len(polls) for polls in self._polls.values()
            ),
        )

    def close(self) -> None:
        """End both processes, the gateway first."""
        end(self._process)
        self._centre.stop()

    def _count(self, header: Header, body: bytes) -> None:
        rows = rows_of_stream(open_body(header, body).readings)
        self._values += len(rows)
        device, place = np.divmod(rows["channel"].astype(np.int64) - 1, 125)
        # Registers 0 and 1 of a scan, high word first, are the number the device gave the poll.
        high, low = rows["raw"][place == 0], rows["raw"][place == 1]
        for index, number in zip(
            device[place == 0].tolist(), ((high << 16) | low).tolist(), strict=True
        ):
            self._polls[index][number] += 1

    def _install(self) -> None:
        enrolled = json.loads(
            run(
                *("edge_agent", "init", "--json", "--facility", "BENCH"),
                *("--centre", self._centre.url, "--config", str(self.config)),
                *("--state", str(self.folder), "--socket", str(self.folder / "agent.sock")),
            )
        )
        key = load_signing_key(self.folder / "gateway.key").verifying_key
        receipt_key = self._centre.register(enrolled["gateway"], key)
        shutil.copy(receipt_key, enrolled["receipt_key_file"])
        text = self.config.read_text()
        interval_s = self.load.commit_interval_s
        # The quota is not what is measured: 200 x 125 for a day would need 17 GB.
        keys = f"commit_interval_s = {interval_s}\noffline_duration_s = 0.0"
        text = text.replace("[buffer]\n", f"[buffer]\n{keys}\n")
        text = text.replace("[centre]\n", "[centre]\nupload_interval_s = 10\n")
        self.config.write_text(text)
        (self.folder / "profiles.d" / "bench").mkdir(parents=True)
        registers = range(self.load.register_count)
        points = "".join(
            POINT.format(address=address, high=65535 if address < 2 else 40000)
            for address in registers
        )
        (self.folder / "profiles.d" / "bench" / "registers.toml").write_text(PROFILE + points)
        for index in range(self.load.device_count):
            (self.folder / "devices.d" / f"d{index:03}.toml").write_text(self._device(index))

    def _device(self, index: int) -> str:
        head = (
            f'name = "d{index}"\nprofile = "bench/registers"\n'
            f'endpoint = "tcp://127.0.0.1:{FIRST_PORT + index}"\n'
            f"period_s = {self.load.period_ms / 1000}\ntimeout_s = {self.load.period_ms / 1250}\n"
        )
        return head + "".join(
            f'\n[[channels]]\nnumber = {125 * index + address + 1}\npoint = "r{address}"\n'
            f'name = "d{index} r{address}"\n{LIMITS}'
            for address in range(self.load.register_count)
        )


@contextlib.contextmanager
def agent(folder: Path, load: Load) -> Iterator[Agent]:
    """Run the centre for the length of a block; the gateway is started by the scenario."""
    subject = Agent(folder, load)
    try:
        yield subject
    finally:
        subject.close()
