"""Test vectors of a profile, run through what the agent itself decodes, calculates and judges with.

The decoder is given by who calls, because drivers stand above this package.
"""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np

from edge_agent.config.device import Device
from edge_agent.config.library import LoadedProfile
from edge_agent.config.model import ChannelSettings, DeviceSettings
from edge_agent.config.profile import Expectation, TestVector
from edge_agent.config.resolve import address_of, device_of
from edge_agent.config.vocabulary import ClassWord, PhaseWord, Table
from edge_agent.quality.judge import Judge
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Readings, Scan
from edge_agent.wire.vocabulary import Int64Array, Phase, QualityClass, Reason, UInt32Array

# Table and address on the wire -> register, or bit.
Memory: TypeAlias = Mapping[tuple[Table, int], int]
# Raw words and status words of a device's points, in their order, out of its memory.
Decode: TypeAlias = Callable[[Device, Memory], tuple[Int64Array, UInt32Array]]

NOWHERE: Final = "tcp://127.0.0.1:502"
# What the gateway adds by itself; a profile says only what the device means.
OURS: Final = int(Reason.JUDGED | Reason.NO_FLAGS)


def vector_faults(loaded: LoadedProfile, decode: Decode) -> tuple[str, ...]:
    """Return every value and quality of a profile's test vectors that comes out otherwise."""
    return tuple(
        f"test vector '{vector.name}': {fault}"
        for vector in loaded.profile.test_vectors
        for fault in _faults(loaded, vector, decode)
    )


def answer(memory: Memory, table: Table, first: int, count: int) -> bytes:
    """Return what a device with this memory answers; what it does not hold is 0.

    Registers have the most significant byte first, bits are packed with the first in bit 0 (Modbus
    Application Protocol V1.1b3, sections 6.1 to 6.4).
    """
    words = [memory.get((table, first + offset), 0) for offset in range(count)]
    if table in (Table.COIL, Table.DISCRETE):
        return np.packbits(np.array(words, dtype=np.uint8), bitorder="little").tobytes()
    return np.array(words, dtype=">u2").tobytes()


def _faults(loaded: LoadedProfile, vector: TestVector, decode: Decode) -> Iterator[str]:
    device = _device(loaded, vector)
    memory = dict(_memory(loaded, vector))
    raw, status = decode(device, memory)
    scan = Scan(
        device=device.name,
        at_ns=0,
        mono_ns=0,
        channel=np.array([row.channel for row in device.channels], dtype=np.uint32),
        raw=raw,
        status=status,
        transport=np.zeros(len(device.channels), dtype=np.uint32),
    )
    readings = Judge(device, simulated=False).judge(scan).readings
    values = dict(zip(sorted(vector.expect), _values(device, readings), strict=True))
    said = [quality & ~OURS for quality in readings.quality.tolist()]
    qualities = dict(zip(sorted(vector.expect), said, strict=True))
    for point, expected in vector.expect.items():
        if values[point] != expected.value:
            yield f"{point} is {values[point]}, expected {expected.value}"
        if qualities[point] != _quality(expected):
            yield f"{point} is {_words(qualities[point])}, expected {_words(_quality(expected))}"


def _device(loaded: LoadedProfile, vector: TestVector) -> Device:
    """Return a device of the profile with the points that the vector expects something of."""
    channels = tuple(
        ChannelSettings(number=number, point=point, name=point)
        for number, point in enumerate(sorted(vector.expect), 1)
    )
    settings = DeviceSettings(
        name="trial",
        profile=loaded.profile.id,
        endpoint=NOWHERE,
        addressing=vector.addressing,
        word_order=vector.word_order,
        channels=channels,
    )
    return device_of(settings, loaded, facility="trial")


def _memory(loaded: LoadedProfile, vector: TestVector) -> Iterator[tuple[tuple[Table, int], int]]:
    addressing = vector.addressing or loaded.profile.modbus.addressing
    for table, runs in vector.registers.items():
        for printed, words in runs.items():
            first = address_of(table, int(printed, 0), addressing)
            for offset, word in enumerate(words):
                yield (table, first + offset), word


def _values(device: Device, readings: Readings) -> Iterator[Decimal | None]:
    integers, is_number = Scaling(device.channels).integers(readings.raw)
    for row, integer, has in zip(device.channels, integers.tolist(), is_number, strict=True):
        yield Decimal(row.resolution) * integer if has else None


def _quality(expected: Expectation) -> int:
    quality = QualityClass[expected.class_.name] | Phase[expected.phase.name] << 4
    for reason in expected.reasons:
        quality |= Reason[reason.name]
    if expected.value is None:
        quality |= Reason.NOT_A_NUMBER
    return int(quality)


def _words(quality: int) -> str:
    reasons = [reason.name.lower() for reason in Reason if quality & reason and reason.name]
    words = [ClassWord[QualityClass(quality & 7).name], PhaseWord[Phase(quality >> 4 & 15).name]]
    return ", ".join([*words, *reasons])
