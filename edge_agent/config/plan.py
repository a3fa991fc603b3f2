"""The plan: everything the agent needs to run; `loading` makes it of files."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.config.columns import Point
from edge_agent.config.device import Device, Endpoint, StatusRule
from edge_agent.config.device_parts import Confirmation, Limits
from edge_agent.config.model import AgentFile
from edge_agent.config.problem import ConfigurationError, Problem
from edge_agent.config.vocabulary import Table
from edge_agent.wire.document import Document
from edge_agent.wire.vocabulary import Hash

__all__ = [
    "AgentFile",
    "ConfigurationError",
    "Confirmed",
    "Device",
    "Endpoint",
    "Limits",
    "Plan",
    "Point",
    "Problem",
    "StatusRule",
    "Table",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """Something that a technician stands for, of one device."""

    device: str
    said: Confirmation


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one run of the agent does.

    Attributes:
        settings: what agent.toml says; the files of the devices are in `devices`.
        devices: as the agent runs them.
        bundle: says all of it to the centre; every batch names it by its hash.
        profiles: the profile files in use, each once.
        confirmations: what technicians stand for in it.
        edition: names what the site wrote: the files of devices.d, and of profiles.d in use.
            Unlike the bundle it also changes with an address.
        stands_in_for: the edition that the files hold now, where this is the one before it
            because that one was rolled back.

    """

    settings: AgentFile
    devices: Sequence[Device]
    bundle: Document
    profiles: tuple[Document, ...]
    confirmations: tuple[Confirmed, ...] = ()
    edition: str = ""
    stands_in_for: str = ""

    @property
    def config_hash(self) -> Hash:
        """The hash by which batches name this configuration."""
        return self.bundle.digest
