"""Modbus, as the agent runs it: registers by their address on the wire, and how a unit is asked."""

from dataclasses import dataclass

from edge_agent.config.place import Place, Speech
from edge_agent.config.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Register(Place):
    """A register or a bit; where a value is wider, its first. The address is that of the PDU."""

    table: Table
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPart:
    """Some bits of one register, and where they stand in a status word.

    Attributes:
        register: the register, or the bit of a bit table.
        first_bit: the lowest of the bits in the register, 0 the least significant.
        width: how many bits; 1 in a bit table.
        at_bit: where the lowest of them stands in the status word.

    """

    register: Register
    first_bit: int
    width: int
    at_bit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWord(Place):
    """A status word of 32 bits that is put together of several registers or bits as received."""

    parts: tuple[StatusPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Place):
    """A text in ASCII, two characters a register, the first in the high byte; blanks fill it."""

    register: Register
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusSpeech(Speech):
    """How one unit is asked.

    Attributes:
        unit_id: Modbus unit identifier.
        max_registers_per_read: the most that one request may ask for.
        unreadable: table, first and last address of what the unit refuses to give.
    """

    unit_id: int
    max_registers_per_read: int
    unreadable: tuple[tuple[Table, int, int], ...]


def speech_of(speech: Speech) -> ModbusSpeech:
    """Return the speech of a Modbus device as such.

    Raises:
        TypeError: the device speaks something else.

    """
    if not isinstance(speech, ModbusSpeech):
        raise TypeError(f"{type(speech).__name__} is not how a Modbus unit is asked")
    return speech


def register_of(place: Place) -> Register:
    """Return the place of a Modbus value as such.

    Raises:
        TypeError: the place is of another kind.

    """
    if not isinstance(place, Register):
        raise TypeError(f"{type(place).__name__} is no register")
    return place
