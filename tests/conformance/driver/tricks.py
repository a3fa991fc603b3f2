"""Units that answer late, in part, twice, garbled or for somebody else, on lines of every kind."""

import asyncio
import os
import random
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from edge_agent.clock import SystemClock
from edge_agent.config.device import Device
from edge_agent.drivers.base import (
    Connection,
    DeviceRefusedError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.drivers.modbus import connect
from tests.conformance.driver.answering import on_loopback
from tests.conformance.driver.rtu import crc, terminal
from tests.conformance.driver.subject import scan_of

# An answer and its number -> what is sent instead, each after so many seconds.
Trick: TypeAlias = Callable[[bytes, int], list[tuple[float, bytes]]]


@dataclass
class Unit:
    """A unit whose registers hold the number of the request, on a line that plays tricks.

    No answer overtakes another: a line has one way back.
    """

    trick: Trick
    is_numbered: bool = False
    asked_count: int = 0
    _received: bytes = b""
    _handles: list[asyncio.TimerHandle] = field(default_factory=list)
    _free_s: float = 0.0

    def heard(self, octets: bytes, write: Callable[[bytes], None]) -> bool:
        """Take octets, and answer whole requests."""
        self._received += octets
        size = 12 if self.is_numbered else 8
        while len(self._received) >= size:
            frame, self._received = self._received[:size], self._received[size:]
            self.asked_count += 1
            unit, function, _, count = struct.unpack_from(
                ">BBHH", frame, 6 if self.is_numbered else 0
            )
            body = bytes((unit, function, 2 * count))
            body += struct.pack(">H", self.asked_count & 0xFFFF) * count
            if self.is_numbered:
                answer = frame[:4] + struct.pack(">H", len(body)) + body
            else:
                answer = body + crc(body)
            loop = asyncio.get_running_loop()
            for after_s, sent in self.trick(answer, self.asked_count):
                self._free_s = max(self._free_s + 1e-6, loop.time() + after_s)
                self._handles.append(loop.call_at(self._free_s, _tried, write, sent))
        return True

    def end(self) -> None:
        """Say nothing more."""
        for handle in self._handles:
            handle.cancel()


def _tried(write: Callable[[bytes], None], octets: bytes) -> None:
    with suppress(OSError):
        write(octets)


@asynccontextmanager
async def on_a_terminal(unit: Unit) -> AsyncIterator[str]:
    """Serve a unit on a pseudo terminal; yields the path of the other end."""
    loop = asyncio.get_running_loop()
    async with terminal() as (ours, path):

        def write(octets: bytes) -> None:
            os.write(ours, octets)

        loop.add_reader(ours, lambda: unit.heard(os.read(ours, 512), write))
        try:
            yield path
        finally:
            loop.remove_reader(ours)
            unit.end()


@asynccontextmanager
async def on_a_port(unit: Unit) -> AsyncIterator[int]:
    """Serve a unit on a free port of loopback; yields the port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while octets := await reader.read(512):
            unit.heard(octets, writer.write)

    async with on_loopback(serve) as port:
        try:
            yield port
        finally:
            unit.end()


@asynccontextmanager
async def reading(device: Device) -> AsyncIterator[Connection]:
    async with connect([device], SystemClock()) as connection:
        yield connection


TRICKS = ("late", "cut", "doubled", "garbled", "another unit", "another function", "right")


def tricky(seed: int, timeout_s: float, *, is_numbered: bool = False) -> Trick:
    """Return what becomes of an answer, at random."""
    chance = random.Random(seed)  # noqa: S311 - a test is to be repeated

    def trick(answer: bytes, _number: int) -> list[tuple[float, bytes]]:
        name = chance.choice(TRICKS)
        if name == "late":
            return [(timeout_s * chance.choice([0.9, 1.1, 1.5]), answer)]
        if name == "cut":
            return [(0, answer[: chance.randrange(len(answer))])]
        if name == "garbled":
            # What TCP carries has its own checksum: only the head can be somebody's mistake.
            place = chance.randrange(9 if is_numbered else len(answer))
            changed = bytes((answer[place] ^ 1 << chance.randrange(8),))
            answer = answer[:place] + changed + answer[place + 1 :]
        elif name.startswith("another"):
            answer = _another(answer, 6 if is_numbered else 0, is_unit=name == "another unit")
        return [(0, answer)] * (2 if name == "doubled" else 1)

    return trick


async def wrong_and_right(device: Device, unit: Unit, answer_count: int) -> tuple[int, int]:
    """Read until the unit gave so many answers; return how many values were wrong, and right.

    The link is opened anew when it is closed, as the poller does.
    """
    wrong = right = 0
    while unit.asked_count < answer_count:
        async with reading(device) as connection:
            is_open = True
            while is_open and unit.asked_count < answer_count:
                try:
                    scan = await scan_of(connection.drivers[0])
                except LinkClosedError:
                    is_open = False
                except (LinkLostError, DeviceRefusedError):
                    continue
                else:
                    is_right = scan.raw.tolist() == [unit.asked_count & 0xFFFF]
                    right, wrong = right + is_right, wrong + (not is_right)
    return wrong, right


def _another(answer: bytes, at: int, *, is_unit: bool) -> bytes:
    """Return the answer of another unit, or to another function; the checksum is right."""
    changed = bytearray(answer)
    changed[at] += is_unit
    changed[at + 1] ^= 0 if is_unit else 7
    return bytes(changed) if at else bytes(changed[:-2]) + crc(bytes(changed[:-2]))
