"""Batches older than a limit move into segments: written and read back first, forgotten after.

A kill at any moment leaves a batch in the store, in a segment or in both, never in neither.
"""

from dataclasses import dataclass
from typing import Final

from central_sync.store.port import NowNs, Store
from central_sync.store.segments import SegmentFolder

SEGMENT_BYTES: Final = 32 * 1024 * 1024
"""Bodies of one segment, about; also what sealing holds in memory."""

PATIENCE: Final = 2
"""A segment that is not full waits until its oldest batch is this many times as old as it must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Moves batches; blocks. `seal_after_ns`: how old a batch must be."""

    store: Store
    folder: SegmentFolder
    now_ns: NowNs
    seal_after_ns: int
    segment_bytes: int = SEGMENT_BYTES

    def run(self) -> int:
        """Seal what is due; return how many batches were moved.

        Raises:
            OSError: the segment cannot be written; nothing was forgotten.
            StoreUnavailableError: the store cannot; nothing was forgotten.

        """
        moved = 0
        while True:
            count = self.run_once()
            if not count:
                return moved
            moved += count

    def run_once(self) -> int:
        """Seal one segment, if one is due; return how many batches were moved."""
        now_ns = self.now_ns()
        batches = self.store.unsealed(now_ns - self.seal_after_ns, self.segment_bytes)
        if not batches:
            return 0
        is_full = sum(len(batch.body) for batch in batches) >= self.segment_bytes
        if not is_full and batches[0].received_ns > now_ns - PATIENCE * self.seal_after_ns:
            return 0
        return self.store.seal(self.folder.write(batches))
