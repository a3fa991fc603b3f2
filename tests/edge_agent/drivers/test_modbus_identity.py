"""A device that is not what its profile is about gives no reading."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest
from pymodbus.simulator import DataType, SimData

from edge_agent.config.device import Device, IdentityCheck, Table
from edge_agent.config.protocols.modbus import Register, Text
from edge_agent.drivers.base import DeviceRefusedError
from edge_agent.drivers.modbus import REFUSAL_NS, connect
from edge_agent.drivers.modbus_identity import contradiction
from tests.conformance.driver.subject import scan_of
from tests.edge_agent.drivers.test_modbus import LateClock, simulated

MakeDevice = Callable[..., Device]

NAME: Final = Register(table=Table.HOLDING, address=1)
MODEL: Final = IdentityCheck(
    place=Text(register=NAME, count=3), raw_type="text", accepted=("GM32",), meaning="model"
)
UNIT: Final = IdentityCheck(
    place=Register(table=Table.HOLDING, address=4),
    raw_type="uint16",
    word_order="ABCD",
    accepted=(1561,),
    meaning="channel 1: unit_of_measure ppm",
)


@pytest.mark.parametrize(
    ("check", "answer", "said"),
    [
        (MODEL, b"GM32\0\0", None),
        (MODEL, b"GM32  ", None),
        (MODEL, b"GM31  ", "model: the device says 'GM31', not 'GM32'"),
        (MODEL, b"\xff\0GM32", "model: the device says '\\\\xff\\x00GM32', not 'GM32'"),
        (UNIT, b"\x06\x19", None),
        (UNIT, b"\x06\x1e", "channel 1: unit_of_measure ppm: the device says 1566, not 1561"),
        (replace(UNIT, raw_type="int32", word_order="CDAB"), b"\x06\x19\0\0", None),
        (replace(UNIT, raw_type="int16", accepted=(-1, 5)), b"\xff\xff", None),
    ],
)
def test_what_a_device_says_is_held_against_what_it_must_say(
    check: IdentityCheck, answer: bytes, said: str | None
) -> None:
    assert contradiction(check, answer) == said


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ([7, 0x474D, 0x3332, 0, 1561], None),
        ([7, 0x474D, 0x3331, 0, 1561], "model: the device says 'GM31'"),
        ([7, 0x474D, 0x3332, 0, 1566], "unit_of_measure ppm: the device says 1566"),
        ([7, 0x474D, 0x3332, 0], "unit_of_measure ppm: exception 2"),
    ],
)
@pytest.mark.asyncio
async def test_a_device_is_read_once_it_has_said_what_it_must(
    words: list[int], refusal: str | None, make_device: MakeDevice
) -> None:
    held = SimData(0, values=words, datatype=DataType.REGISTERS)
    async with simulated(held) as server:
        device = make_device((Table.HOLDING, 0, "uint16"), port=server.port)
        device = replace(device, identity=(MODEL, UNIT))
        clock = LateClock()
        async with connect([device], clock) as connection:
            (driver,) = connection.drivers
            if refusal is not None:
                with pytest.raises(DeviceRefusedError, match=refusal):
                    await driver.read()
                assert all(address != 0 for _, address, _ in server.asked)
                return
            assert (await scan_of(driver)).raw.tolist() == [7]
            assert (await scan_of(driver)).raw.tolist() == [7]
            assert [address for _, address, _ in server.asked] == [1, 4, 0, 0]
            clock.ahead_ns += REFUSAL_NS
            await driver.read()
            assert [address for _, address, _ in server.asked][4:] == [1, 4, 0]
