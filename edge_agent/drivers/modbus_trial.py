"""Test vectors of Modbus profiles, run through the layout and the decoder of the driver."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from edge_agent.config.device import Device, Table
from edge_agent.config.profile import Profile, TestVector
from edge_agent.config.protocols.modbus_parts import ModbusVector
from edge_agent.config.protocols.modbus_profile import ModbusProfile
from edge_agent.drivers.blocks import BIT_TABLES
from edge_agent.drivers.registers import Decoder, Layout
from edge_agent.wire.vocabulary import Int64Array, UInt32Array

# Table and address on the wire -> register, or bit.
Memory: TypeAlias = Mapping[tuple[Table, int], int]


def decoded(
    device: Device, profile: Profile, vector: TestVector
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of a device that has the registers of a test vector.

    Raises:
        TypeError: profile or vector are not of Modbus.

    """
    if not isinstance(profile, ModbusProfile) or not isinstance(vector, ModbusVector):
        raise TypeError(f"{profile.id} is no profile of a Modbus device")
    memory = profile.memory(vector)
    decoder = Decoder(Layout.of(device))
    answers = [answer(memory, one.table, one.address, one.count) for one in decoder.layout.blocks]
    raw, status = decoder.words(answers)
    return raw, status, decoder.transport


def answer(memory: Memory, table: Table, first: int, count: int) -> bytes:
    """Return what a device with this memory answers; what it does not hold is 0.

    Registers have the most significant byte first, bits are packed with the first in bit 0 (Modbus
    Application Protocol V1.1b3, sections 6.1 to 6.4).
    """
    words = [memory.get((table, first + offset), 0) for offset in range(count)]
    if table in BIT_TABLES:
        return np.packbits(np.array(words, dtype=np.uint8), bitorder="little").tobytes()
    return np.array(words, dtype=">u2").tobytes()
