"""Sparkplug B, as the agent runs it: which metric of which edge node a channel is."""

from dataclasses import dataclass, replace
from typing import Self

from edge_agent.config.place import Place, Speech
from edge_agent.config.protocols.mqtt import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(Place):
    """A metric by its name, or a property of it.

    Attributes:
        device: the Sparkplug device; empty: a metric of the edge node itself.
        name: as the birth certificate says it.
        property: empty: the value; else the name of one of its properties, as `Quality`.
    """

    device: str
    name: str
    property: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkplugSpeech(Speech):
    """How one edge node is heard.

    Attributes:
        login: how the agent presents itself to the broker.
        group: group id.
        node: edge node id.
        may_request_rebirth: whether the agent may publish the command `Node Control/Rebirth`, the
            only thing that it ever publishes.
        trusts_time: whether historical values are taken at the times of their metrics.
    """

    login: Login
    group: str
    node: str
    may_request_rebirth: bool = False
    trusts_time: bool = True

    def visiting(self) -> Self:
        """Return how to hear the node in a session of its own."""
        return replace(self, login=self.login.visiting())
