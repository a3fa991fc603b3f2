"""DNP3, as the agent runs it: which point of an outstation holds a value, and how it is asked."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Self

from edge_agent.config.place import Place, Speech


class ObjectKind(StrEnum):
    """What a point is (IEEE 1815-2012, section 11.9): each kind counts its points from 0."""

    BINARY_INPUT = "binary_input"
    DOUBLE_BIT_INPUT = "double_bit_input"
    BINARY_OUTPUT = "binary_output"
    COUNTER = "counter"
    FROZEN_COUNTER = "frozen_counter"
    ANALOG_INPUT = "analog_input"
    ANALOG_OUTPUT = "analog_output"


class Events(StrEnum):
    """How the events of an outstation get here.

    polled: they are asked for when the outstation says that it has some.
    unsolicited: it is told to send them by itself.
    none: only present values are read.
    """

    POLLED = "polled"
    UNSOLICITED = "unsolicited"
    NONE = "none"


class WithoutFlags(StrEnum):
    """What a value that comes without its flags is taken for."""

    GOOD = "good"
    OUT_OF_SPECIFICATION = "out_of_specification"


class Backend(StrEnum):
    """The library that carries DNP3."""

    DNP3PY = "dnp3py"
    PYDNP3 = "pydnp3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Place(Place):
    """One point of an outstation."""

    kind: ObjectKind
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What an encrypted connection needs: whom to trust, and who we are."""

    ca_file: Path
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnp3Speech(Speech):
    """How an outstation is spoken to.

    Attributes:
        address: of the outstation.
        master_address: ours.
        events: how its events get here.
        may_set_time: whether its clock is set when it asks for that.
        time_ahead_s: so far may the time of an event be ahead of our clock.
        time_behind_s: so old may an event be.
        without_flags: what a value without flags is taken for.
        tls: of an encrypted connection; None: it is not encrypted.
        backend: the library that carries it.
        is_visitor: whether somebody else reads the outstation, whose events and reports these are.

    """

    address: int
    master_address: int = 1
    events: Events = Events.POLLED
    may_set_time: bool = False
    time_ahead_s: float = 2.0
    time_behind_s: float = 86_400.0
    without_flags: WithoutFlags = WithoutFlags.GOOD
    tls: Tls | None = None
    backend: Backend = Backend.DNP3PY
    is_visitor: bool = False

    def visiting(self) -> Self:
        """Return how to read present values, and to leave everything else as it is."""
        return replace(self, events=Events.NONE, may_set_time=False, is_visitor=True)
