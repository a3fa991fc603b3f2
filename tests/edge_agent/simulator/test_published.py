"""The plant over MQTT and Sparkplug: what is said, and that the agent's drivers understand it."""

import asyncio
import json
import signal
import struct
import subprocess
import sys
from importlib.resources import files
from typing import Any

import pytest

from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.device import Device
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.library import SHIPPED, LoadedProfile, load_profile
from edge_agent.config.protocols.mqtt_profile import MqttProfile
from edge_agent.config.protocols.mqtt_settings import (
    BrokerSettings,
    MqttSettings,
    SparkplugSettings,
)
from edge_agent.config.resolve import device_of
from edge_agent.drivers import connector
from edge_agent.drivers.base import LinkLostError
from edge_agent.drivers.sparkplug_node import Kind, Node
from edge_agent.drivers.sparkplug_payload import decoded
from edge_agent.errors import OperatorError
from edge_agent.simulator import mqtt, sparkplug
from edge_agent.simulator.broker import broker
from edge_agent.simulator.fault import FaultRates
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.service import SERVERS, SimulatorSettings
from edge_agent.wire.readings import Scan
from tests.edge_agent.simulator.local_broker import beside, broker_at, free_port

LIMIT_S = 20
STARTED_NS = 1_790_000_000 * NS_PER_S
CLOCK = SystemClock()


def plant(scenario: Scenario = Scenario.NORMAL, started_ns: int = STARTED_NS) -> Plant:
    return Plant(seed=1, scenario=scenario, started_ns=started_ns)


def shipped(name: str) -> LoadedProfile:
    loaded = load_profile(files(SHIPPED) / f"emissionwatch/{name}.toml", f"emissionwatch/{name}")
    assert isinstance(loaded, LoadedProfile)
    return loaded


def instrument(running: Plant, loaded: LoadedProfile) -> Instrument:
    return Instrument(name="stack-1", plant=running, profile=loaded.profile)


def agent_device(loaded: LoadedProfile, port: int) -> Device:
    """Return the device as the agent runs it, with every point of the profile."""
    is_mqtt = isinstance(loaded.profile, MqttProfile)
    settings = DeviceSettings(
        name="stack-1",
        profile=loaded.profile.id,
        endpoint=f"mqtt://127.0.0.1:{port}",
        timeout_s=0.9,
        broker=BrokerSettings(client_id="gateway"),
        mqtt=MqttSettings(root="plant/stack-1") if is_mqtt else None,
        sparkplug=None
        if is_mqtt
        else SparkplugSettings(group="plant", node="stack-1", device=sparkplug.DEVICE),
        channels=tuple(
            ChannelSettings(number=number, point=name, name=name)
            for number, name in enumerate(loaded.profile.points, 1)
        ),
    )
    return device_of(settings, loaded, facility="plant")


def values_of(device: Device, scans: list[Scan]) -> dict[str, float]:
    """Return point name -> last value."""
    raw = {
        channel: word
        for scan in scans
        for channel, word in zip(scan.channel.tolist(), scan.raw.tolist(), strict=True)
    }
    layouts = {"float32": (">I", ">f"), "float64": (">q", ">d"), "bool": (">q", ">q")}
    found = {}
    for row in device.channels:
        packed, seen = layouts[row.raw_type]
        found[row.name] = struct.unpack(seen, struct.pack(packed, raw[row.channel]))[0]
    return found


@pytest.mark.asyncio
async def test_the_agent_hears_what_the_plant_publishes() -> None:
    loaded, port, running = shipped("simulated-mqtt"), free_port(), plant(started_ns=0)
    device = agent_device(loaded, port)
    said = mqtt.publish(instrument(running, loaded), host="127.0.0.1", port=port, clock=CLOCK)
    scans: list[Scan] = []
    async with (
        asyncio.timeout(LIMIT_S),
        broker_at(port),
        connector("mqtt")([device], CLOCK) as connection,
        beside(said),
    ):
        assert connection.listen is not None
        while len(scans) < 2:
            found = await connection.listen(CLOCK.now().mono_ns + NS_PER_S)
            scans += [scan for delivery in found for scan in delivery.scans]
        assert await connection.drivers[0].read() is None
    values, truth = values_of(device, scans), running.truth(scans[0].at_ns)
    assert not any(scan.transport.any() for scan in scans)
    assert values["operating"] == 1
    assert values["load_mw"] == pytest.approx(truth["load"], abs=1)
    assert values["o2_pct"] == pytest.approx(truth["O2"], abs=0.2)


