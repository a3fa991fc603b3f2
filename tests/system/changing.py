"""An outstation whose points change without end, for the kill campaign of DNP3.

`python -m tests.system.changing PORT FOLDER --seed 1` notes every event before the outstation has
it. Once FOLDER/enough is there, nothing changes any more; FOLDER/empty is made when the last event
was confirmed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.clock import NS_PER_S
from edge_agent.config.protocols.dnp3 import ObjectKind
from edge_agent.simulator.dnp3_outstation import Outstation, State
from edge_agent.simulator.dnp3_server import listening
from tests.system.installation import CLOCK, Installation, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

PROFILE = "case/changes"
ADDRESS = 10
POINT_COUNT = 3
PAUSE_S = (0.0, 0.04)
JOURNAL, ENOUGH, EMPTY = "had.jsonl", "enough", "empty"
PROFILE_HEAD = f"""id = "{PROFILE}"
revision = "1"
vendor = "case"
model = "changes"
protocol = "dnp3"
trust = "simulated"

[[provenance]]
kind = "simulator"
document = "tests/system/changing.py"
pages = "all"
"""
POINT = """
[points.value{index}]
parameter = "value{index}"
unit_of_measure = "1"
object = "analog_input"
index = {index}
raw_type = "float32"
resolution = "0.001"
page = "tests/system/changing.py"
"""
DEVICE = """name = "outstation"
profile = "{profile}"
endpoint = "tcp://127.0.0.1:{port}"
period_s = 0.5
timeout_s = 0.4
dnp3.address = {address}
dnp3.events = "{events}"
"""
CHANNEL = """
[[channels]]
number = {number}
point = "value{index}"
name = "value {index}"
"""


@dataclass
class ChangingInstallation(Installation):
    """An outstation, a gateway that reads it, and a centre."""

    events: str = "unsolicited"
    port: int = field(default_factory=free_port)

    @property
    def journal(self) -> Path:
        """The events that the outstation had, JSON lines."""
        return self.folder / JOURNAL

    def calm(self, limit_s: float) -> None:
        """Let nothing change any more; return when every event was confirmed."""
        (self.folder / ENOUGH).touch()
        wait_until("every event is confirmed", (self.folder / EMPTY).exists, limit_s=limit_s)

    def _start_plant(self) -> list[int]:
        command = (sys.executable, "-m", "tests.system.changing", str(self.port), str(self.folder))
        self.start("plant", *command, "--seed", str(self.seed))
        log = self.folder / "plant.log"
        wait_until("the outstation", lambda: b"ready" in log.read_bytes(), limit_s=30.0)
        return [self.port]

    def _extend_profile(self) -> dict[str, dict[str, object]]:
        path = self.gateway / "profiles.d" / f"{PROFILE}.toml"
        path.parent.mkdir(parents=True)
        path.write_text(PROFILE_HEAD + "".join(POINT.format(index=n) for n in range(POINT_COUNT)))
        return {}

    def _write_devices(self, ports: list[int], _: dict[str, dict[str, object]]) -> None:
        text = DEVICE.format(profile=PROFILE, port=ports[0], address=ADDRESS, events=self.events)
        text += "".join(CHANNEL.format(number=n + 1, index=n) for n in range(POINT_COUNT))
        (self.gateway / "devices.d" / "outstation.toml").write_text(text)


async def change(port: int, folder: Path, seed: int) -> None:
    """Serve an outstation whose points change, until killed."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    outstation = Outstation(room=1_000_000)
    for index in range(POINT_COUNT):
        outstation.hold(_state(index, 0.0, None))
    served = listening({ADDRESS: outstation}, host="127.0.0.1", port=port, clock=CLOCK)
    async with served:
        print("ready", flush=True)
        with (folder / JOURNAL).open("a", buffering=1) as journal:
            while not (folder / ENOUGH).exists():
                await _pause(chance.uniform(*PAUSE_S))
                at_ms, index = CLOCK.now().utc_ns // 1_000_000, chance.randrange(POINT_COUNT)
                state = _state(index, chance.uniform(-500.0, 500.0), at_ms)
                said = {"channel": index + 1, "at_ms": at_ms, "raw": _bits(state.value)}
                journal.write(json.dumps(said) + "\n")
                outstation.hold(state, is_event=True)
        while outstation.events:
            await _pause(0.05)
        (folder / EMPTY).touch()
        await asyncio.Event().wait()


async def _pause(seconds: float) -> None:
    await CLOCK.sleep_until(CLOCK.now().mono_ns + round(seconds * NS_PER_S))


def _state(index: int, value: float, at_ms: int | None) -> State:
    return State(
        kind=ObjectKind.ANALOG_INPUT, index=index, raw_type="float32", value=value, at_ms=at_ms
    )


def _bits(value: float) -> int:
    return int(struct.unpack("<I", struct.pack("<f", value))[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    known = parser.parse_args(arguments)
    asyncio.run(change(known.port, known.folder, known.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
