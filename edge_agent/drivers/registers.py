"""Which registers a scan asks for, and the raw words in the answers (wire-format.md section 6).

Pure: a `Layout` is planned once per device, shrinks when the device refuses a part of it, and its
`Decoder` takes the answers of a scan apart without a Python object per value.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from edge_agent.config.columns import PointFacts, Points
from edge_agent.config.device import Device
from edge_agent.config.protocols.modbus import StatusWord, speech_of
from edge_agent.drivers.blocks import (
    BIT_TABLES,
    MAX_BITS,
    Block,
    Request,
    Rules,
    Want,
    halves,
    planned,
    sorted_out,
    wanted,
)
from edge_agent.drivers.status_parts import Composition, Octets
from edge_agent.wire.vocabulary import NO_VALUE, Int64Array, QualityClass, Reason, UInt32Array

# On TCP a request costs a round trip and its handling at both ends, a register read in passing two
# bytes: requests merge as far as one answer reaches. (On a serial line a register costs two
# characters and a request some 13 and the device's turn-around, so a gap can be too wide there.)
MAX_GAP_TCP: Final = MAX_BITS

# docs/wire-format.md section 7.
REFUSED_VALUE: Final = int(QualityClass.FAILURE | NO_VALUE | Reason.REFUSED)
# The value is there, but what the device would say about it cannot be read.
REFUSED_STATUS: Final = int(QualityClass.OUT_OF_SPECIFICATION | Reason.REFUSED | Reason.NO_FLAGS)

IndexArray = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The requests of one scan of a device.

    Attributes:
        requests: to be asked in this order.
        point_count: number of points of the device.
        rules: what a request may look like; grows by what the device refused.
        refused: what the device refused, value and status word apart.
        composed: the points whose status words are put together, by rising index.

    """

    requests: tuple[Request, ...]
    point_count: int
    rules: Rules
    refused: tuple[Want, ...] = ()
    composed: tuple[tuple[int, StatusWord], ...] = ()

    @classmethod
    def of(cls, device: Device, *, max_gap: int = MAX_GAP_TCP) -> Self:
        """Return the layout of a device that has refused nothing yet.

        Raises:
            ValueError: a point cannot be read by any request that the device allows.

        """
        speech = speech_of(device.speech)
        rules = Rules(
            max_registers=speech.max_registers_per_read,
            max_gap=max_gap,
            unreadable=tuple(
                Block(table=table, address=first, count=last - first + 1)
                for table, first, last in speech.unreadable
            ),
        )
        points = _facts(device)
        wants = [w for index, point in enumerate(points) for w in wanted(point, index)]
        readable, unreadable = sorted_out(wants, rules)
        if unreadable:
            lost = ", ".join(str(device.points[want.point_index].channel) for want in unreadable)
            raise ValueError(
                f"device {device.name}: channels {lost} lie in an unreadable range or are wider "
                f"than {speech.max_registers_per_read} registers"
            )
        return cls(
            requests=planned(readable, rules),
            point_count=len(device.points),
            rules=rules,
            composed=tuple(
                (index, point.status)
                for index, point in enumerate(device.points)
                if isinstance(point.status, StatusWord)
            ),
        )

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The blocks to ask for, in order."""
        return tuple(request.block for request in self.requests)

    def after_refusal(self, index: int, *, is_divisible: bool) -> Self:
        """Return the layout to go on with after a request was refused.

        Requests before it stay as they are, so that answers already taken still fit. A request
        that cannot be halved is never asked for again.

        Args:
            index: which request.
            is_divisible: whether a smaller request might be answered.

        """
        done, request = self.requests[:index], self.requests[index]
        later = self.requests[index + 1 :]
        if is_divisible and (split := halves(request)):
            return replace(self, requests=(*done, *split, *later))
        gone = tuple(part for want in request.wants for part in want.parts())
        rules = replace(self.rules, refused=(*self.rules.refused, *(want.hull for want in gone)))
        left: list[Request] = []
        lost: list[Want] = []
        for other in later:
            readable, unreadable = sorted_out(other.wants, rules)
            left.extend((other,) if rules.allows(other.block) else planned(readable, rules))
            lost.extend(unreadable)
        return replace(
            self,
            requests=(*done, *left),
            rules=rules,
            refused=(*self.refused, *gone, *lost),
        )


def plan_blocks(device: Device, *, max_gap: int = MAX_GAP_TCP) -> tuple[Block, ...]:
    """Return the blocks that one scan of the device asks for."""
    return Layout.of(device, max_gap=max_gap).blocks


class Decoder:
    """Takes raw and status of all points out of the answers to one layout, by one gather each.

    Attributes:
        layout: whose answers it takes, and no others.
        transport: quality bits of what the device refused, 0 elsewhere; shape (point_count,).

    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._has_bits = any(request.block.table in BIT_TABLES for request in layout.requests)
        nowhere = sum(_size_bytes(request.block) for request in layout.requests)
        raw_at = np.full((layout.point_count, 8), nowhere, np.intp)
        status_at = np.full((layout.point_count, 4), nowhere, np.intp)
        parts: dict[tuple[int, int], Octets] = {}
        start = 0
        for request in layout.requests:
            for want in request.wants:
                if want.part_index is not None and want.status is not None:
                    low, high = (*_byte_offsets(request.block, want.status), nowhere - start)[:2]
                    parts[want.point_index, want.part_index] = (start + high, start + low)
                    continue
                for part, places in ((want.value, raw_at), (want.status, status_at)):
                    if part is not None:
                        offsets = _byte_offsets(request.block, part)
                        places[want.point_index, : len(offsets)] = [start + at for at in offsets]
            start += _size_bytes(request.block)
        self._size_bytes = nowhere + 1
        self._raw_at: IndexArray = raw_at.ravel()
        has_status = bool((status_at != nowhere).any())
        self._status_at: IndexArray | None = status_at.ravel() if has_status else None
        self._composition = (
            Composition(layout.composed, parts, nowhere) if layout.composed else None
        )
        self._no_status = _constant(np.zeros(layout.point_count, np.uint32))
        self.transport: UInt32Array = _constant(_transport(layout))

    def words(self, answers: Sequence[bytes]) -> tuple[Int64Array, UInt32Array]:
        """Return raw and status of all points.

        Args:
            answers: for each request of the layout, of the length asked for, its register bytes
                (two each, the most significant first) or its packed bits (the first in bit 0).

        Returns:
            raw, int64, and status, uint32, each of shape (point_count,); 0 where refused.

        Raises:
            ValueError: the answers are not those of the layout.

        """
        if self._has_bits:
            answers = [
                _bit_bytes(answer, request.block) if request.block.table in BIT_TABLES else answer
                for answer, request in zip(answers, self.layout.requests, strict=True)
            ]
        # Every byte that a narrow word lacks is taken from the zero at the end.
        octets = np.frombuffer(b"".join((*answers, b"\0")), np.uint8)
        if len(octets) != self._size_bytes:
            raise ValueError(f"answers of {len(octets)} bytes, must be {self._size_bytes}")
        raw: Int64Array = octets.take(self._raw_at).view("<i8")
        status = self._no_status
        if self._status_at is not None:
            status = octets.take(self._status_at).view("<u4")
        if self._composition is not None:
            status = self._composition.put(octets, status)
        return raw, status


