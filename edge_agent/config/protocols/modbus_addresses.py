"""Printed addresses and word orders to those of the wire, in every way that documents count."""

from typing import Annotated, assert_never

from edge_agent.config.constraint import Within
from edge_agent.config.vocabulary import Addressing, Table, WordOrder

# Modbus Application Protocol V1.1b3 sections 6.3 and 6.4: 125 registers in one answer at most.
LARGEST_READ_REGISTERS = 125
# PDU addresses are 16 bits wide (Modbus Application Protocol V1.1b3 section 4.4); numbers as
# documents print them reach 465536 (modicon).
HIGHEST_PRINTED_ADDRESS = 465_536
PrintedAddress = Annotated[int, Within(0, HIGHEST_PRINTED_ADDRESS)]

# Modbus Application Protocol V1.1b3 section 4.4: PDU addresses are 0 to 65535.
ADDRESS_COUNT = 65_536
# The reference numbers of Modicon controllers: the first digit names the table (Modbus Protocol
# Reference Guide PI-MBUS-300, chapter 1); five digits, or six where more than 9,999 are needed.
MODICON_FIRST = {
    Table.COIL: (1, 1),
    Table.DISCRETE: (10_001, 100_001),
    Table.INPUT: (30_001, 300_001),
    Table.HOLDING: (40_001, 400_001),
}
MODICON_FIVE_DIGITS = 9_999
WIDE_TYPES = {"32": 2, "64": 4}


def register_count(raw_type: str) -> int:
    """Return how many registers (or bits, for bool) a value takes."""
    return WIDE_TYPES.get(raw_type[-2:], 1)


def pdu_address(table: Table, printed: int, addressing: Addressing) -> int | None:
    """Return the address on the wire of a printed address, or None if there is none.

    Raises:
        ValueError: the addressing is unknown.

    """
    match addressing:
        case Addressing.ZERO_BASED:
            first = 0
        case Addressing.ONE_BASED:
            first = 1
        case Addressing.MODICON:
            short, long = MODICON_FIRST[table]
            first = short if short <= printed < short + MODICON_FIVE_DIGITS else long
        case Addressing.UNKNOWN:
            raise ValueError("an unknown addressing gives no address")
        case _:
            assert_never(addressing)
    address = printed - first
    return address if 0 <= address < ADDRESS_COUNT else None


def address_of(table: Table, printed: int, addressing: Addressing) -> int:
    """Return the address on the wire of a printed address that is known to be good.

    Raises:
        ValueError: the addressing is unknown, or the address is none.

    """
    address = pdu_address(table, printed, addressing)
    if address is None:
        raise ValueError(f"{printed} is no {addressing} address of the table {table}")
    return address


def word_order_of(raw_type: str, word_order: WordOrder) -> str:
    """Return the word order of one value: of a single register only the bytes can be swapped."""
    if raw_type == "bool" or raw_type.startswith("bit"):
        return ""
    if register_count(raw_type) > 1:
        return word_order.value
    return "BADC" if word_order in (WordOrder.BADC, WordOrder.DCBA) else "ABCD"
