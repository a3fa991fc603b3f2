"""A device of any profile, served by the simulator and read by the agent's own driver and judge."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest

from edge_agent.clock import NS_PER_S, Instant, SystemClock
from edge_agent.config.device import Device
from edge_agent.config.device_model import ChannelSettings, DeviceSettings
from edge_agent.config.device_parts import Confirmation
from edge_agent.config.device_rules import device_misfits
from edge_agent.config.library import SHIPPED, Library, LoadedProfile, listed, validated
from edge_agent.config.profile import PointProfile
from edge_agent.config.protocols.bayern_hessen_settings import BayernHessenSettings
from edge_agent.config.protocols.dnp3_settings import Dnp3Settings
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.config.protocols.mqtt_settings import (
    BrokerSettings,
    MqttSettings,
    SparkplugSettings,
)
from edge_agent.config.resolve import device_of
from edge_agent.config.vocabulary import Addressing, ConfirmedKey, WordOrder
from edge_agent.drivers import connector
from edge_agent.drivers.base import Connection, LinkLostError
from edge_agent.quality.judge import Judge
from edge_agent.simulator import mqtt, sparkplug
from edge_agent.simulator.instrument import Instrument
from edge_agent.simulator.registers import Registers
from edge_agent.simulator.service import SimulatorSettings, served
from edge_agent.simulator.site import Site, open_questions
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, Reason
from tests.edge_agent.simulator.local_broker import beside, broker_at, free_port

CLOCK = SystemClock()
LIMIT_S = 30
CASES: Final = Path(__file__).parents[2] / "cases" / "profiles"
PROFILES: Final = (
    *listed(Library(folders=(files(SHIPPED),))),
    *validated(sorted(CASES.glob("*.toml"))),
)
# Four digits (Thermo 42i Trace Level instruction manual, p. D-5), and the 24 bits of a binary32.
PRECISION: Final = {"bayern_hessen": 0.5e-3, "float32": 2.0**-24}

BROKER_OF = {"mqtt": mqtt.publish, "sparkplug": sparkplug.publish}
# Whether a point speaks over a protocol is seen at its first value; until then it has this reason.
NOT_YET = Reason.COMMUNICATION


@dataclass(frozen=True, slots=True)
class StandingClock(SystemClock):
    """A clock whose wall time stands; whoever waits waits as long as ever."""

    utc_ns: int

    def now(self) -> Instant:
        """Return that moment."""
        return Instant(utc_ns=self.utc_ns, mono_ns=CLOCK.now().mono_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the agent makes of one channel.

    Attributes:
        value: in the unit of measure; None: there is no number.
        quality: the judge's.
        status: as received.

    """

    value: Decimal | None
    quality: int
    status: int


def confirmed(profile: object) -> Site:
    """Return a site that settles what a profile leaves open, otherwise than most devices do."""
    if not isinstance(profile, ModbusProfile):
        return Site()
    facts, site = profile.modbus, Site()
    if facts.word_order is WordOrder.UNKNOWN:
        site = replace(site, word_order=WordOrder.CDAB)
    if facts.addressing is Addressing.UNKNOWN:
        site = replace(site, addressing=Addressing.ONE_BASED)
        if tuple(open_questions(profile, site)):
            site = replace(site, addressing=Addressing.ZERO_BASED)
    return site


def shown_by(instrument: Instrument) -> tuple[str, ...]:
    """Return the points that an instrument serves."""
    is_modbus = isinstance(instrument.profile, ModbusProfile)
    return Registers(instrument).served if is_modbus else tuple(instrument.points)


def settings_of(instrument: Instrument, port: int) -> DeviceSettings:
    """Return the file of a device that reads everything an instrument serves."""
    by_protocol: Mapping[str, Mapping[str, Any]] = {
        "modbus": {"endpoint": f"tcp://127.0.0.1:{port}"},
        "opcua": {"endpoint": f"opc.tcp://127.0.0.1:{port}"},
        "bayern_hessen": {
            "endpoint": f"tcp://127.0.0.1:{port}",
            "bayern_hessen": BayernHessenSettings(address=1),
        },
        "dnp3": {"endpoint": f"tcp://127.0.0.1:{port}", "dnp3": Dnp3Settings(address=10)},
        "mqtt": {
            "endpoint": f"mqtt://127.0.0.1:{port}",
            "broker": BrokerSettings(client_id="gateway"),
            "mqtt": MqttSettings(root="plant/stack-1"),
        },
        "sparkplug": {
            "endpoint": f"mqtt://127.0.0.1:{port}",
            "broker": BrokerSettings(client_id="gateway"),
            "sparkplug": SparkplugSettings(group="plant", node="stack-1", device="stack"),
        },
    }
    return DeviceSettings(
        name=instrument.name,
        profile=instrument.profile.id,
        word_order=instrument.site.word_order,
        addressing=instrument.site.addressing,
        period_s=10,
        timeout_s=5,
        confirmations=(
            Confirmation(
                what=ConfirmedKey.UNIT_OF_MEASURE,
                who="A. Technician",
                at="2026-11-20T10:12:00Z",
                how="the simulator said so",
            ),
        ),
        channels=tuple(
            channel(instrument, number, name) for number, name in enumerate(shown_by(instrument), 1)
        ),
        **by_protocol[instrument.profile.protocol],
    )


