"""Modbus, as the agent runs it: registers by their address on the wire, and how a unit is asked."""

from dataclasses import dataclass

from edge_agent.config.vocabulary import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A register or a bit; where a value is wider, its first. The address is that of the PDU."""

    table: Table
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModbusSpeech:
    """How one unit is asked.

    Attributes:
        unit_id: Modbus unit identifier.
        max_registers_per_read: the most that one request may ask for.
        unreadable: table, first and last address of what the unit refuses to give.
    """

    unit_id: int
    max_registers_per_read: int
    unreadable: tuple[tuple[Table, int, int], ...]
