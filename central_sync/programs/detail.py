"""What stands beside an hourly value: how it came about, and why there is none.

Kept as canonical JSON with the value and covered by its output hash.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Final, cast

from central_sync.calc.operating import OperatingSource
from edge_agent.wire.canonical import canonical, parse_canonical


class NoValue(StrEnum):
    """Why an hour has no valid average (docs/calculations.md sections 3 and 5)."""

    NOT_OPERATING = "not_operating"
    QUADRANT = "quadrant"
    UNIT_OF_MEASURE = "unit_of_measure"
    CHANGED = "changed"
    TOO_MANY = "too_many"
    MOVED = "moved"


IN_WORDS: Final = {
    NoValue.NOT_OPERATING: "the unit did not operate",
    NoValue.QUADRANT: "a quarter of the hour in which the unit operated has no usable reading",
    NoValue.UNIT_OF_MEASURE: "the channel is not in the unit of measure that its parameter code "
    "is reported in",
    NoValue.CHANGED: "the meaning of the channel changed within the hour",
    NoValue.MOVED: "the readings that it had are of other hours",
    NoValue.TOO_MANY: "there are more readings than are added up exactly",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How one hourly value came about.

    Attributes:
        unit: combustion unit, "" where the plan names none.
        system: monitoring system, "" where the plan names none.
        operating_source: who says when the unit operated.
        operating_minutes: minutes in which it did, by quadrant.
        used: readings used, by quadrant.
        checks: readings in a phase of calibration or maintenance.
        untrusted: readings stamped by a clock that was not trusted.
        corrected: readings whose time was set right.
        time_uncertain: a reading may belong to another hour, or one of another to this.
        resolution: of the exact sum, as a fraction or whole number, for instance `1/10`.
        quantum: what the value is rounded to, decimal text.
        no_value: why there is none; None where there is one.

    """

    unit: str
    system: str
    operating_source: OperatingSource
    operating_minutes: Sequence[int]
    used: Sequence[int]
    checks: int
    untrusted: int
    corrected: int
    time_uncertain: bool
    resolution: str
    quantum: str
    no_value: NoValue | None

    @property
    def text(self) -> str:
        """This, as it is kept."""
        return canonical(asdict(self)).decode()


def parse_detail(text: str) -> Detail:
    """Return the detail kept as this text.

    Raises:
        RefusedError: it is not canonical JSON.
        TypeError, ValueError: it was written by something else.

    """
    kept = parse_canonical(text.encode())
    why = kept.pop("no_value")
    source = kept.pop("operating_source")
    # Kernel 1 did not look at clocks.
    kept = {"corrected": 0, "time_uncertain": False, **kept}
    return Detail(
        # Written by `text` above and by nobody else: the types are those of the fields.
        **cast("dict[str, int]", kept),  # type: ignore[arg-type]
        operating_source=OperatingSource(cast("str", source)),
        no_value=None if why is None else NoValue(cast("str", why)),
    )
