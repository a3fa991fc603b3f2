"""A device as the agent runs it: its profile and its settings made one, addresses as on the wire.

Pure values, made by `resolve`; what is here has been checked and needs no second look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from edge_agent.config.columns import Point
from edge_agent.config.device_parts import Limits, NotAvailable
from edge_agent.config.endpoint import Endpoint
from edge_agent.config.place import IdentityCheck, Place, Speech
from edge_agent.config.vocabulary import Table
from edge_agent.wire.bundle import ChannelRow

__all__ = [
    "Calibration",
    "Device",
    "Endpoint",
    "IdentityCheck",
    "Place",
    "Point",
    "Speech",
    "StatusRule",
    "Table",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRule:
    """A status word with (status & mask) == value adds these quality bits.

    The rule that is otherwise adds them when no other rule with its mask matches; its value says
    nothing.
    """

    mask: int
    value: int
    quality: int
    is_otherwise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What is known of the zero and span checks of a measurement.

    The device itself may tell what a check gave, or should give: an index names its channel that
    says so, among the channels of the device.

    Attributes:
        index: of the channel, among those of the device.
        span: calibrated span, in the channel's unit of measure; None: not known.
        zero_reference: what the zero check should give.
        span_reference: what the span check should give; None: not known.
        zero_reading_index: whose value the zero check gave; None: the channel's own last one.
        span_reading_index: the same for the span check.
        zero_reference_index: whose value the zero check should give; None: zero_reference.
        span_reference_index: the same for the span check.

    """

    index: int
    span: Decimal | None = None
    zero_reference: Decimal = Decimal(0)
    span_reference: Decimal | None = None
    zero_reading_index: int | None = None
    span_reading_index: int | None = None
    zero_reference_index: int | None = None
    span_reference_index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One device: points, channels, limits and status rules stand in the same, rising order.

    `identity` is what its driver asks after connecting and before the first reading;
    `calibrations` are of the channels that can be in a check, by rising index; `not_available` is
    empty where no channel has any.
    """

    name: str
    protocol: str = "modbus"
    endpoint: Endpoint
    speech: Speech
    period_s: float
    timeout_s: float
    points: Sequence[Point]
    channels: Sequence[ChannelRow]
    limits: tuple[Limits, ...]
    status_rules: tuple[tuple[StatusRule, ...], ...]
    identity: tuple[IdentityCheck, ...] = ()
    calibrations: tuple[Calibration, ...] = ()
    not_available: tuple[NotAvailable | None, ...] = ()
