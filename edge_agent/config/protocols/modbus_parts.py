"""What the profile of a Modbus device is made of: facts, values, status words and test vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

from edge_agent.config.constraint import Fault, Within, fault, field_faults, refuse
from edge_agent.config.profile import PointProfile, TestVector
from edge_agent.config.protocols.modbus_addresses import LARGEST_READ_REGISTERS, PrintedAddress
from edge_agent.config.status_words import IntegerKey, StatusProfile
from edge_agent.config.vocabulary import Addressing, Table, WordOrder

BIT_TABLES: Final = frozenset({Table.COIL, Table.DISCRETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """Registers that the device refuses to give; the agent never asks for them.

    Attributes:
        table: the table they are in.
        first: first address, counted as in the points.
        last: last address, included.
    """

    table: Table
    first: PrintedAddress
    last: PrintedAddress

    def __post_init__(self) -> None:
        """Refuse a range that falls."""
        refuse(
            *field_faults(self),
            fault("last", "below first", "write first up to last", when=self.last < self.first),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusFacts:
    """How the device speaks Modbus.

    Attributes:
        addressing: how the document counts registers.
        word_order: how the bytes of a value lie in its registers.
        max_registers_per_read: the most that one request may ask for.
        unreadable: registers that the device refuses.
    """

    addressing: Addressing
    word_order: WordOrder
    max_registers_per_read: Annotated[int, Within(1, LARGEST_READ_REGISTERS)] = 125
    unreadable: tuple[Unreadable, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusPoint(PointProfile):
    """One value in registers.

    Attributes:
        table: the table the value is in.
        address: as the document prints it.
    """

    table: Table
    address: PrintedAddress

    def faults(self) -> Iterator[Fault]:
        """Yield what cannot be read or calculated with."""
        yield from PointProfile.faults(self)
        if (self.table in BIT_TABLES) != (self.raw_type == "bool"):
            yield Fault(
                key="raw_type",
                message=f"{self.raw_type} does not lie in the table '{self.table}'",
                remedy="coil and discrete hold bool; input and holding hold everything else",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusStatus(StatusProfile):
    """One register (or bit) that says how values are to be taken.

    Attributes:
        table: the table it is in.
        address: as the document prints it.
    """

    table: Table
    address: PrintedAddress

    @property
    def last_bit(self) -> int:
        """The highest bit that the word can have."""
        return 0 if self.table in BIT_TABLES else 15


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusVector(TestVector):
    """Registers, and what the decoder of the agent must make of them.

    Attributes:
        addressing: to read it with, where the profile says unknown.
        word_order: to read it with, where the profile says unknown.
        registers: first address as printed -> registers from there, per table.
    """

    addressing: Addressing | None = None
    word_order: WordOrder | None = None
    registers: Mapping[Table, Mapping[IntegerKey, tuple[Annotated[int, Within(0, 65_535)], ...]]]
