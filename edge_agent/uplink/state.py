"""What the uplink remembers and decides on, as values: state, request, outcome. No behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from edge_agent.uplink.answer import Place, Wanted
    from edge_agent.uplink.held import Held
    from edge_agent.wire.frame import FrameFlag
    from edge_agent.wire.receipt import Receipt
    from edge_agent.wire.signing import VerifyingKey
    from edge_agent.wire.vocabulary import Hash

# docs/wire-format.md section 12.
LARGEST_FRAMES: Final = 256
# The wire allows 8 MiB. Catching up is not faster with it, but takes 25 MB of memory instead of 9,
# and what is lost with a broken line is four times as much.
LARGEST_BYTES: Final = 2 * 1024 * 1024
# A line that loses a large request may carry a small one; below this, size is not the reason.
SMALLEST_BYTES: Final = 64 * 1024
# Batches asked for twice in one upload interval are not sent thrice; see `State.resent`.
MOST_RESENT: Final = 4096
# A centre that sends us back more often than this in one upload interval has to wait for us.
MOST_REWINDS: Final = 64
# So often is a batch sent whose own copy is good although the centre refuses it; then those
# behind it must not wait any longer.
MOST_BLAMES: Final = 3


class Alarm(StrEnum):
    """What a person must look at. The first group stays until the agent starts again."""

    FORK = auto()
    QUARANTINED = auto()
    RECEIPT_REFUSED = auto()
    OWN_COPY_DAMAGED = auto()
    GOOD_COPY_REFUSED = auto()

    HELD_FOR_KEY = auto()
    HELD_FOR_STATUS = auto()
    BATCH_REFUSED = auto()
    TOO_LARGE = auto()
    NOT_UNDERSTOOD = auto()


LASTING: Final = frozenset(
    {
        Alarm.FORK,
        Alarm.QUARANTINED,
        Alarm.RECEIPT_REFUSED,
        Alarm.OWN_COPY_DAMAGED,
        Alarm.GOOD_COPY_REFUSED,
    }
)


class Purpose(Enum):
    """Why a request is sent."""

    BACKLOG = auto()
    LIVE = auto()
    REWOUND = auto()
    AGAIN = auto()
    PROBE = auto()


class Pause(Enum):
    """When the next request may go."""

    NONE = auto()
    BACK_OFF = auto()
    HOLD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One batch in a request."""

    held: Held
    flags: FrameFlag


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One upload: its batches in order, at least one."""

    purpose: Purpose
    parts: tuple[Part, ...]
    proof: Receipt | None = None
    """Shows the centre what it has receipted already, where it may have been set back."""

    @property
    def size(self) -> int:
        """Bytes of all its frames."""
        return sum(part.held.size for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewind:
    """A chain is being sent again from a number on, because the centre lacks what is before."""

    expected: Place
    """What the centre asked for."""
    start: int
    """Number from which the chain is sent; at most the expected one at first, then rising."""
    refused: Held
    """The batch whose predecessor was missing at first."""
    behind: Held
    """The one whose predecessor is missing now: the expected batch is before it."""
    steps: int
    """How often the centre asked for something still earlier."""
    has_moved: bool = False
    """Whether something of it was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """How often in a row the centre refused this batch."""

    batch_hash: Hash
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the uplink remembers between exchanges. It may be lost: all of it is told again."""

    failures: int = 0
    """Exchanges in a row after which there was nothing to do but wait."""
    is_held: bool = False
    """Whether the centre refuses this gateway: only single batches are tried."""
    is_live_due: bool = True
    """Whether the newest batches go before the backlog in the next request."""
    live_head: Place | None = None
    """The newest batch that was sent before its turn."""
    rewind: Rewind | None = None
    proof: Receipt | None = None
    """The receipt that was given last."""
    again: tuple[Wanted, ...] = ()
    """What the last answer wanted once more."""
    resent: frozenset[Hash] = frozenset()
    """Sent again in this interval: a centre that keeps asking is answered once per interval."""
    sought: frozenset[Hash] = frozenset()
    """Wanted batches that were looked for: what is held below one that is gone is sent once, as
    nobody else would know that the centre lacks that too. At most MOST_RESENT."""
    holes: frozenset[Hash] = frozenset()
    """Batches whose predecessors this gateway no longer holds."""
    rewinds: int = 0
    """Rewinds begun in this interval; see MOST_REWINDS."""
    blamed: Blame | None = None
    withheld: frozenset[Hash] = frozenset()
    """Batches kept, not sent: the own copy is damaged, or the centre refuses a good one."""
    given_up: frozenset[Hash] = frozenset()
    """Batches that are gone, because their own copy was damaged."""
    forked: frozenset[UUID] = frozenset()
    """Chains that the centre holds a second line of."""
    is_plain: bool = False
    """Whether the centre does not take compressed requests."""
    budget_bytes: int = LARGEST_BYTES
    """Size of a request that the line carries; halves when an answer is missing."""
    ceiling_bytes: int = LARGEST_BYTES
    """Size of a request that the centre takes; halves when it says too large."""
    alarms: frozenset[Alarm] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose receipts count, and for whom."""

    gateway_id: UUID
    receipt_keys: Mapping[bytes, VerifyingKey]
    """By key id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an answer means."""

    state: State
    pause: Pause
    settle: tuple[Receipt, ...] = ()
    """Genuine receipts for batches of this request, each at most once."""
    wanted_bundles: tuple[Hash, ...] = ()
    examine: Held | None = None
    """The centre blames this batch: check our own copy and call `examined`."""
    give_up: Held | None = None
    """Our own copy of it is damaged: give its readings up and call `gave_up`."""
    forked: frozenset[UUID] = frozenset()
    """Chains found to be forked just now: if the present one is among them, another must begin."""
