"""The agent's own driver and judge, on the plant's port: what they say is what the plant knows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from edge_agent.clock import NS_PER_S, Instant, SystemClock
from edge_agent.config.device import Device
from edge_agent.config.library import device_file
from edge_agent.config.loading import load_plan
from edge_agent.drivers.modbus import connect
from edge_agent.quality.judge import Judge
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.plant import GASES, Plant, Scenario
from edge_agent.simulator.record import record_in
from edge_agent.simulator.service import PROFILE, SimulatorSettings, plant_analyzers
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import Phase, QualityClass, Reason

START_NS = 1_795_000_000 * NS_PER_S
AGENT = """\
[gateway]
id = "00000000-0000-4000-8000-000000000001"
facility = "TEST"
simulated = true
key_file = "gateway.key"

[buffer]
path = "buffer.db"

[centre]
url = "http://127.0.0.1:1"
receipt_key_file = "receipt.pem"
"""


@dataclass(frozen=True, slots=True)
class StoppedClock(SystemClock):
    """A clock that stands at a time after the start of the plant, seconds."""

    after_s: float

    def now(self) -> Instant:
        """Return that moment."""
        return Instant(utc_ns=START_NS + round(self.after_s * NS_PER_S), mono_ns=1)


def device_at(port: int, folder: Path) -> Device:
    """Return the device that a configuration for the plant's port gives."""
    (folder / "devices.d").mkdir(exist_ok=True)
    (folder / "agent.toml").write_text(AGENT)
    for name in ("gateway.key", "receipt.pem"):
        (folder / name).touch(mode=0o600)
    text = device_file(PROFILE, name="stack-1", endpoint=f"tcp://127.0.0.1:{port}", first_channel=1)
    (folder / "devices.d" / "stack-1.toml").write_text(text)
    return load_plan(folder / "agent.toml", environ={}, overrides={}).devices[0]


@asynccontextmanager
async def read_at(
    scenario: Scenario, after_s: float, folder: Path
) -> AsyncIterator[tuple[Device, Plant, Readings]]:
    """Yield what the agent makes of the plant at one moment."""
    clock = StoppedClock(after_s)
    with record_in(None) as record:
        settings = SimulatorSettings(scenario=scenario)
        analyzers = plant_analyzers(settings, record=record, started_ns=START_NS)
        async with serving(analyzers, host="127.0.0.1", port=0, clock=clock) as ports:
            device = device_at(ports[0], folder)
            async with connect([device], SystemClock()) as connection:
                scan = await connection.drivers[0].read()
            assert scan is not None
            readings = Judge(device, simulated=True).judge(scan).readings
            yield device, analyzers[0].plant, readings


@pytest.mark.asyncio
@pytest.mark.parametrize("after_s", [0.0, 3600.0, 40_000.0])
async def test_the_agents_values_are_those_the_analyzers_indicate(
    tmp_path: Path, after_s: float
) -> None:
    async with read_at(Scenario.NORMAL, after_s, tmp_path) as (device, plant, readings):
        integers, has_value = Scaling(device.channels).integers(readings.raw)
        said = plant.indicated(START_NS + round(after_s * NS_PER_S)).values
        for row, integer in zip(device.channels, integers, strict=True):
            step = float(Decimal(row.resolution))
            assert abs(integer * step - said[row.parameter]) <= step, row.name
        assert has_value.all()


CASES = [
    (Scenario.NORMAL, 40.0, QualityClass.GOOD, Phase.MEASURING, Reason(0)),
    (Scenario.FAILURE, 29.0, QualityClass.GOOD, Phase.MEASURING, Reason(0)),
    (Scenario.FAILURE, 40.0, QualityClass.FAILURE, Phase.MEASURING, Reason.DEVICE_FAULT),
    (Scenario.FAILURE, 61.0, QualityClass.GOOD, Phase.MEASURING, Reason(0)),
    (Scenario.DRIFT, 545.0, QualityClass.FUNCTION_CHECK, Phase.ZERO_CHECK, Reason(0)),
    (Scenario.DRIFT, 565.0, QualityClass.FUNCTION_CHECK, Phase.SPAN_CHECK, Reason(0)),
    (Scenario.EXCEEDANCE, 40.0, QualityClass.GOOD, Phase.MEASURING, Reason(0)),
]


@pytest.mark.asyncio
@pytest.mark.parametrize(("scenario", "after_s", "class_", "phase", "reason"), CASES)
async def test_the_agent_judges_what_the_scenario_knows(
    tmp_path: Path,
    scenario: Scenario,
    after_s: float,
    class_: QualityClass,
    phase: Phase,
    reason: Reason,
) -> None:
    async with read_at(scenario, after_s, tmp_path) as (device, _, readings):
        always = Reason.JUDGED | Reason.SIMULATED
        good = int(QualityClass.GOOD | always)
        gas = int(class_ | phase << 4 | reason | always)
        unsaid = [Reason(0) if row.status_source else Reason.NO_FLAGS for row in device.channels]
        wanted = [
            (gas if row.parameter in GASES else good) | flags
            for row, flags in zip(device.channels, unsaid, strict=True)
        ]
        np.testing.assert_array_equal(readings.quality, wanted)
