"""What a document prints as it is on the wire of one device; nothing is left open any more."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from edge_agent.config.place import Place
from edge_agent.config.protocols.modbus import Register, StatusPart, StatusWord
from edge_agent.config.protocols.modbus_addresses import address_of
from edge_agent.config.protocols.modbus_parts import BIT_TABLES
from edge_agent.config.protocols.modbus_status import ModbusStatus, StatusBits
from edge_agent.config.vocabulary import Addressing, Table, WordOrder

# Where the bytes of two registers stand in a word of 32 bits: register, first bit, width, bit of
# the word. Four letters name the bytes as they come; A is the most significant.
TWO_REGISTERS: Final = {
    WordOrder.ABCD: ((0, 0, 16, 16), (1, 0, 16, 0)),
    WordOrder.CDAB: ((0, 0, 16, 0), (1, 0, 16, 16)),
    WordOrder.BADC: ((0, 8, 8, 16), (0, 0, 8, 24), (1, 8, 8, 0), (1, 0, 8, 8)),
    WordOrder.DCBA: ((0, 8, 8, 0), (0, 0, 8, 8), (1, 8, 8, 16), (1, 0, 8, 24)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How one device counts and orders its registers.

    Attributes:
        addressing: known.
        word_order: known.
        input_is_holding: whether it gives input registers as holding registers.

    """

    addressing: Addressing
    word_order: WordOrder
    input_is_holding: bool

    def register(self, table: Table, printed: int) -> Register:
        """Return a register by the address that is printed.

        Raises:
            ValueError: there is no such address.

        """
        address = address_of(table, printed, self.addressing)
        is_holding = self.input_is_holding and table is Table.INPUT
        return Register(table=Table.HOLDING if is_holding else table, address=address)

    def status(self, status: ModbusStatus, offset: int) -> tuple[Place, str]:
        """Return where a status word is, and what the channel table says of it.

        Args:
            status: the status word of the first one of a block, or outside of blocks.
            offset: from there to the one that is meant.

        """
        offset = 0 if status.fixed else offset
        table, address = status.table, status.address
        if table is not None and address is not None and status.registers == 1:
            register = self.register(table, address + offset)
            return register, f"{register.table}:{register.address}"
        if table is not None and address is not None:
            first = self.register(table, address + offset)
            pieces = TWO_REGISTERS[self.word_order]
            parts = [
                StatusPart(
                    register=Register(table=first.table, address=first.address + index),
                    first_bit=bit,
                    width=width,
                    at_bit=at,
                )
                for index, bit, width, at in pieces
            ]
        else:
            parts = [one for part in status.parts for one in self._parts(part, offset)]
        return _shared(StatusWord(parts=tuple(parts))), _written(parts)

    def _parts(self, bits: StatusBits, offset: int) -> Iterator[StatusPart]:
        first = self.register(bits.table, bits.address + (0 if bits.fixed else offset))
        if bits.table not in BIT_TABLES:
            yield StatusPart(register=first, first_bit=bits.bit, width=bits.width, at_bit=bits.at)
            return
        for index in range(bits.width):
            register = Register(table=first.table, address=first.address + index)
            yield StatusPart(register=register, first_bit=0, width=1, at_bit=bits.at + index)


@lru_cache(maxsize=1024)
def _shared(word: StatusWord) -> StatusWord:
    """Return the same object for equal words: many points have one status word."""
    return word


def _written(parts: list[StatusPart]) -> str:
    """Return how a status word is put together: TABLE:ADDRESS[.BIT+WIDTH]@BIT, part by part."""
    return " ".join(
        f"{part.register.table}:{part.register.address}"
        + ("" if part.register.table in BIT_TABLES else f".{part.first_bit}+{part.width}")
        + f"@{part.at_bit}"
        for part in parts
    )
