"""What the readings of a device are judged by: arrays that devices of one kind share.

Nothing here changes after it was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

import numpy as np

from edge_agent.config.columns import Channels
from edge_agent.config.device_parts import Limits
from edge_agent.quality import checks
from edge_agent.wire.bundle import ChannelFacts, ChannelRow
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.vocabulary import Int64Array, Reason, UInt32Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Criteria:
    """Limits and coding of n channels; every array has shape (n,).

    Attributes:
        scaling: raw words to integers, in steps of each channel's resolution.
        lower: the least integer that is not below the limit.
        upper: the greatest integer that is not above the limit.
        rate: the greatest change, in steps per second.
        stuck_ns: after so long a standstill a reading is stuck.
        gap_ns: after so long a silence a reading is the first after a gap.
        always: quality bits of every reading.

    """

    scaling: Scaling
    lower: Int64Array
    upper: Int64Array
    rate: checks.FloatArray
    stuck_ns: Int64Array
    gap_ns: Int64Array
    always: UInt32Array


def criteria_of(
    channels: Sequence[ChannelRow], limits: tuple[Limits, ...], *, simulated: bool
) -> Criteria:
    """Return the criteria of a device's channels; one object for all that agree."""
    facts = channels.facts if isinstance(channels, Channels) else tuple(channels)
    return _criteria(facts, limits, simulated)


@lru_cache(maxsize=256)
def _criteria(
    facts: tuple[ChannelFacts, ...] | tuple[ChannelRow, ...],
    limits: tuple[Limits, ...],
    simulated: bool,  # noqa: FBT001 - a cache tells no keywords
) -> Criteria:
    steps = [Decimal(row.resolution) for row in facts]
    always = Reason.JUDGED | (Reason.SIMULATED if simulated else Reason(0))
    criteria = Criteria(
        scaling=Scaling(facts),
        lower=checks.lower_limits([limit.low for limit in limits], steps),
        upper=checks.upper_limits([limit.high for limit in limits], steps),
        rate=checks.rates([limit.max_rate_per_s for limit in limits], steps),
        stuck_ns=checks.durations([limit.stuck_after_s for limit in limits]),
        gap_ns=checks.durations([limit.gap_after_s for limit in limits]),
        # Modbus carries no flags: without a status word a channel says nothing of its health.
        always=np.array(
            [
                always if row.status_source is not None else always | Reason.NO_FLAGS
                for row in facts
            ],
            dtype=np.uint32,
        ),
    )
    criteria.always.flags.writeable = False
    return criteria
