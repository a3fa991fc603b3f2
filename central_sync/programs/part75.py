"""What 40 CFR Part 75 asks of the average of one hour: is it valid, and how is it reported.

Only this step: nothing is substituted, converted or bias-adjusted here
(docs/calculations.md section 5).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from central_sync.calc.clock_hours import QUADRANT_NS
from central_sync.calc.hourly import Hours
from edge_agent.wire.vocabulary import BoolArray, Phase

SMALLEST_SPREAD_NS: Final = QUADRANT_NS
"""Two readings this far apart make an hour with calibration or maintenance valid:
15 minutes (40 CFR 75.10(d)(1), not seen verbatim; Minn. R. 7017.1160, subp. 2, B)."""

CHECK_PHASES: Final = (
    Phase.ZERO_CHECK,
    Phase.SPAN_CHECK,
    Phase.OTHER_CHECK_GAS,
    Phase.MAINTENANCE,
)
"""Phases that are calibration, quality assurance or preventive maintenance. A purge, a warm-up
and standby are not, and an unknown phase excuses nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """How the hourly value of one parameter code is reported."""

    unit_of_measure: str
    quantum: Decimal


REPORTED: Final[Mapping[str, Reported]] = MappingProxyType(
    {
        # EPA ECMPS emissions import format: adjustedHourlyValue of monitorHourlyValueData;
        # FLOW also check HOURMHV22 of EPA's check engine.
        "SO2C": Reported(unit_of_measure="ppm", quantum=Decimal("0.1")),
        "NOXC": Reported(unit_of_measure="ppm", quantum=Decimal("0.1")),
        "CO2C": Reported(unit_of_measure="%", quantum=Decimal("0.1")),
        "O2C": Reported(unit_of_measure="%", quantum=Decimal("0.1")),
        "H2O": Reported(unit_of_measure="%", quantum=Decimal("0.1")),
        "FLOW": Reported(unit_of_measure="scfh", quantum=Decimal("1E+3")),
    }
)


def is_valid(hours: Hours) -> BoolArray:
    """Return which hours have a valid average; shape (cells,).

    Source: 40 CFR 75.10(d)(1), not seen verbatim; docs/calculations.md section 5.
    """
    operates = hours.operating_minutes > 0
    every_quadrant = ((hours.used > 0) | ~operates).all(axis=1)
    apart = hours.last_ns - hours.first_ns >= SMALLEST_SPREAD_NS
    excused = (hours.checks > 0) & apart
    # `all` of no quadrant is true: a unit that did not operate has no average.
    valid: BoolArray = operates.any(axis=1) & hours.is_exact & (every_quadrant | excused)
    return valid
