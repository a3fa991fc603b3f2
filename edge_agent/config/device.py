"""A device as the agent runs it: its profile and its settings made one, addresses as on the wire.

Pure values, made by `resolve`; what is here has been checked and needs no second look.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.config.columns import Point
from edge_agent.config.endpoint import Endpoint
from edge_agent.config.model import Limits
from edge_agent.config.place import IdentityCheck, Place, Speech
from edge_agent.config.vocabulary import Table
from edge_agent.wire.bundle import ChannelRow

__all__ = [
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
class Device:
    """One device: points, channels, limits and status rules stand in the same, rising order.

    `identity` is what its driver asks after connecting and before the first reading.
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
