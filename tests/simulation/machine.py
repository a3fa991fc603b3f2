"""What a simulated gateway is made of, as values: its disk, images of it, and its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from uuid import UUID

    from edge_agent.buffer.records import Boot, Held
    from edge_agent.buffer.retention import Run, Span
    from edge_agent.uplink.state import Trust
    from edge_agent.wire.batch import Origin, SignedBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One batch on a disk; `is_damaged`: its body is no longer what was signed."""

    batch: SignedBatch
    held: Held
    is_damaged: bool = False


@dataclass(slots=True)
class Disk:
    """All that survives a crash; copying it makes an image."""

    batches: dict[int, Sealed] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    chains: dict[UUID, int] = field(default_factory=dict)
    emptied: tuple[Span, ...] = ()
    gone: tuple[Span, ...] = ()

    def image(self) -> Disk:
        """Return a copy."""
        return replace(self, batches=dict(self.batches), chains=dict(self.chains))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A copy of a machine: its disk, and which boot it was in."""

    disk: Disk
    boot: Boot
    boot_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What gateways of one world share: who they are, what time it is, and chance."""

    origin: Origin
    trust: Trust
    rng: Random
    now_ns: Callable[[], int]
    serial: Callable[[], int]
    sends_proof: bool = True
    """False plays a gateway that forgets to show receipts."""
    tells_losses: bool = True
    """False plays a gateway that gives up readings without a word."""
