"""In which minutes of an hour a unit burned fuel (docs/calculations.md section 2)."""

from enum import StrEnum

import numpy as np

from central_sync.calc.clock_hours import MINUTES
from edge_agent.wire.vocabulary import BoolArray


class OperatingSource(StrEnum):
    """Who says when the unit operated."""

    CHANNEL = "channel"
    ASSUMED = "assumed"


def operating_by_channel(
    spoken: BoolArray, burning: BoolArray, *, passed_minutes: int, line_begins_here: bool
) -> BoolArray:
    """Return the operating minutes of an hour in which the operating channel spoke.

    Args:
        spoken: minutes with a usable reading of the operating channel; shape (60,).
        burning: minutes in which one of them says that fuel burns; shape (60,).
        passed_minutes: minutes of the hour that are known yet, 0 to 60.
        line_begins_here: the gateway's first row is in this hour: nobody measured before.

    Returns:
        Shape (60,). A silent minute takes the last word before it, or else the first word after.

    Raises:
        ValueError: the channel never spoke.

    """
    if not spoken.any():
        raise ValueError("an operating channel that never spoke says nothing about the hour")
    minute = np.arange(MINUTES)
    first = int(np.argmax(spoken))
    last_word = np.maximum.accumulate(np.where(spoken, minute, first))
    operating = burning[last_word]
    if line_begins_here:
        operating &= minute >= first
    return operating & (minute < passed_minutes)


def operating_assumed(has_rows: BoolArray, *, passed_minutes: int) -> BoolArray:
    """Return the minutes with any row of the unit, as far as the hour has passed; shape (60,)."""
    return has_rows & (np.arange(MINUTES) < passed_minutes)
