"""Where a value is and how its device is asked: every protocol says that in its own words.

Only the common names; each protocol has its own kinds in `edge_agent.config.protocols`, and its
driver narrows to them.
"""

from dataclasses import dataclass
from typing import Self


class Place:
    """Where one value, or one status word, is on a device: frozen, hashable, and small."""

    __slots__ = ()


class Speech:
    """How one device is spoken to: what its driver needs beside the endpoint."""

    __slots__ = ()

    def visiting(self) -> Self:
        """Return how to look at the device once, beside an agent that goes on reading it."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a point is on one device, once everything about that device is known.

    Attributes:
        place: of its raw word.
        status: of the status word that goes with it, where the driver has to fetch one; None where
            there is none, or where the protocol sends it along.
        status_source: what the channel table says of the status word; None: the channel has none.
        word_order: of the channel table; "" where there is nothing to order.

    """

    place: Place
    status: Place | None = None
    status_source: str | None = None
    word_order: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityCheck:
    """Something that a device must say of itself before its readings are taken.

    Attributes:
        place: where it is said.
        raw_type: how it is coded: a raw type of a channel, or `text`.
        word_order: as of a channel.
        accepted: what may be there, whole numbers or texts; anything else is refused.
        meaning: what this is about, in words for a technician.

    """

    place: Place
    raw_type: str
    word_order: str = ""
    accepted: tuple[int | str, ...]
    meaning: str