def decoder_of(device: Device, *, max_gap: int = MAX_GAP_TCP) -> Decoder:
    """Return the decoder of a device that has refused nothing yet; one for all that agree."""
    return _decoder(Like(device), max_gap)


class Like:
    """A device as far as its decoder is concerned: equal to others with the same points."""

    __slots__ = ("_key", "device")

    def __init__(self, device: Device) -> None:
        self.device = device
        self._key = (_facts(device), device.speech)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Like) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=256)
def _decoder(like: Like, max_gap: int) -> Decoder:
    return Decoder(Layout.of(like.device, max_gap=max_gap))


def _facts(device: Device) -> tuple[PointFacts, ...]:
    points = device.points
    if isinstance(points, Points):
        return points.facts
    return tuple(
        PointFacts(place=point.place, raw_type=point.raw_type, status=point.status)
        for point in points
    )


def _size_bytes(block: Block) -> int:
    """Return how many bytes a block takes among the joined answers: a bit takes one."""
    return block.count if block.table in BIT_TABLES else 2 * block.count


def _byte_offsets(block: Block, part: Block) -> tuple[int, ...]:
    """Return where the bytes of a part are within a block, least significant first."""
    if block.table in BIT_TABLES:
        return (part.address - block.address,)
    last = 2 * (part.end - block.address) - 1
    return tuple(last - index for index in range(2 * part.count))


def _bit_bytes(answer: bytes, block: Block) -> bytes:
    """Return the packed bits of an answer, a byte 0 or 1 for each."""
    packed = np.frombuffer(answer, np.uint8)
    return np.unpackbits(packed, count=block.count, bitorder="little").tobytes()


def _transport(layout: Layout) -> UInt32Array:
    """Return the quality bits that the refusals give; a lost value outweighs a lost status."""
    transport = np.zeros(layout.point_count, np.uint32)
    for want in sorted(layout.refused, key=lambda want: want.value is not None):
        transport[want.point_index] = REFUSED_STATUS if want.value is None else REFUSED_VALUE
    return transport


def _constant(array: UInt32Array) -> UInt32Array:
    """Return the array, made read-only: the scans of a device share it."""
    array.flags.writeable = False
    return array
