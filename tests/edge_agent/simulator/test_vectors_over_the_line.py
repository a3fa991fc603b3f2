"""The registers of every Modbus test vector, held by the simulator and read over the line.

What comes out is held against the vector as `profiles validate` does, over Modbus TCP and RTU.
"""

import asyncio
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Final

import pytest

from edge_agent.clock import SystemClock
from edge_agent.config import profile_parts
from edge_agent.config.device import Device, Endpoint
from edge_agent.config.library import SHIPPED, Library, LoadedProfile, listed
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.modbus_parts import ModbusVector
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.config.vocabulary import Table
from edge_agent.drivers.modbus import connect
from edge_agent.quality.trial import vector_faults
from edge_agent.simulator.analyzer import Analyzer
from edge_agent.simulator.encoding import Words, pdu_address
from edge_agent.simulator.fault import FaultRates
from edge_agent.simulator.modbus import serving
from edge_agent.simulator.plant import Plant, Scenario
from edge_agent.simulator.record import NoRecord
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import Int64Array, UInt32Array
from tests.conformance.driver.subject import scan_of

CLOCK: Final = SystemClock()
MODBUS: Final = [
    one
    for one in listed(Library(folders=(files(SHIPPED),)))
    if isinstance(one.profile, ModbusProfile)
]
# What a vector leaves out, status words behind the values too, holds 0 as in `profiles validate`.
EXTENT: Final = 64


@dataclass(frozen=True, slots=True)
class Held:
    """A memory that never changes."""

    words: Words

    def at(self, at_ns: int) -> Words:
        """Return it."""
        del at_ns
        return dict(self.words)


def held(profile: ModbusProfile, vector: ModbusVector, device: Device) -> Held:
    """Return what a vector says, by addresses on the wire, and 0 up to the end of the device."""
    addressing = vector.addressing or profile.modbus.addressing
    words: Words = {}
    for table, runs in vector.registers.items():
        for printed, registers in runs.items():
            first = pdu_address(int(printed, 0), addressing)
            is_holding = profile.modbus.input_is_holding and table is Table.INPUT
            there = Table.HOLDING if is_holding else table
            words |= {(there, first + index): word for index, word in enumerate(registers)}
    last = max(int(point.place.address) for point in device.points) + EXTENT  # type: ignore[attr-defined] # a register
    return Held({(table, last): 0 for table in Table} | words)


def over(scheme: str, profile: ModbusProfile, vector: ModbusVector, device: Device) -> Scan:
    """Return what the driver reads from a device with the registers of a vector."""

    async def read() -> Scan:
        analyzer = Analyzer(
            name=device.name,
            unit=1,
            plant=Plant(seed=1, scenario=Scenario.NORMAL, started_ns=0),
            profile=profile,
            memory=held(profile, vector, device),
            faults=FaultRates(),
            record=NoRecord(),
        )
        is_rtu = scheme == "rtu+tcp"
        served = serving([analyzer], host="127.0.0.1", port=0, clock=CLOCK, is_rtu=is_rtu)
        async with served as (port,):
            endpoint = Endpoint(scheme=scheme, host="127.0.0.1", port=port)
            # The codes of parameters are those of the vector, which names no site.
            asked = replace(device, endpoint=endpoint, identity=(), period_s=10, timeout_s=5)
            async with connect([asked], CLOCK) as connection:
                return await scan_of(connection.drivers[0])

    return asyncio.run(read())


@pytest.mark.parametrize("scheme", ["tcp", "rtu+tcp"])
@pytest.mark.parametrize("loaded", MODBUS, ids=lambda one: one.profile.id)
def test_the_driver_reads_over_the_line_what_every_vector_says(
    loaded: LoadedProfile, scheme: str
) -> None:
    tried: list[str] = []

    def read(
        device: Device, profile: Profile, vector: profile_parts.TestVector
    ) -> tuple[Int64Array, UInt32Array, UInt32Array]:
        assert isinstance(profile, ModbusProfile)
        assert isinstance(vector, ModbusVector)
        tried.append(vector.name)
        scan = over(scheme, profile, vector, device)
        return scan.raw, scan.status, scan.transport

    assert vector_faults(loaded, read) == ()
    assert tried == [vector.name for vector in loaded.profile.test_vectors]
    assert tried


def test_a_register_that_is_otherwise_is_told() -> None:
    loaded = next(one for one in MODBUS if one.profile.id == "suto/s430")

    def read(
        device: Device, profile: Profile, vector: profile_parts.TestVector
    ) -> tuple[Int64Array, UInt32Array, UInt32Array]:
        assert isinstance(profile, ModbusProfile)
        assert isinstance(vector, ModbusVector)
        registers = {
            table: {first: tuple(word ^ 0x10 for word in words) for first, words in runs.items()}
            for table, runs in vector.registers.items()
        }
        scan = over("tcp", profile, replace(vector, registers=registers), device)
        return scan.raw, scan.status, scan.transport

    assert len(vector_faults(loaded, read)) == sum(
        len(vector.expect) for vector in loaded.profile.test_vectors
    )
