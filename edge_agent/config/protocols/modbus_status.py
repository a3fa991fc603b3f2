"""Status words of Modbus devices: one register, or bits of several put together; and blocks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from edge_agent.config.constraint import Fault, Within, fault, field_faults, refuse
from edge_agent.config.profile_parts import PointName
from edge_agent.config.protocols.modbus_addresses import PrintedAddress
from edge_agent.config.protocols.modbus_parts import BIT_TABLES, ModbusPoint
from edge_agent.config.status_words import StatusProfile
from edge_agent.config.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusBits:
    """Some bits as the device gives them, and where they stand in a status word.

    Attributes:
        table: the table they are in.
        address: as the document prints it; in coil and discrete of the first bit.
        bit: the lowest of them in its register, 0 the least significant.
        width: how many bits; in coil and discrete as many addresses.
        at: where the lowest of them stands in the status word.
        fixed: whether they are the same for every one of a block.
    """

    table: Table
    address: PrintedAddress
    bit: Annotated[int, Within(0, 15)] = 0
    width: Annotated[int, Within(1, 32)] = 1
    at: Annotated[int, Within(0, 31)]
    fixed: bool = False

    def __post_init__(self) -> None:
        """Refuse bits that are not there, or do not fit."""
        is_bits = self.table in BIT_TABLES
        refuse(
            *field_faults(self),
            fault(
                "bit",
                f"'{self.table}' has bits of their own",
                "remove bit, and write the address of the first one",
                when=is_bits and self.bit != 0,
            ),
            fault(
                "width",
                f"{self.width} bits from bit {self.bit} reach beyond a register",
                "bit and width together are at most 16; add another part for the next register",
                when=not is_bits and self.bit + self.width > 16,
            ),
            fault(
                "at",
                f"{self.width} bits from bit {self.at} reach beyond 32",
                "a status word has 32 bits",
                when=self.at + self.width > 32,
            ),
        )

    @property
    def places(self) -> range:
        """The bits of the status word that they are."""
        return range(self.at, self.at + self.width)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusStatus(StatusProfile):
    """A word that says how values are to be taken: one register (or bit), two, or parts.

    Attributes:
        table: the table it is in.
        address: as the document prints it.
        registers: 1, or 2 for a word of 32 bits.
        fixed: whether it is the same for every one of a block.
        parts: bits of several registers or bits that are put together; instead of table and
            address.
    """

    table: Table | None = None
    address: PrintedAddress | None = None
    registers: Annotated[int, Within(1, 2)] = 1
    fixed: bool = False
    parts: tuple[StatusBits, ...] = ()

    def bits_there(self) -> frozenset[int]:
        """Return the bits that the word can have."""
        if self.parts:
            return frozenset(bit for part in self.parts for bit in part.places)
        return frozenset(range(1 if self.table in BIT_TABLES else 16 * self.registers))

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong with more than one field."""
        yield from StatusProfile.faults(self)
        if self.parts and (self.table, self.address, self.registers) != (None, None, 1):
            yield Fault(
                key="parts",
                message="the word is in one place and in several",
                remedy="remove table, address and registers, or remove parts",
            )
        for key, given in (("table", self.table), ("address", self.address)):
            if not self.parts and given is None:
                yield Fault(key=key, message="missing", remedy=f"add the key '{key}', or parts")
        if self.registers == 2 and self.table in BIT_TABLES:
            yield Fault(
                key="registers",
                message=f"'{self.table}' has bits",
                remedy="write parts = [{ table, address, width, at }]",
            )
        seen: set[int] = set()
        for index, part in enumerate(self.parts):
            if not seen.isdisjoint(part.places):
                yield Fault(
                    key="parts",
                    message=f"part {index} stands on bits of another one",
                    remedy="write at so that every bit of the word has one meaning",
                )
            seen.update(part.places)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Registers that come again and again, once for each component: a site says what is what.

    A channel knows its points as BLOCK.NUMBER.POINT. Addresses are those of the first one.

    Attributes:
        count: how many there are.
        first: the number of the first one.
        stride: from the registers of one to those of the next.
        status_stride: the same for status words. Default: stride.
        points: the values that each gives.
        status: the status words that each gives.
        page: where the document says so.
    """

    count: Annotated[int, Within(1, 1000)]
    first: Annotated[int, Within(0, 1000)] = 1
    stride: Annotated[int, Within(1, 65_535)]
    status_stride: Annotated[int, Within(1, 65_535)] | None = None
    points: Mapping[PointName, ModbusPoint]
    status: Mapping[PointName, ModbusStatus] = field(default_factory=dict)
    page: str

    def __post_init__(self) -> None:
        """Refuse a block without values."""
        refuse(
            *field_faults(self),
            fault(
                "points",
                "there is none",
                "add a [blocks.NAME.points.NAME] table",
                when=not self.points,
            ),
        )

    @property
    def numbers(self) -> range:
        """The numbers of its components."""
        return range(self.first, self.first + self.count)
