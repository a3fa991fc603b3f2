"""A serial line: late, cut, doubled and garbled answers never become a value."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from edge_agent.config.device import Device, Endpoint
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.protocols.modbus import speech_of
from edge_agent.config.vocabulary import Table
from edge_agent.drivers.base import LinkLostError
from tests.conformance.driver.rtu import (
    LINE,
    crc,
    faulty,
    over_tcp,
    serial_server,
)
from tests.conformance.driver.subject import scan_of
from tests.conformance.driver.tricks import Unit, on_a_terminal, reading, tricky, wrong_and_right

MakeDevice = Callable[..., Device]

pytestmark = pytest.mark.asyncio
HOLDING = Table.HOLDING


def serial(device: Device, path: str, line: SerialLine = LINE) -> Device:
    return replace(device, endpoint=Endpoint(scheme="serial", path=path, line=line))


def over(device: Device, port: int) -> Device:
    return replace(device, endpoint=Endpoint(scheme="rtu+tcp", host="127.0.0.1", port=port))


async def test_a_serial_line_is_read_like_any_other(make_device: MakeDevice) -> None:
    places = [(HOLDING, 0, "uint16"), (HOLDING, 1, "float32"), (Table.COIL, 3, "bool")]
    async with serial_server([7]) as path:
        device = serial(make_device(*places), path)
        device = replace(device, speech=replace(speech_of(device.speech), unit_id=7))
        async with reading(device) as connection:
            first = await scan_of(connection.drivers[0])
            second = await scan_of(connection.drivers[0])
    assert first.raw.tolist() == second.raw.tolist()
    assert first.raw.tolist()[0] == 12_345


@pytest.mark.parametrize("late_s", [0.02, 0.06])
async def test_one_late_answer_does_not_shift_all_that_follow(
    late_s: float, make_device: MakeDevice
) -> None:
    def late_once(answer: bytes, number: int) -> list[tuple[float, bytes]]:
        return [(0.05 + late_s if number == 3 else 0, answer)]

    unit, right_count = Unit(late_once), 0
    async with on_a_terminal(unit) as path:
        device = replace(serial(make_device((HOLDING, 0, "uint16")), path), timeout_s=0.05)
        async with reading(device) as connection:
            for _ in range(30):
                with suppress(LinkLostError):
                    scan = await scan_of(connection.drivers[0])
                    assert scan.raw.tolist() == [unit.asked_count]
                    right_count += 1
    assert right_count >= 28


async def test_a_line_that_babbles_is_given_up_in_time(make_device: MakeDevice) -> None:
    unit = Unit(lambda _answer, _number: [(at / 100, b"babble") for at in range(40)])
    async with on_a_terminal(unit) as path:
        device = replace(serial(make_device((HOLDING, 0, "uint16")), path), timeout_s=0.03)
        async with reading(device) as connection, asyncio.timeout(5):
            for _ in range(3):
                with pytest.raises(LinkLostError):
                    await scan_of(connection.drivers[0])


async def test_a_refusal_after_a_silence_says_that_the_line_is_in_step(
    make_device: MakeDevice,
) -> None:
    def refusing_others(answer: bytes, number: int) -> list[tuple[float, bytes]]:
        if number == 1:
            return []
        if answer[2] != 4:
            body = bytes((answer[0], answer[1] | 0x80, 2))
            return [(0, body + crc(body))]
        return [(0, answer)]

    unit = Unit(refusing_others)
    async with on_a_terminal(unit) as path:
        device = serial(make_device((HOLDING, 0, "uint32")), path)
        async with reading(replace(device, timeout_s=0.05)) as connection:
            with pytest.raises(LinkLostError):
                await scan_of(connection.drivers[0])
            scan = await scan_of(connection.drivers[0])
    assert scan.raw.tolist() == [3 << 16 | 3]


async def test_what_was_learned_of_the_turn_around_merges_requests(
    make_device: MakeDevice,
) -> None:
    places = [(HOLDING, 0, "uint16"), (HOLDING, 40, "uint16")]
    slow = Unit(lambda answer, _number: [(0.12, answer)])
    asked: list[int] = []
    async with on_a_terminal(slow) as path:
        line = SerialLine(baud=9600, parity=Parity.NONE)
        async with reading(serial(make_device(*places), path, line)) as connection:
            for _ in range(3):
                before = slow.asked_count
                await scan_of(connection.drivers[0])
                asked.append(slow.asked_count - before)
    assert asked == [2, 1, 1]


async def test_a_dead_unit_does_not_close_a_line_behind_a_device_server(
    make_device: MakeDevice,
) -> None:
    peer = faulty("silence")
    async with over_tcp(peer):
        device = replace(over(make_device((HOLDING, 0, "uint16")), peer.port), timeout_s=0.05)
        async with reading(device) as connection:
            with pytest.raises(LinkLostError):
                await scan_of(connection.drivers[0])
            peer.heal()
            assert (await scan_of(connection.drivers[0])).raw.tolist() == [12_345]


@pytest.mark.parametrize("seed", range(3))
async def test_no_trick_of_a_serial_line_becomes_a_value(
    seed: int, make_device: MakeDevice
) -> None:
    timeout_s = 0.02
    unit = Unit(tricky(seed, timeout_s))
    async with on_a_terminal(unit) as path:
        device = serial(make_device((HOLDING, 0, "uint16")), path)
        wrong, right = await wrong_and_right(replace(device, timeout_s=timeout_s), unit, 60)
    assert wrong == 0
    assert right