@pytest.mark.asyncio
async def test_the_agent_hears_the_plant_over_sparkplug() -> None:
    loaded, port, running = shipped("simulated-spb"), free_port(), plant(started_ns=0)
    device = agent_device(loaded, port)
    said = sparkplug.publish(instrument(running, loaded), host="127.0.0.1", port=port, clock=CLOCK)
    async with (
        asyncio.timeout(LIMIT_S),
        broker_at(port),
        connector("sparkplug")([device], CLOCK) as connection,
        beside(said),
    ):
        scan = None
        while scan is None or scan.transport.any():
            try:
                scan = await connection.drivers[0].read()
            except LinkLostError:
                continue
    values, truth = values_of(device, [scan]), running.truth(scan.at_ns)
    assert scan.status.tolist() == [192] * len(device.points)
    assert values["operating"] == 1
    assert values["load_mw"] == pytest.approx(truth["load"], abs=1)


@pytest.mark.asyncio
async def test_a_port_that_is_in_use_is_told() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(OperatorError, match="Is it in use"):
            async with broker(port):
                pytest.fail("two at one port")


@pytest.mark.parametrize(
    ("scenario", "after_s", "state", "quality"),
    [
        (Scenario.NORMAL, 40, "measuring", 192),
        (Scenario.FAILURE, 40, "failure", 0),
        (Scenario.DRIFT, 550, "zero_check", 500),
        (Scenario.DRIFT, 570, "span_check", 500),
    ],
)
def test_what_the_scenario_does_to_the_analyzer_is_said(
    scenario: Scenario, after_s: int, state: str, quality: int
) -> None:
    running, at_ns = plant(scenario), STARTED_NS + after_s * NS_PER_S
    indication = running.indicated(at_ns)
    json_device, metric_device = (
        instrument(running, shipped(name)) for name in ("simulated-mqtt", "simulated-spb")
    )
    said = json.loads(mqtt.messages(json_device, indication, at_ns)["gas"])
    assert said["state"] == state
    assert said["nox"] == pytest.approx(indication.values["NOx"], abs=0.005)
    metrics = sparkplug.metrics_of(metric_device, indication, at_ns)
    assert metrics["Gas/NOx"].properties == {"Quality": quality}
    assert metrics["Stack/load"].properties == {"Quality": 192}


def test_an_edge_node_keeps_the_order_of_births_data_and_deaths() -> None:
    served = instrument(plant(), shipped("simulated-spb"))
    first, second = (
        sparkplug.metrics_of(served, plant().indicated(at_ns), at_ns)
        for at_ns in (STARTED_NS + NS_PER_S, STARTED_NS + 2 * NS_PER_S)
    )
    session, node, kinds = sparkplug.Session(group="g", node="n", bd_seq=4), Node(), []
    for said in (first, second, second, None, None, first):
        for topic, payload in session.messages(said, 0):
            _, _, kind, _, *device = topic.split("/")
            kinds.append(kind)
            change = node.heard(Kind(kind), "".join(device), decoded(payload))
            assert (change.lost, change.is_lost_in) == (None, False)
    assert kinds == ["NBIRTH", "DBIRTH", "DDATA", "DDEATH", "DBIRTH"]
    session.heard("", b"")
    assert session.messages(first, 0) == []
    death = session.will()
    assert node.heard(Kind.NODE_DEATH, "", decoded(death.payload)).died is not None


@pytest.mark.parametrize("protocol", SERVERS)
def test_the_command_serves_every_protocol_until_it_is_stopped(protocol: str) -> None:
    command = [sys.executable, "-m", "edge_agent", "simulate", "--protocol", protocol]
    process = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline().startswith("normal: 127.0.0.1, ports ")
        process.send_signal(signal.SIGTERM)
        assert process.wait(LIMIT_S) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"protocol": "profibus"}, "cannot be simulated; there are modbus, "),
        ({"protocol": "mqtt", "faults": FaultRates.parse("late=0.1")}, "of modbus devices only"),
    ],
)
def test_what_cannot_be_simulated_is_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SimulatorSettings(**options)
