"""How much of a serial Modbus line the agent's poller uses, against the arithmetic of the line.

Four units at 9,600 baud, more polls due than the line can carry. A pseudo terminal carries octets
in no time, so the units wait for as long as the characters would take.
"""

import asyncio
import os
import struct
import threading
import tty
from typing import Final

from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.config.vocabulary import Table
from edge_agent.drivers import connector
from tests.bench.figure import Figure
from tests.bench.subject import now_s, pause
from tests.conformance.driver.intake import polling
from tests.conformance.driver.rtu import crc

UNITS: Final = 4
REGISTERS: Final = 20
BAUD: Final = 9_600
TURN_AROUND_S: Final = 0.005
SECONDS: Final = 20.0
# Modbus over Serial Line V1.02, sections 2.3 and 2.5.1.1: 8 characters ask, 5 and the registers
# answer, 10 bits each without parity; 3.5 characters of silence before either.
CHARACTER_S: Final = 10 / BAUD
ASKING: Final = 8
ANSWERING: Final = 5 + 2 * REGISTERS
SILENCE: Final = 3.5
EXCHANGE_S: Final = (ASKING + ANSWERING + 2 * SILENCE) * CHARACTER_S + TURN_AROUND_S


def measure() -> list[Figure]:
    """Return the share of the time in which the line was in use."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    stopping = threading.Event()
    answered: list[float] = []
    units = threading.Thread(target=_answer, args=(ours, stopping, answered))
    units.start()
    try:
        asyncio.run(_poll(os.ttyname(theirs)))
    finally:
        stopping.set()
        os.close(theirs)
        units.join()
        os.close(ours)
    lasted_s = answered[-1] - answered[0]
    return [
        Figure(
            name=f"use of a line of {BAUD} baud / the arithmetic",
            measured=(len(answered) - 1) * EXCHANGE_S / lasted_s,
            unit="",
            sense="at least",
            bound=0.95,
            note=f"{len(answered)} answers of {REGISTERS} registers, {UNITS} units in turn, "
            f"{1000 * EXCHANGE_S:.1f} ms each by the arithmetic",
        )
    ]


def _answer(line: int, stopping: threading.Event, answered: list[float]) -> None:
    """Be the units until the line is closed; note when each answer was sent."""
    registers = struct.pack(f">{REGISTERS}H", *range(REGISTERS))
    while not stopping.is_set():
        try:
            asked = os.read(line, ASKING)
        except OSError:  # nobody has the other end open
            return
        began_s = now_s()
        answer = bytes((asked[0], 3, len(registers))) + registers
        takes_s = (ASKING + SILENCE + ANSWERING) * CHARACTER_S + TURN_AROUND_S
        pause(began_s + takes_s - now_s())
        os.write(line, answer + crc(answer))
        answered.append(now_s())


async def _poll(path: str) -> None:
    devices = [_device(path, unit_id) for unit_id in range(1, UNITS + 1)]
    async with polling(connector("modbus"), *devices):
        await asyncio.sleep(SECONDS)


def _device(path: str, unit_id: int) -> Device:
    line = SerialLine(baud=BAUD, parity=Parity.NONE)
    points = tuple(
        Point(
            channel=REGISTERS * unit_id + address,
            place=Register(table=Table.HOLDING, address=address),
            raw_type="uint16",
            status=None,
        )
        for address in range(REGISTERS)
    )
    return Device(
        name=f"unit {unit_id}",
        endpoint=Endpoint(scheme="serial", path=path, line=line),
        speech=ModbusSpeech(unit_id=unit_id, max_registers_per_read=125, unreadable=()),
        period_s=0.1,
        timeout_s=1.0,
        points=points,
        channels=(),
        limits=(),
        status_rules=(),
    )
