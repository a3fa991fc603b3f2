"""The values of asyncua as words and times: the one place that takes its objects apart.

Most values are good and floating-point: those take the short way.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

import numpy as np
from asyncua import ua

from edge_agent.drivers.opcua_values import Word, double, single, word_of
from edge_agent.wire.vocabulary import Int64Array

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
NS_PER_US: Final = 1_000
# A raw type that has one built-in type, which Python has as a float: that type, and its bits.
SHORT: Final[Mapping[str, tuple[ua.VariantType, Callable[[float], int]]]] = MappingProxyType(
    {"float32": (ua.VariantType.Float, single), "float64": (ua.VariantType.Double, double)}
)


def word(raw_type: str, answer: ua.DataValue) -> Word:
    """Return a value as it goes into a scan."""
    code, variant = answer.StatusCode, answer.Value
    status = 0 if code is None else code.value
    value = None if variant is None else variant.Value
    if variant is not None and not status and type(value) is float and raw_type in SHORT:
        kind, bits = SHORT[raw_type]
        if variant.VariantType is kind:
            return Word(bits(value), 0, 0)
    if variant is None or not isinstance(value, (bool, int, float)):
        return word_of(raw_type, None, None, status)
    return word_of(raw_type, variant.VariantType.name, value, status)


def source_times(values: Sequence[ua.DataValue]) -> Int64Array:
    """Return source timestamps, UTC nanoseconds; 0 where there is none; shape (n,)."""
    times = np.zeros(len(values), np.int64)
    before: datetime | None = None
    at_ns = 0
    for index, value in enumerate(values):
        said: datetime | None = value.SourceTimestamp
        if said is None:
            continue
        # What was sampled together bears one time.
        if said != before:
            before, at = said, said if said.tzinfo is not None else said.replace(tzinfo=UTC)
            at_ns = (at - EPOCH) // MICROSECOND * NS_PER_US
        times[index] = at_ns
    return times
