"""Registers from readings: the profile of a device, read backwards. Pure.

Written against the profile alone, not against the driver's decoder, so that each finds the
other's mistakes.
"""

import struct
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, TypeAlias

from edge_agent.config.model import Addressing, Table, WordOrder
from edge_agent.config.protocols.modbus_parts import BIT_TABLES, ModbusPoint
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.config.protocols.modbus_status import ModbusStatus
from edge_agent.config.status_words import StatusProfile
from edge_agent.config.vocabulary import ClassWord, PhaseWord
from edge_agent.simulator.plant import Indication

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
# The parameters that the gas analyzer measures: what its phase and its failure are about.
GASES: Final = frozenset({"NOx", "SO2", "CO", "O2", "CO2"})


def registers(profile: ModbusProfile, indication: Indication) -> Words:
    """Return every register and bit of the profile's points and status words at one moment.

    Raises:
        ValueError: the profile leaves open how it is to be read.

    """
    words: Words = {}
    for point in profile.points.values():
        first = pdu_address(profile, point.address)
        value = indication.values.get(point.parameter or "", 0.0)
        for offset, word in enumerate(encoded(point, profile.modbus.word_order, value)):
            words[point.table, first + offset] = word
    gas_words = {p.status for p in profile.points.values() if p.parameter in GASES}
    for name, status in profile.status.items():
        word = status_word(status, indication if name in gas_words else None)
        for table, printed, bits in spread(status, word):
            place = table, pdu_address(profile, printed)
            words[place] = words.get(place, 0) | bits
    return words


def spread(status: ModbusStatus, word: int) -> Iterator[tuple[Table, int, int]]:
    """Yield table, printed address and bits of everything that a status word is made of."""
    if status.table is not None and status.address is not None:
        for index in range(status.registers):  # the most significant first
            shift = 16 * (status.registers - 1 - index)
            yield status.table, status.address + index, word >> shift & 0xFFFF
    for part in status.parts:
        bits = word >> part.at & (1 << part.width) - 1
        if part.table in BIT_TABLES:
            for index in range(part.width):
                yield part.table, part.address + index, bits >> index & 1
        else:
            yield part.table, part.address, bits << part.bit


def pdu_address(profile: ModbusProfile, printed: int) -> int:
    """Return the address of the protocol, from 0, of one that the document prints.

    Raises:
        ValueError: the profile says neither zero-based, one-based nor modicon.

    """
    match profile.modbus.addressing:
        case Addressing.ZERO_BASED:
            return printed
        case Addressing.ONE_BASED:
            return printed - 1
        case Addressing.MODICON:
            # Five or six digits, the first of which is the table.
            return printed % (100_000 if printed > 99_999 else 10_000) - 1
        case Addressing.UNKNOWN:
            raise ValueError(f"{profile.id}: addressing is unknown, nothing can be served")


def encoded(point: ModbusPoint, order: WordOrder, value: float) -> tuple[int, ...]:
    """Return the registers of a value, or its bit; beyond the type it stops at the type's end."""
    if point.raw_type.startswith(("bool", "bit")):
        bit = int(value != 0)
        return (bit << int(point.raw_type[3:] or 0) if point.raw_type != "bool" else bit,)
    unscaled = (Decimal(repr(value)) - point.offset) / point.scale
    if point.raw_type.startswith("float"):
        packed = struct.pack(LAYOUTS[point.raw_type], float(unscaled))
    else:
        size_bits = int(point.raw_type.removeprefix("u").removeprefix("int"))
        is_signed = point.raw_type.startswith("int")
        low, high = (
            (-(1 << size_bits - 1), (1 << size_bits - 1) - 1)
            if is_signed
            else (0, (1 << size_bits) - 1)
        )
        whole = int(unscaled.to_integral_value(ROUND_HALF_EVEN))
        packed = struct.pack(LAYOUTS[point.raw_type], min(high, max(low, whole)))
    words = struct.unpack(f">{len(packed) // 2}H", packed)
    return tuple(_reordered(words, order))


def _reordered(words: tuple[int, ...], order: WordOrder) -> Iterator[int]:
    """Yield words, most significant first, as a device of that order holds them."""
    if order is WordOrder.UNKNOWN:
        raise ValueError("word order is unknown, nothing can be served")
    for word in reversed(words) if order in (WordOrder.CDAB, WordOrder.DCBA) else words:
        is_swapped = order in (WordOrder.BADC, WordOrder.DCBA)
        yield (word & 0xFF) << 8 | word >> 8 if is_swapped else word


def status_word(status: StatusProfile, indication: Indication | None) -> int:
    """Return the word that says measuring and good, or what the indication of its device says."""
    phase = PhaseWord(indication.phase) if indication else PhaseWord.MEASURING
    numbers: Mapping[str, PhaseWord] = {key: m.phase for key, m in status.enum.items()}
    word = next((int(key, 0) for key, p in numbers.items() if p is phase), 0)
    word <<= status.enum_first_bit
    for key in status.clear_bits:
        word |= 1 << int(key, 0)
    is_failure = indication is not None and indication.has_failed
    for key, meaning in status.bits.items():
        is_phase = meaning.phase is phase is not PhaseWord.MEASURING
        if is_phase or (is_failure and meaning.class_ is ClassWord.FAILURE):
            word |= 1 << int(key, 0)
            is_failure = is_failure and is_phase  # one bit is enough to say so
    return word
