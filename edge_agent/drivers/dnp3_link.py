"""One connection to one or more outstations: application fragments out and in, as they come.

dnp3py frames them, checks every CRC, and takes them apart into segments and together again. What a
device asks of the data link is answered here; nothing else is decided.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from dnp3.core.enums import LinkFunctionCode
from dnp3.datalink.builder import build_ack, build_link_status, build_unconfirmed_user_data
from dnp3.datalink.frame import DataLinkFrame
from dnp3.datalink.parser import FrameParser
from dnp3.transport.reassembler import Reassembler, ReassemblyError
from dnp3.transport.segment import TransportSegment
from dnp3.transport.segmenter import Segmenter

from edge_agent.clock import Clock, Instant
from edge_agent.config.device import Endpoint
from edge_agent.config.protocols.dnp3 import Tls
from edge_agent.drivers.dnp3_channel import Channel

# IEEE 1815-2012, section 4.2.2.6: 2,048 octets unless a device can be set otherwise; more is cut.
MAX_FRAGMENT: Final = 65_536
RESPONSE, UNSOLICITED_RESPONSE = 129, 130
# What bears a segment (section 9.2.4.1.3).
DATA: Final = (
    LinkFunctionCode.PRI_UNCONFIRMED_USER_DATA,
    LinkFunctionCode.PRI_CONFIRMED_USER_DATA,
)
# Section 4.2.2.3, the application control octet.
FIR, FIN, CON, UNS, SEQUENCE = 0x80, 0x40, 0x20, 0x10, 0x0F


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """One fragment of a response (IEEE 1815-2012, section 4.2.2).

    Attributes:
        control: the application control octet.
        indications: the internal indications, the first octet lowest.
        objects: what stands behind them.
        arrival: when it came.

    """

    control: int
    indications: int
    objects: bytes
    arrival: Instant

    @property
    def sequence(self) -> int:
        """Its number, 0 to 15."""
        return self.control & SEQUENCE

    @property
    def is_first(self) -> bool:
        """Whether a response begins with it."""
        return bool(self.control & FIR)

    @property
    def is_final(self) -> bool:
        """Whether a response ends with it."""
        return bool(self.control & FIN)

    @property
    def wants_confirmation(self) -> bool:
        """Whether the outstation waits for a confirmation."""
        return bool(self.control & CON)

    @property
    def is_unsolicited(self) -> bool:
        """Whether nobody asked for it."""
        return bool(self.control & UNS)


@dataclass(slots=True, kw_only=True)
class Party:
    """One outstation of a link: our address there, and who hears it."""

    master_address: int
    heard: Callable[[Fragment], None]
    segmenter: Segmenter
    reassembler: Reassembler


class Link:
    """One connection, from `open` to `close`; never used twice.

    Attributes:
        changed: set whenever something came, or ended.
        end: why the link is of no more use; None while it is.

    """

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self.changed = asyncio.Event()
        self.end: str | None = None
        self._endpoint = endpoint
        self._clock = clock
        self._parser = FrameParser()
        self._parties: dict[int, Party] = {}
        self._channel = Channel(endpoint, heard=self._octets, ended=self.cut)

    def __str__(self) -> str:
        return str(self._endpoint)

    @property
    def is_serial(self) -> bool:
        """Whether it is a line, on which one speaks at a time."""
        return self._endpoint.line is not None

    def join(self, address: int, master_address: int, heard: Callable[[Fragment], None]) -> None:
        """Hear the outstation of an address from now on."""
        self._parties[address] = Party(
            master_address=master_address,
            heard=heard,
            segmenter=Segmenter(),
            reassembler=Reassembler(max_fragment_size=MAX_FRAGMENT),
        )

    async def open(self, tls: Tls | None, timeout_s: float) -> None:
        """Connect; `Channel.open` says how it fails."""
        await self._channel.open(tls, timeout_s)

    async def close(self) -> None:
        """Close the connection, whatever its state."""
        self.cut("it was closed here")
        await self._channel.close()

    def cut(self, why: str) -> None:
        """Use the link no more; the first reason stays."""
        if self.end is None:
            self.end = why
        self.changed.set()

    def send(self, address: int, fragment: bytes) -> None:
        """Send an application fragment to an outstation."""
        party = self._parties[address]
        for segment in party.segmenter.segment(fragment):
            frame = build_unconfirmed_user_data(
                destination=address,
                source=party.master_address,
                dir_from_master=True,
                user_data=segment.to_bytes(),
            )
            self._channel.write(frame.to_bytes())

    def _octets(self, octets: bytes) -> None:
        arrival = self._clock.now()
        for frame in self._parser.feed(octets):
            party = self._parties.get(frame.header.source)
            control = frame.header.control
            is_ours = party is not None and frame.header.destination == party.master_address
            if party is None or not is_ours or control.dir_from_master or not control.prm:
                continue
            self._answer(frame)
            if frame.user_data and control.function_code in DATA:
                self._segment(party, frame.user_data, arrival)
        self.changed.set()

    def _answer(self, frame: DataLinkFrame) -> None:
        """Give a device what it wants of the data link: that we are there, or that we heard it."""
        header = frame.header
        code = header.control.function_code
        build = build_link_status if code == LinkFunctionCode.PRI_REQUEST_LINK_STATUS else build_ack
        if code != LinkFunctionCode.PRI_UNCONFIRMED_USER_DATA:
            answer = build(header.source, header.destination, dir_from_master=True)
            self._channel.write(answer.to_bytes())

    def _segment(self, party: Party, octets: bytes, arrival: Instant) -> None:
        try:
            whole = party.reassembler.add(TransportSegment.from_bytes(octets))
        except (ReassemblyError, ValueError):
            # A segment is missing: what it belonged to is lost, and its request goes unanswered.
            return
        if whole is None or len(whole.data) < 4:
            return
        control, function = whole.data[0], whole.data[1]
        if function != (UNSOLICITED_RESPONSE if control & UNS else RESPONSE):
            return
        party.heard(
            Fragment(
                control=control,
                indications=int.from_bytes(whole.data[2:4], "little"),
                objects=whole.data[4:],
                arrival=arrival,
            )
        )
