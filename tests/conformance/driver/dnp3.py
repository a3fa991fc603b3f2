"""DNP3 under the conformance suite: dnp3py's outstation, and peers of ours that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dnp3.core.flags import AnalogQuality, BinaryQuality, CounterQuality
from dnp3.database.database import Database
from dnp3.datalink.builder import build_unconfirmed_user_data
from dnp3.datalink.parser import FrameParser
from dnp3.outstation.config import OutstationConfig
from dnp3.outstation.outstation import Outstation
from dnp3.transport.segment import TransportSegment
from dnp3.transport.segmenter import Segmenter

from edge_agent.clock import SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.dnp3 import Dnp3Place, Dnp3Speech, Events, ObjectKind
from edge_agent.drivers import connector
from edge_agent.drivers.base import (
    Connect,
    DeviceBusyError,
    DeviceRefusedError,
    ImpossibleAnswerError,
    LinkClosedError,
    LinkLostError,
)
from edge_agent.simulator.dnp3_server import listening
from edge_agent.wire.readings import Scan
from tests.conformance.driver.answering import Answering, Write, on_loopback
from tests.conformance.driver.subject import Peer

CLOCK: Final = SystemClock()
KIND: Final = ObjectKind
# Kind, index, raw type, what the points hold, and their flags as they come: bit 7 is a state.
HELD: Final = (
    (KIND.ANALOG_INPUT, 0, "int64", -123_456, 0x01),
    (KIND.ANALOG_INPUT, 7, "int64", 2**31 - 1, 0x01),
    (KIND.BINARY_INPUT, 3, "bool", 1, 0x81),
    (KIND.BINARY_OUTPUT, 0, "bool", 0, 0x01),
    (KIND.COUNTER, 2, "int64", 2**32 - 1, 0x01),
    (KIND.ANALOG_OUTPUT, 1, "int64", -300, 0x01),
)
READ, RESPONSE = 1, 129
# Group 30 variation 1: index 0 to 0, online, 5.
FIVE: Final = b"\x1e\x01\x00\x00\x00\x01\x05\x00\x00\x00"


def outstation(address: int = 1) -> Outstation:
    """Return an outstation of dnp3py that holds what HELD says."""
    database = Database()
    database.add_analog_input(0, value=-123_456.0, quality=AnalogQuality.ONLINE)
    database.add_analog_input(7, value=2.0**31 - 1, quality=AnalogQuality.ONLINE)
    database.add_binary_input(3, value=True, quality=BinaryQuality.ONLINE)
    database.add_binary_output(0, value=False, quality=BinaryQuality.ONLINE)
    database.add_counter(2, value=2**32 - 1, quality=CounterQuality.ONLINE)
    database.add_analog_output(1, value=-300.0, quality=AnalogQuality.ONLINE)
    config = OutstationConfig(address=address, master_address=100, time_sync_required=False)
    return Outstation(config=config, database=database)


@dataclass
class Theirs:
    """The application layer of dnp3py's outstation."""

    own: Outstation

    def heard(self, request: bytes, now_ns: int) -> list[bytes]:
        assert now_ns
        return [response.to_bytes() for response in self.own.process_request(request)]

    def report(self, now_ns: int) -> list[bytes]:
        assert now_ns
        return []

    def reset(self) -> None:
        """Nothing is kept."""


def response(request: bytes, objects: bytes = FIVE, indications: int = 0) -> bytes:
    """Return a whole answer to a request."""
    head = bytes((0xC0 | request[0] & 0xF, RESPONSE))
    return head + indications.to_bytes(2, "little") + objects


def frames(fragment: bytes, *, source: int = 1, destination: int = 100) -> list[bytes]:
    """Return the frames of a fragment."""
    return [
        build_unconfirmed_user_data(
            destination=destination,
            source=source,
            dir_from_master=False,
            user_data=segment.to_bytes(),
        ).to_bytes()
        for segment in Segmenter().segment(fragment)
    ]


Answer = Callable[[bytes], bytes]


def whole(fragment: bytes) -> bytes:
    return b"".join(frames(fragment))


def _broken(octets: bytes) -> bytes:
    return octets[:-1] + bytes((octets[-1] ^ 1,))


