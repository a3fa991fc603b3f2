"""What is known of a gateway's clock around one batch: batches whose clock was trusted."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A batch whose clock was trusted: at `mono_ns` it was `wall_ns`, give or take `error_ns`."""

    chain_id: UUID
    batch_no: int
    batch_hash: Hash
    mono_ns: int
    wall_ns: int
    error_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The anchors next to a batch: last before and first behind it in its boot.

    Where its boot has none: the newest of an earlier boot, and the first of a later one.
    """

    before: Anchor | None = None
    after: Anchor | None = None
    earlier: Anchor | None = None
    later: Anchor | None = None


NOTHING_AROUND: Final = Around()
