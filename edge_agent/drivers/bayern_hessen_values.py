"""Which value of a Bayern-Hessen answer belongs to which point. Pure."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_agent.config.place import Place
from edge_agent.config.protocols.bayern_hessen import Value
from edge_agent.drivers.bayern_hessen_frames import Reported
from edge_agent.wire.vocabulary import NO_VALUE, Int64Array, QualityClass, Reason, UInt32Array

# The instrument does not report this gas.
NOT_REPORTED: Final = int(QualityClass.FAILURE | NO_VALUE | Reason.REFUSED)


def words_of(
    places: Sequence[Place], values: Sequence[Reported]
) -> tuple[Int64Array, UInt32Array, UInt32Array]:
    """Return raw, status and transport of points; shape (points,) each.

    Raises:
        TypeError: a place is of another protocol.

    """
    found = [_value_of(place, values) for place in places]
    return (
        np.array([0 if one is None else one.raw for one in found], np.int64),
        np.array([0 if one is None else one.status for one in found], np.uint32),
        np.array([NOT_REPORTED if one is None else 0 for one in found], np.uint32),
    )


def _value_of(place: Place, values: Sequence[Reported]) -> Reported | None:
    if not isinstance(place, Value):
        raise TypeError(f"{type(place).__name__} is no value of a Bayern-Hessen answer")
    if place.gas_id is None:
        return values[place.number - 1] if place.number <= len(values) else None
    of_gas = [value for value in values if value.gas_id == place.gas_id]
    # Two values of one gas cannot be told apart.
    return of_gas[0] if len(of_gas) == 1 else None
