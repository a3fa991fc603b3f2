"""What a device's file says that the running agent knows as well: limits and confirmations.

Apart from `device_model`, so that the agent does not load the settings of every protocol.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from edge_agent.config.constraint import Matching, Within, fault, field_faults, refuse
from edge_agent.config.vocabulary import ConfirmedKey

# docs/wire-format.md section 3: the channel of a row is a u32 and 0 is never used.
HIGHEST_CHANNEL = 2**32 - 1

Name = Annotated[
    str,
    Matching(
        r"[^\x00-\x20\x7f]([^\x00-\x1f\x7f]{0,62}[^\x00-\x20\x7f])?",
        "1 to 64 characters without a space at either end",
    ),
]
FacilityId = Annotated[
    str, Matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "1 to 64 letters, digits, '.', '_' or '-'")
]
PositiveSeconds = Annotated[float, Within(0.001, 31_536_000.0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a reading of a channel is judged, in the channel's unit of measure; None: not judged.

    Attributes:
        low: a reading below is out of specification. Default: the profile's.
        high: a reading above is out of specification. Default: the profile's.
        max_rate_per_s: a faster change from one reading to the next is a spike.
        stuck_after_s: a reading that has not changed for so long is stuck.
        gap_after_s: the first reading after so long a silence is marked so.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    max_rate_per_s: Decimal | None = None
    stuck_after_s: PositiveSeconds | None = None
    gap_after_s: PositiveSeconds = 900.0  # 15 minutes, docs/configuration.md

    def __post_init__(self) -> None:
        """Refuse limits that cannot be passed or that contradict one another."""
        low, high, rate = self.low, self.high, self.max_rate_per_s
        refuse(
            *field_faults(self),
            fault(
                "low",
                f"low {low} is not below high {high}",
                "write low below high",
                when=low is not None and high is not None and not low < high,
            ),
            fault(
                "max_rate_per_s",
                f"{rate} is not above 0",
                "write a rate above 0, or leave the key out to not judge changes",
                when=rate is not None and not rate > 0,
            ),
        )


# Of a channel whose file says nothing of them.
USUAL_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAvailable:
    """Numbers by which a device says that there is none, in the unit of measure of the point.

    Attributes:
        values: exactly these.
        below: everything below.
        above: everything above.
    """

    values: tuple[Decimal, ...] = ()
    below: Decimal | None = None
    above: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what means nothing, or leaves no number that means one."""
        below, above = self.below, self.above
        refuse(
            fault(
                "values",
                "no number is named",
                "write values, below or above",
                when=not self.values and below is None and above is None,
            ),
            fault(
                "below",
                f"below {below} and above {above} leave nothing between",
                "write below below above",
                when=below is not None and above is not None and not below < above,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """Something that a technician looked at, and stands for with a name.

    Attributes:
        what: the key that was confirmed: unit_of_measure, word_order, addressing or parameter; or
            reading: the front panel showed the value that the gateway read.
        channels: the numbers of the channels it is about; empty: the whole device.
        who: who confirmed it.
        at: when, such as 2026-11-20T10:12:00Z.
        how: how it was found, such as what the front panel showed.
    """

    what: ConfirmedKey
    channels: tuple[Annotated[int, Within(1, HIGHEST_CHANNEL)], ...] = ()
    who: Name
    at: Annotated[
        str,
        Matching(
            r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z",
            "a time in UTC such as 2026-11-20T10:12:00Z",
        ),
    ]
    how: Name

    def __post_init__(self) -> None:
        """Refuse what a single field must not hold."""
        refuse(*field_faults(self))