FAULTS: Final[Mapping[str, tuple[Answer, type[Exception]]]] = MappingProxyType(
    {
        "silence": (lambda _: b"", LinkLostError),
        "another number": (
            lambda q: whole(response(bytes((q[0] + 1 & 0xF | 0xC0, q[1])))),
            LinkLostError,
        ),
        "not the first fragment": (
            lambda q: whole(bytes((response(q)[0] & 0x7F,)) + response(q)[1:]),
            LinkLostError,
        ),
        "another outstation": (lambda q: b"".join(frames(response(q), source=9)), LinkLostError),
        "another master": (lambda q: b"".join(frames(response(q), destination=9)), LinkLostError),
        "a broken checksum": (lambda q: _broken(whole(response(q))), LinkLostError),
        "a frame is missing": (
            lambda q: b"".join(frames(response(q, FIVE * 60))[::2]),
            LinkLostError,
        ),
        "a request for an answer": (whole, LinkLostError),
        "objects are cut off": (
            lambda q: whole(response(q, FIVE + FIVE[:-1])),
            ImpossibleAnswerError,
        ),
        "objects that nobody knows": (
            lambda q: whole(response(q, FIVE + b"\x63\x01\x00\x00\x00\x01")),
            ImpossibleAnswerError,
        ),
        "no objects": (lambda q: whole(response(q, b"")), ImpossibleAnswerError),
        "function refused": (lambda q: whole(response(q, b"", 0x0100)), DeviceRefusedError),
        "object unknown": (lambda q: whole(response(q, b"", 0x0200)), DeviceRefusedError),
        "parameter error": (lambda q: whole(response(q, b"", 0x0400)), DeviceRefusedError),
        "busy": (lambda q: whole(response(q, b"", 0x1000)), DeviceBusyError),
    }
)
CLOSED: Final = MappingProxyType({"closed before the answer": 0, "closed inside the answer": 12})


@dataclass
class Dnp3Peer(Answering):
    """A TCP peer that answers each READ as told, and everything else at once and well."""

    answer: Answer

    def heal(self) -> None:
        """Answer as dnp3py's outstation from now on."""
        good = outstation()
        self.answer = lambda q: whole(good.process_request(q)[0].to_bytes())
        self.cut = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        parser = FrameParser()
        while octets := await reader.read(1024):
            for frame in parser.feed(octets):
                payload = TransportSegment.from_bytes(frame.user_data).payload
                if not self.heard(payload, writer.write):
                    return

    def heard(self, request: bytes, write: Write) -> bool:
        """Answer a request; return whether to go on."""
        if request[1] != READ:
            write(whole(response(request, b"")))
            return True
        self.note()
        return self.say(self.answer(request), write)


@asynccontextmanager
async def running(peer: Dnp3Peer) -> AsyncIterator[Dnp3Peer]:
    """Run a peer on a free port of loopback."""
    async with on_loopback(peer.serve) as peer.port:
        yield peer


class Dnp3:
    """DNP3 over TCP, against dnp3py's outstation and against peers of our own that misbehave."""

    connect: Connect = staticmethod(connector("dnp3"))
    faults: Mapping[str, type[Exception]] = MappingProxyType(
        {name: error for name, (_, error) in FAULTS.items()}
        | dict.fromkeys(CLOSED, LinkClosedError)
    )

    def device(self, port: int, *, unit_id: int = 1, timeout_s: float = 5) -> Device:
        """Return a device with points of several kinds."""
        return Device(
            name=f"dnp3-{port}-{unit_id}",
            protocol="dnp3",
            endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
            speech=Dnp3Speech(address=unit_id, master_address=100, events=Events.NONE),
            period_s=0.2,
            timeout_s=timeout_s,
            points=tuple(
                Point(
                    channel=channel,
                    place=Dnp3Place(kind=kind, index=index),
                    raw_type=raw_type,
                    status=None,
                )
                for channel, (kind, index, raw_type, _, _) in enumerate(HELD, 1)
            ),
            channels=(),
            limits=(),
            status_rules=(),
        )

    def held(self, device: Device) -> tuple[list[int], list[int]]:
        """Return raw and flags."""
        held = HELD[: len(device.points)]
        return [raw for *_, raw, _ in held], [flags for *_, flags in held]

    def number(self, scan: Scan) -> int:
        """Return the number of the request that a counting peer answered."""
        return int(scan.raw[0])

    @asynccontextmanager
    async def serve(self, port: int = 0, unit_ids: Sequence[int] = (1,)) -> AsyncIterator[int]:
        """Run outstations of dnp3py; what serves several of them at one port is ours."""
        outstations = {address: Theirs(outstation(address)) for address in unit_ids}
        async with listening(outstations, host="127.0.0.1", port=port, clock=CLOCK) as (own, _):
            yield own

    @asynccontextmanager
    async def misbehave(self, fault: str) -> AsyncIterator[Peer]:
        """Run a peer of ours with a fault."""
        peer = Dnp3Peer(answer=lambda request: whole(response(request)))
        if fault in FAULTS:
            peer.answer = FAULTS[fault][0]
        else:
            peer.cut = CLOSED[fault]
        async with running(peer):
            yield peer

    @asynccontextmanager
    async def count(self, delays_s: Sequence[float]) -> AsyncIterator[Peer]:
        """Run a peer whose analog input 0 is the number of the request, counted from 1."""
        number = 0

        def answer(request: bytes) -> bytes:
            nonlocal number
            number += 1
            return whole(response(request, FIVE[:-4] + number.to_bytes(4, "little")))

        async with running(Dnp3Peer(answer=answer, delays_s=list(delays_s))) as peer:
            yield peer
