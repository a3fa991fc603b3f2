"""Test vectors of a profile, run through what the agent itself decodes, calculates and judges with.

The decoder is given by who calls, because drivers stand above this package.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final, TypeAlias

import numpy as np

from edge_agent.config.device import Device
from edge_agent.config.device_model import ChannelSettings
from edge_agent.config.library import LoadedProfile
from edge_agent.config.profile import Expectation, Profile, TestVector
from edge_agent.config.resolve import device_of
from edge_agent.config.vocabulary import ClassWord, PhaseWord
from edge_agent.quality.judge import Judge
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import Readings, Scan
from edge_agent.wire.vocabulary import (
    NO_VALUE,
    Int64Array,
    Phase,
    QualityClass,
    Reason,
    UInt32Array,
)

# Raw words, status words and transport bits of a device's points, in their order, that its driver
# makes of what a test vector of its profile says; pure.
Decode: TypeAlias = Callable[
    [Device, Profile, TestVector], tuple[Int64Array, UInt32Array, UInt32Array]
]

# What the gateway adds by itself; a profile says only what the device means.
OURS: Final = int(Reason.JUDGED | Reason.NO_FLAGS)
# What says that there is no number; a vector says it by leaving the value out.
NO_NUMBER: Final = int(NO_VALUE | Reason.NOT_A_NUMBER)


def vector_faults(loaded: LoadedProfile, decode: Decode) -> tuple[str, ...]:
    """Return every value and quality of a profile's test vectors that comes out otherwise."""
    return tuple(
        f"test vector '{vector.name}': {fault}"
        for vector in loaded.profile.test_vectors
        for fault in _faults(loaded, vector, decode)
    )


def _faults(loaded: LoadedProfile, vector: TestVector, decode: Decode) -> Iterator[str]:
    device = _device(loaded, vector)
    try:
        raw, status, transport = decode(device, loaded.profile, vector)
    except ValueError as error:
        yield f"cannot be read: {error}"
        return
    scan = Scan(
        device=device.name,
        at_ns=0,
        mono_ns=0,
        channel=np.array([row.channel for row in device.channels], dtype=np.uint32),
        raw=raw,
        status=status,
        transport=transport,
    )
    readings = Judge(device, simulated=False).judge(scan).readings
    values = dict(zip(sorted(vector.expect), _values(device, readings), strict=True))
    said = [quality & ~(OURS | NO_NUMBER) for quality in readings.quality.tolist()]
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
    settings = loaded.profile.trial_settings(vector, channels)
    return device_of(settings, loaded, facility="trial")


def _values(device: Device, readings: Readings) -> Iterator[Decimal | None]:
    integers, is_number = Scaling(device.channels).integers(readings.raw)
    has_value = is_number & ((readings.quality & np.uint32(NO_NUMBER)) == 0)
    for row, integer, has in zip(device.channels, integers.tolist(), has_value, strict=True):
        yield Decimal(row.resolution) * integer if has else None


def _quality(expected: Expectation) -> int:
    quality = QualityClass[expected.class_.name] | Phase[expected.phase.name] << 4
    for reason in expected.reasons:
        quality |= Reason[reason.name]
    return int(quality)


def _words(quality: int) -> str:
    reasons = [reason.name.lower() for reason in Reason if quality & reason and reason.name]
    words = [ClassWord[QualityClass(quality & 7).name], PhaseWord[Phase(quality >> 4 & 15).name]]
    return ", ".join([*words, *reasons])
