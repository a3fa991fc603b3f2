"""Bayern-Hessen under the conformance suite: an instrument written from the manuals alone.

There is no server of somebody else's: no library speaks it. What is here shares no code with the
driver, nor with the simulator.
"""

import asyncio
import os
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.endpoint import Parity, SerialLine
from edge_agent.config.protocols.bayern_hessen import BayernHessenSpeech, Value
from edge_agent.drivers import connector
from edge_agent.drivers.base import (
    Connect,
    DeviceRefusedError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.wire.readings import Scan
from tests.conformance.driver.answering import Answering, Write, on_loopback
from tests.conformance.driver.rtu import terminal
from tests.conformance.driver.subject import Peer

VALUES: Final = ("+2578+01", "+5681+00", "-1500-02")
NUMBERS: Final = (25.78, 5.681, -0.015)
LINE: Final = SerialLine(baud=9_600, parity=Parity.NONE)
Answer = Callable[[int], bytes]


def frame(text: str) -> bytes:
    """Return a frame (Serinus 44 user manual 3.0, p. 168)."""
    octets, check = b"\x02" + text.encode() + b"\x03", 0
    for octet in octets:
        check ^= octet
    return octets + b"%02X" % check


def answer(address: int, values: Sequence[str] = VALUES) -> str:
    """Return the text of an answer (Serinus 10 user manual 3.2, p. 217)."""
    records = (
        f" {address:03d} {value} 4{index} 0{index} {index + 1:03d} 000815 "
        for index, value in enumerate(values)
    )
    return f"MD{len(values):02d}" + "".join(records)


def good(address: int) -> bytes:
    """Return the right answer of an instrument."""
    return frame(answer(address))


def spoilt(octets: bytes, index: int) -> bytes:
    """Return a frame with one octet that was hit on its way."""
    return octets[:index] + bytes([octets[index] ^ 0x04]) + octets[index + 1 :]


FAULTS: Final[Mapping[str, tuple[Answer, type[Exception]]]] = MappingProxyType(
    {
        "silence": (lambda _: b"", LinkLostError),
        "wrong instrument": (lambda a: good(a + 1), ImpossibleAnswerError),
        "half an answer": (lambda a: good(a)[:20], ImpossibleAnswerError),
        "spoilt digit": (lambda a: spoilt(good(a), 12), ImpossibleAnswerError),
        "spoilt checksum": (lambda a: spoilt(good(a), -1), ImpossibleAnswerError),
        "no beginning": (lambda a: good(a)[1:], ImpossibleAnswerError),
        "no end": (lambda a: good(a).replace(b"\x03", b""), ImpossibleAnswerError),
        "endless": (lambda _: b"\x02" + b"MD03" * 2_000, ImpossibleAnswerError),
        "another command": (lambda _: frame("XX03"), ImpossibleAnswerError),
        "empty frame": (lambda _: frame(""), ImpossibleAnswerError),
        "fewer records than said": (
            lambda a: frame(answer(a).replace("MD03", "MD04")),
            ImpossibleAnswerError,
        ),
        "no number": (lambda a: frame(answer(a, ("+25.8+01",) * 3)), ImpossibleAnswerError),
        "letters for octets": (lambda _: b"\x02MD01 \xff\xfe\x03FF", ImpossibleAnswerError),
        "status of three digits": (
            lambda a: frame(answer(a).replace(" 40 ", " 400 ")),
            ImpossibleAnswerError,
        ),
        "two values instead of three": (
            lambda a: frame(answer(a, VALUES[:2])),
            DeviceRefusedError,
        ),
        "no values": (lambda _: frame("MD00"), DeviceRefusedError),
    }
)
CLOSED: Final[Mapping[str, int]] = MappingProxyType(
    {"closed before the answer": 0, "closed inside the answer": 12}
)


@dataclass
class Instrument(Answering):
    """An instrument that answers each query as told; closes after answers that are cut short."""

    answer: Answer = good
    addresses: Sequence[int] = (1,)
    path: str = ""
    write: Write = field(default=lambda _: None)
    _received: bytes = b""

    def heal(self) -> None:
        """Answer rightly from now on."""
        self.answer, self.cut = good, None

    def heard(self, octets: bytes, write: Write) -> bool:
        """Take octets and answer whole queries; return whether to go on."""
        self._received += octets
        while (end := self._received.find(b"\x03")) >= 0 and len(self._received) >= end + 3:
            asked, self._received = self._received[: end + 3], self._received[end + 3 :]
            assert asked == frame(asked[1:6].decode()), asked
            assert asked[1:3] == b"DA", "anything but a data query would change the instrument"
            address = int(asked[3:6])
            if address not in self.addresses:
                continue
            self.note()
            if not self.say(self.answer(address), write):
                return False
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of one connection."""
        self._received = b""
        while octets := await reader.read(1_000):
            if not self.heard(octets, writer.write):
                return


@asynccontextmanager
async def running(one: Instrument, port: int = 0) -> AsyncIterator[Instrument]:
    """Run an instrument on loopback."""
    async with on_loopback(one.serve, port) as one.port:
        yield one


@asynccontextmanager
async def on_a_line(one: Instrument) -> AsyncIterator[Instrument]:
    """Run an instrument at the other end of a pseudo terminal."""
    async with terminal() as (ours, one.path):

        def write(octets: bytes) -> None:
            os.write(ours, octets)

        one.write = write
        loop = asyncio.get_running_loop()
        loop.add_reader(ours, lambda: one.heard(os.read(ours, 1_000), one.write))
        try:
            yield one
        finally:
            loop.remove_reader(ours)


class BayernHessen:
    """Bayern-Hessen over TCP."""

    connect: Connect = staticmethod(connector("bayern_hessen"))
    faults: Mapping[str, type[Exception]] = MappingProxyType(
        {name: error for name, (_, error) in FAULTS.items()}
        | dict.fromkeys(CLOSED, LinkClosedError)
    )

    def device(self, port: int, *, unit_id: int = 1, timeout_s: float = 5) -> Device:
        """Return an instrument with three values."""
        points = tuple(
            Point(channel=number, place=Value(number=number), raw_type="float64", status=None)
            for number in range(1, len(VALUES) + 1)
        )
        return Device(
            name=f"bayern-hessen-{port}-{unit_id}",
            protocol="bayern_hessen",
            endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
            speech=BayernHessenSpeech(address=unit_id, values=len(VALUES)),
            period_s=0.2,
            timeout_s=timeout_s,
            points=points,
            channels=(),
            limits=(),
            status_rules=(),
        )

    def held(self, device: Device) -> tuple[list[int], list[int]]:
        """Return the bits of the numbers, and status and failure byte as one word."""
        raws = [struct.unpack("<q", struct.pack("<d", number))[0] for number in NUMBERS]
        states = [(0x40 + index) << 8 | index for index in range(len(NUMBERS))]
        return raws[: len(device.points)], states[: len(device.points)]

    def number(self, scan: Scan) -> int:
        """Return the number of the query that a counting instrument answered."""
        return round(float(scan.raw[:1].view("<f8")[0]))

    @asynccontextmanager
    async def serve(self, port: int = 0, unit_ids: Sequence[int] = (1,)) -> AsyncIterator[int]:
        """Run instruments that answer rightly."""
        async with running(Instrument(addresses=unit_ids), port) as one:
            yield one.port

    @asynccontextmanager
    async def misbehave(self, fault: str) -> AsyncIterator[Peer]:
        """Run an instrument with a fault."""
        one = Instrument(cut=CLOSED.get(fault))
        if fault in FAULTS:
            one.answer = FAULTS[fault][0]
        async with running(one):
            yield one

    @asynccontextmanager
    async def count(self, delays_s: Sequence[float]) -> AsyncIterator[Peer]:
        """Run an instrument whose values are the number of the query, counted from 1."""
        async with running(counting(delays_s)) as one:
            yield one


def counting(delays_s: Sequence[float]) -> Instrument:
    """Return an instrument whose first value has the bits of the number of the query."""
    one = Instrument(delays_s=list(delays_s))

    def numbered(address: int) -> bytes:
        digits, exponent = f"{one.asked_count:+.3e}".replace(".", "").split("e")
        return frame(answer(address, (f"{digits}{int(exponent):+03d}", *VALUES[1:])))

    one.answer = numbered
    return one


def at(path: str, device: Device) -> Device:
    """Return a device at the end of a serial line."""
    return replace(device, endpoint=Endpoint(scheme="serial", path=path, line=LINE))
