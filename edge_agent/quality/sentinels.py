"""Numbers by which a device says that there is none; pure."""

from decimal import Decimal
from typing import Final, NamedTuple, Self

import numpy as np

from edge_agent.config.device import Device
from edge_agent.quality import checks
from edge_agent.wire.vocabulary import BoolArray, Int64Array


class _Numbers(NamedTuple):
    """As `NotAvailable`, but there may be none."""

    values: tuple[Decimal, ...] = ()
    below: Decimal | None = None
    above: Decimal | None = None


NONE: Final = _Numbers()


class Sentinels:
    """The sentinels of the channels of one device, in steps of their resolutions."""

    def __init__(self, device: Device) -> None:
        """Take the sentinels of a device that has some."""
        steps = [Decimal(row.resolution) for row in device.channels]
        found = [one or NONE for one in device.not_available]
        named = [one.values for one in found]
        self._lower = checks.lower_limits([one.below for one in found], steps)
        self._upper = checks.upper_limits([one.above for one in found], steps)
        most = max(map(len, named))
        # One row per sentinel; a channel that has fewer has some that no number reaches.
        self._values = np.full((most, len(steps)), checks.NEVER, dtype=np.int64)
        for index, values in enumerate(named):
            exact = checks.lower_limits(values, [steps[index]] * len(values))
            self._values[: len(exact), index] = exact

    @classmethod
    def of(cls, device: Device) -> Self | None:
        """Return the sentinels of a device; None where no channel has any."""
        return cls(device) if device.not_available else None

    def among(self, integers: Int64Array) -> BoolArray:
        """Return where a number says that there is none; shape (n,).

        Args:
            integers: the values, in steps of each channel's resolution; shape (n,).

        """
        is_one: BoolArray = checks.below(integers, self._lower)
        is_one |= checks.above(integers, self._upper)
        is_one |= (self._values == integers).any(axis=0)
        return is_one
