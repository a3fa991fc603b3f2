"""Blocks of addresses, and which wanted addresses are asked for in one request.

Pure, and the same for every register protocol. Addresses are those of the protocol, from 0; a
block never reaches over an unreadable range and a value is never divided.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from edge_agent.config.columns import PointFacts
from edge_agent.config.device import Table
from edge_agent.config.protocols.modbus import StatusWord, register_of

# Modbus Application Protocol V1.1b3, 6.1 to 6.4: the most that one answer holds.
MAX_REGISTERS: Final = 125
MAX_BITS: Final = 2000

BIT_TABLES: Final = frozenset({Table.COIL, Table.DISCRETE})
# docs/wire-format.md section 6; every other type has one word.
WORD_COUNTS: Final = {"uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4, "float64": 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A run of addresses of one table: `count` registers or bits from `address` on."""

    table: Table
    address: int
    count: int

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + self.count

    def hull(self, other: "Block") -> "Block":
        """Return the smallest block that holds both; they are of one table."""
        address = min(self.address, other.address)
        return Block(table=self.table, address=address, count=max(self.end, other.end) - address)

    def touches(self, other: "Block") -> bool:
        """Return whether the two share an address."""
        return self.table == other.table and self.address < other.end and other.address < self.end

    def contains(self, other: "Block") -> bool:
        """Return whether every address of the other is one of its own."""
        return self.table == other.table and self.address <= other.address and other.end <= self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What one point needs from one answer: its value, its status word, or both of one table.

    Of a status word that is put together a want is one part, by its index in the word.
    """

    point_index: int
    value: Block | None
    status: Block | None
    part_index: int | None = None

    @property
    def hull(self) -> Block:
        """The block that must be in one answer."""
        if self.value is not None and self.status is not None:
            return self.value.hull(self.status)
        if (only := self.value or self.status) is None:
            raise ValueError(f"point {self.point_index} wants nothing")
        return only

    def parts(self) -> tuple["Want", ...]:
        """Return its value and its status word as wants of their own."""
        value, status = replace(self, status=None), replace(self, value=None)
        return (value, status) if self.value and self.status else (self,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One block to ask for, and what is wanted of it."""

    block: Block
    wants: tuple[Want, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a request may look like.

    Attributes:
        max_registers: most registers in one answer, by the device's word.
        max_gap: most unwanted addresses that are read through to save a request.
        unreadable: blocks that no request may touch, by the profile.
        refused: blocks that the device refused, which no request may contain.

    """

    max_registers: int
    max_gap: int
    unreadable: tuple[Block, ...]
    refused: tuple[Block, ...] = ()

    def allows(self, block: Block) -> bool:
        """Return whether one request may ask for the block."""
        limit = MAX_BITS if block.table in BIT_TABLES else min(MAX_REGISTERS, self.max_registers)
        if block.count > limit:
            return False
        for unreadable in self.unreadable:
            if block.touches(unreadable):
                return False
        return not any(map(block.contains, self.refused))


def wanted(point: PointFacts, index: int) -> tuple[Want, ...]:
    """Return what a point needs: one want, or more when its status is in other places."""
    place = register_of(point.place)
    words = 1 if place.table in BIT_TABLES else WORD_COUNTS.get(point.raw_type, 1)
    value = Block(table=place.table, address=place.address, count=words)
    if point.status is None:
        return (Want(point_index=index, value=value, status=None),)
    if isinstance(point.status, StatusWord):
        return (Want(point_index=index, value=value, status=None), *_parts(point.status, index))
    said = register_of(point.status)
    status = Block(table=said.table, address=said.address, count=1)
    both = Want(point_index=index, value=value, status=status)
    return (both,) if place.table == said.table else both.parts()


def _parts(word: StatusWord, index: int) -> Iterator[Want]:
    for part_index, part in enumerate(word.parts):
        block = Block(table=part.register.table, address=part.register.address, count=1)
        yield Want(point_index=index, value=None, status=block, part_index=part_index)


def sorted_out(wants: Iterable[Want], rules: Rules) -> tuple[tuple[Want, ...], tuple[Want, ...]]:
    """Return what can be asked for, and what cannot.

    A value stays with its status word where one request may ask for both, so that both are of one
    moment; otherwise they are asked for apart.
    """
    readable: list[Want] = []
    unreadable: list[Want] = []
    for want in wants:
        for part in (want,) if rules.allows(want.hull) else want.parts():
            (readable if rules.allows(part.hull) else unreadable).append(part)
    return tuple(readable), tuple(unreadable)


def planned(wants: Iterable[Want], rules: Rules) -> tuple[Request, ...]:
    """Return requests for readable wants, from low to high; each takes all that still fit."""
    requests: list[Request] = []
    block: Block | None = None
    taken: list[Want] = []
    for hull, want in sorted(((want.hull, want) for want in wants), key=_by_block):
        joined = _joined(block, hull, rules) if block else None
        if block and not joined:
            requests.append(Request(block=block, wants=tuple(taken)))
            taken = []
        block = joined or hull
        taken.append(want)
    if block:
        requests.append(Request(block=block, wants=tuple(taken)))
    return tuple(requests)


def halves(request: Request) -> tuple[Request, ...]:
    """Return two requests that together want the same; none when it cannot be divided."""
    wants = request.wants if len(request.wants) > 1 else request.wants[0].parts()
    if len(wants) == 1:
        return ()
    middle = len(wants) // 2
    return tuple(_request(half) for half in (wants[:middle], wants[middle:]))


def _request(wants: tuple[Want, ...]) -> Request:
    block = wants[0].hull
    for want in wants[1:]:
        block = block.hull(want.hull)
    return Request(block=block, wants=wants)


def _joined(block: Block, hull: Block, rules: Rules) -> Block | None:
    """Return one block for both, or None where there should be two requests."""
    if block.table != hull.table or hull.address - block.end > rules.max_gap:
        return None
    if hull.end <= block.end:
        return block
    joined = block.hull(hull)
    return joined if rules.allows(joined) else None


def _by_block(pair: tuple[Block, Want]) -> tuple[str, int, int, int]:
    block, want = pair
    return block.table, block.address, block.count, want.point_index
