"""A device of an OPC UA server that is subscribed to: its changes at the centre, and a cut line.

Real processes: the simulated stack as an OPC UA server, a gateway, a centre; a proxy cuts the line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from edge_agent.config.library import device_file
from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import open_body
from edge_agent.wire.header import Header
from tests.system.evidence import rows
from tests.system.installation import AGENT, Installation, wait_until
from tests.system.proxy import Proxy

if TYPE_CHECKING:
    from pathlib import Path

PROFILE = "emissionwatch/simulated-opcua"
NOX = 1
KEYS = """
period_s = 5.0
timeout_s = 2.0
opcua.mode = "subscribe"
opcua.sampling_ms = 250
opcua.trusts_time = true
"""
# The simulated stack measures twice a second.
PLANT_PERIOD_NS = 500_000_000
LIMIT_S = 40.0


@dataclass
class OpcuaInstallation(Installation):
    """A stack that speaks OPC UA, a gateway that subscribes to it through a proxy, a centre."""

    proxy: Proxy | None = None

    def _start_plant(self) -> list[int]:
        options = ("--port", "0", "--protocol", "opcua", "--seed", str(self.seed))
        self.start("plant", *AGENT, "simulate", *options)
        log = self.folder / "plant.log"
        wait_until("the plant's port", lambda: b"ports " in log.read_bytes(), limit_s=30.0)
        listing = re.search(r"ports (\d+)", log.read_text())
        assert listing is not None
        return [int(listing[1])]

    def _extend_profile(self) -> dict[str, dict[str, object]]:
        return {}

    def _write_devices(self, ports: list[int], _: dict[str, dict[str, object]]) -> None:
        self.proxy = Proxy(target_port=ports[0], seed=self.seed).__enter__()
        endpoint = f"opc.tcp://127.0.0.1:{self.proxy.port}"
        head, channels, rest = device_file(
            PROFILE, name="stack-1", endpoint=endpoint, first_channel=NOX
        ).partition("\n[[channels]]")
        lines = [line for line in head.splitlines() if not line.startswith(("period", "timeout"))]
        text = "\n".join(lines) + KEYS + channels + rest
        (self.gateway / "devices.d" / "stack-1.toml").write_text(text)

    def __exit__(self, *args: object) -> None:
        """End what still runs."""
        super().__exit__(*args)
        if self.proxy is not None:
            self.proxy.__exit__(*args)


def stored(centre: Path) -> tuple[list[tuple[int, int]], list[dict[str, object]]]:
    """Return time and raw of every row of the NOx channel, and every event, at the centre."""
    told: list[tuple[int, int]] = []
    events: list[dict[str, object]] = []
    for head, body in rows(centre, "SELECT header, body FROM batch ORDER BY rowid"):
        assert isinstance(head, bytes)
        assert isinstance(body, bytes)
        content = open_body(Header.unpack(head), body)
        events += [json.loads(line) for line in content.event_lines]
        if content.readings:
            some = rows_of_stream(content.readings)
            some = some[some["channel"] == NOX]
            told += zip(some["at"].tolist(), some["raw"].tolist(), strict=True)
    return told, events


@pytest.mark.system
def test_every_change_of_a_subscribed_device_reaches_the_centre_and_a_cut_line_is_a_gap(
    tmp_path: Path,
) -> None:
    with OpcuaInstallation(folder=tmp_path / "installation", seed=7) as one:
        one.install(one.centre_port)
        assert one.proxy is not None
        one.start_centre()
        one.start_agent()

        def has(count: int) -> bool:
            one.check_running()
            return len(stored(one.centre_file)[0]) >= count

        wait_until("changes", lambda: has(12), limit_s=LIMIT_S)
        one.proxy.cut()
        wait_until(
            "the loss",
            lambda: any(event["type"] == "gap" for event in stored(one.centre_file)[1]),
            limit_s=LIMIT_S,
        )
        count = len(stored(one.centre_file)[0])
        one.proxy.mend()
        wait_until("more changes", lambda: has(count + 8), limit_s=LIMIT_S)
        assert one.stop("agent") == 0
        told, events = stored(one.centre_file)
    times = sorted({at_ns for at_ns, _ in told})
    steps = [later - earlier for earlier, later in pairwise(times)]
    near = [step for step in steps if abs(step - PLANT_PERIOD_NS) < PLANT_PERIOD_NS // 2]
    assert len(near) >= 12
    lost = [event for event in events if event.get("reason") == "samples_lost"]
    assert lost
    assert lost[0]["channels"]
