"""What the profile of a Modbus device is made of: facts, values, status words and test vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from edge_agent.config.constraint import Fault, Matching, Within, fault, field_faults, refuse
from edge_agent.config.profile_parts import PointName, PointProfile, TestVector
from edge_agent.config.protocols.modbus_addresses import LARGEST_READ_REGISTERS, PrintedAddress
from edge_agent.config.status_words import IntegerKey
from edge_agent.config.vocabulary import Addressing, Checked, Table, WordOrder

BIT_TABLES: Final = frozenset({Table.COIL, Table.DISCRETE})
WholeType = Annotated[str, Matching("u?int(16|32)", "int16, uint16, int32 or uint32")]


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
        input_is_holding: whether input registers are read as holding registers, because the
            device knows function 3 alone.
    """

    addressing: Addressing
    word_order: WordOrder
    max_registers_per_read: Annotated[int, Within(1, LARGEST_READ_REGISTERS)] = 125
    unreadable: tuple[Unreadable, ...] = ()
    input_is_holding: bool = False

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A register in which the device says what a value of it is.

    Attributes:
        of: what of the channel it says: parameter or unit_of_measure.
        table: the table it is in.
        address: as the document prints it.
        raw_type: how the number is coded.
        fixed: whether it is the same register for every one of a block.
        codes: what the numbers mean, in the words of the channel.
        page: where the document says so.
    """

    of: Checked
    table: Table
    address: PrintedAddress
    raw_type: WholeType = "uint16"
    fixed: bool = False
    codes: Mapping[IntegerKey, str]
    page: str

    def __post_init__(self) -> None:
        """Refuse what is no register, and codes that mean nothing."""
        refuse(
            *field_faults(self),
            no_register(self.table),
            fault("codes", "there is none", "add NUMBER = WORD", when=not self.codes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What registers must hold if the device is of this model; asked before any reading.

    Attributes:
        table: the table they are in.
        address: as the document prints it.
        raw_type: how it is coded; text is ASCII, two characters a register.
        registers: how many registers a text takes.
        numbers: the numbers that may be there.
        texts: the texts that may be there, without blanks at the end.
        page: where the document says so.
    """

    table: Table
    address: PrintedAddress
    raw_type: Annotated[str, Matching("text|u?int(16|32)", "text, or a whole number type")]
    registers: Annotated[int, Within(1, LARGEST_READ_REGISTERS)] = 1
    numbers: tuple[int, ...] = ()
    texts: tuple[str, ...] = ()
    page: str

    def __post_init__(self) -> None:
        """Refuse what every device would fit, or none."""
        is_text = self.raw_type == "text"
        refuse(
            *field_faults(self),
            no_register(self.table),
            fault(
                "texts" if is_text else "numbers",
                "nothing is accepted",
                "write what the registers of this model hold",
                when=not (self.texts if is_text else self.numbers),
            ),
            fault(
                "numbers" if is_text else "texts",
                f"does not go with raw_type {self.raw_type}",
                "remove it, or correct raw_type",
                when=bool(self.numbers if is_text else self.texts),
            ),
        )


def no_register(table: Table) -> Fault | None:
    """Return that a table has bits where registers are needed, None where it has registers."""
    return fault("table", f"'{table}' has bits", "write input or holding", when=table in BIT_TABLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusPoint(PointProfile):
    """One value in registers.

    Attributes:
        table: the table the value is in.
        address: as the document prints it.
        checks: registers in which the device says parameter or unit of measure of the value.
    """

    table: Table
    address: PrintedAddress
    checks: Mapping[PointName, Check] = field(default_factory=dict)

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
