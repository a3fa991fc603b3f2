"""Registers of single values: the profile of a device, read backwards. Pure.

Written against the profile alone, not against the driver's decoder, so that each finds the
other's mistakes.
"""

import struct
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN
from typing import Final, TypeAlias

from edge_agent.config.protocols.modbus_parts import ModbusPoint
from edge_agent.config.vocabulary import Addressing, Table, WordOrder
from edge_agent.simulator.instrument import unscaled

Words: TypeAlias = dict[tuple[Table, int], int]  # table, address from 0 -> register, or a bit

# docs/wire-format.md section 6; big-endian, as Modbus sends registers.
LAYOUTS: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}


def pdu_address(printed: int, addressing: Addressing) -> int:
    """Return the address of the protocol, from 0, of one that the document prints.

    Raises:
        ValueError: it is not known whether it is zero-based, one-based or modicon.

    """
    match addressing:
        case Addressing.ZERO_BASED:
            return printed
        case Addressing.ONE_BASED:
            return printed - 1
        case Addressing.MODICON:
            # Five or six digits, the first of which is the table.
            return printed % (100_000 if printed > 99_999 else 10_000) - 1
        case Addressing.UNKNOWN:
            raise ValueError("addressing is unknown, nothing can be served")


def encoded(point: ModbusPoint, order: WordOrder, value: float) -> tuple[int, ...]:
    """Return the registers of a value, or its bit; beyond the type it stops at the type's end."""
    if point.raw_type.startswith(("bool", "bit")):
        bit = int(value != 0)
        return (bit << int(point.raw_type[3:] or 0) if point.raw_type != "bool" else bit,)
    number = unscaled(point, value)
    if not point.raw_type.startswith("float"):
        return whole_number(point.raw_type, order, int(number.to_integral_value(ROUND_HALF_EVEN)))
    packed = struct.pack(LAYOUTS[point.raw_type], float(number))
    return tuple(reordered(struct.unpack(f">{len(packed) // 2}H", packed), order))


def whole_number(raw_type: str, order: WordOrder, number: int) -> tuple[int, ...]:
    """Return the registers of a whole number; beyond the type it stops at the type's end."""
    size_bits = int(raw_type.removeprefix("u").removeprefix("int"))
    low, high = 0, (1 << size_bits) - 1
    if raw_type.startswith("int"):
        low, high = -(1 << size_bits - 1), (1 << size_bits - 1) - 1
    packed = struct.pack(LAYOUTS[raw_type], min(high, max(low, number)))
    return tuple(reordered(struct.unpack(f">{len(packed) // 2}H", packed), order))


def reordered(words: tuple[int, ...], order: WordOrder) -> Iterator[int]:
    """Yield words, most significant first, as a device of that order holds them."""
    if order is WordOrder.UNKNOWN:
        raise ValueError("word order is unknown, nothing can be served")
    for word in reversed(words) if order in (WordOrder.CDAB, WordOrder.DCBA) else words:
        is_swapped = order in (WordOrder.BADC, WordOrder.DCBA)
        yield (word & 0xFF) << 8 | word >> 8 if is_swapped else word
