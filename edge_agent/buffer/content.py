"""What was found in a buffer's file: all of it good, or damaged. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from edge_agent.buffer.records import Head, Held
from edge_agent.buffer.retention import Run, Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over the batches without a receipt; `size_bytes` is that of their frames."""

    batches: int = 0
    readings: int = 0
    size_bytes: int = 0

    def plus(self, held: Held, *, sign: int = 1) -> "Tally":
        """Return the sums with one batch more, or less with sign -1."""
        return Tally(
            batches=self.batches + sign,
            readings=self.readings + sign * held.readings,
            size_bytes=self.size_bytes + sign * held.size,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intact:
    """A buffer that was verified; `head` is None before its first batch.

    `emptied` are the positions whose readings were given up, `gone` those of them whose batch is
    gone altogether, `salvaged` those given to batches of damaged files. Below `verified_from` a
    batch without a receipt was not verified whole: it is, before it leaves.
    """

    head: Head | None = None
    runs: tuple[Run, ...] = ()
    salvaged: tuple[Span, ...] = ()
    verified_from: int = 0
    chains: Mapping[UUID, int]
    unreceipted: Tally = Tally()
    emptied: tuple[Span, ...] = ()
    gone: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A buffer that must not be written to again; `last` is its newest batch that verifies."""

    what: str
    last: Head | None