def channel(instrument: Instrument, number: int, name: str) -> ChannelSettings:
    """Return the channel of a point; what the profile leaves to the site is as in the simulator."""
    point, meaning = instrument.points[name], instrument.meanings[name]
    return ChannelSettings(
        number=number,
        point=name,
        name=name,
        parameter=meaning.parameter if point.parameter is None else None,
        unit_of_measure=meaning.unit_of_measure if point.unit_of_measure is None else None,
    )


def device_at(port: int, instrument: Instrument, loaded: LoadedProfile) -> Device:
    """Return the device as the agent runs it; its file has no mistakes."""
    settings = settings_of(instrument, port)
    assert device_misfits(settings, loaded.profile) == ()
    return device_of(settings, loaded, facility="plant")


@asynccontextmanager
async def served_at(instrument: Instrument, at_ns: int) -> AsyncIterator[int]:
    """Serve an instrument as it is at a moment; yields its port."""
    clock, publish = StandingClock(at_ns), BROKER_OF.get(instrument.profile.protocol)
    if publish is not None:
        port = free_port()
        said = publish(instrument, host="127.0.0.1", port=port, clock=clock)
        async with broker_at(port), beside(said):
            yield port
        return
    plant = instrument.plant
    settings = SimulatorSettings(
        protocol=instrument.profile.protocol,
        profile=instrument.profile,
        scenario=plant.scenario,
        site=instrument.site,
        port=0,
    )
    async with served(settings, started_ns=plant.started_ns, clock=clock) as ports:
        yield ports[0]


async def read_by_the_agent(device: Device) -> dict[str, Read]:
    """Return what the agent's driver and judge make of every channel, by its name."""
    judge, found = Judge(device, simulated=True), dict[int, Read]()
    async with (
        asyncio.timeout(LIMIT_S),
        connector(device.protocol)([device], CLOCK) as connection,
    ):
        while len(found) < len(device.channels):
            for scan in await _heard(connection):
                found |= _reads(device, judge, scan)
    return {row.name: found[row.channel] for row in device.channels}


async def _heard(connection: Connection) -> list[Scan]:
    scans: list[Scan] = []
    if connection.listen is not None:
        deliveries = await connection.listen(CLOCK.now().mono_ns + NS_PER_S // 5)
        scans += [scan for delivery in deliveries for scan in delivery.scans]
    try:
        scan = await connection.drivers[0].read()
    except LinkLostError:
        if connection.listen is None:
            raise
        return scans
    return [*scans, scan] if scan is not None else scans


def _reads(device: Device, judge: Judge, scan: Scan) -> dict[int, Read]:
    rows = {row.channel: row for row in device.channels}
    readings = judge.judge(scan).readings
    scaled = [rows[number] for number in scan.channel.tolist()]
    integers, is_number = Scaling(scaled).integers(readings.raw)
    found = {}
    for index, row in enumerate(scaled):
        quality = int(readings.quality[index])
        if quality & NOT_YET:
            continue
        has_value = is_number[index] and not quality & NO_VALUE
        value = Decimal(row.resolution) * int(integers[index]) if has_value else None
        found[row.channel] = Read(value=value, quality=quality, status=int(readings.status[index]))
    return found


def assert_value(instrument: Instrument, name: str, read: Read, expected: float) -> None:
    """Hold a value against what is shown, within what its type and the profile can tell."""
    if read.quality & NO_VALUE:
        return
    point = instrument.points[name]
    expected = held(point, expected)
    relative = PRECISION.get(instrument.profile.protocol, PRECISION.get(point.raw_type, 0.0))
    tolerance = float(point.resolution) + relative * abs(expected)
    assert read.value is not None, name
    assert float(read.value) == pytest.approx(expected, rel=0, abs=tolerance), name


def held(point: PointProfile, value: float) -> float:
    """Return a value as far as the type of its point reaches."""
    ends = {"16": 16, "32": 32, "64": 64}.get(point.raw_type[-2:])
    if "int" not in point.raw_type or ends is None:
        return value
    low, high = (0, 1 << ends) if point.raw_type[0] == "u" else (-(1 << ends - 1), 1 << ends - 1)
    scale, offset = float(point.scale), float(point.offset)
    return min(max(value, low * scale + offset), (high - 1) * scale + offset)
