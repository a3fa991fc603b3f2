"""What the record held when a value was computed: batches, and the clocks around them.

Later batches change neither, so that an old revision can be computed again as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from central_sync.calc.clock_hours import HOUR_NS
from central_sync.model import Around, HourlyValue, StoredBatch
from central_sync.programs.channels import OpenedBatch
from central_sync.programs.hashes import input_hash
from central_sync.programs.opening import opened
from central_sync.store.port import Store
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import Hash


@dataclass
class Known:
    """The record as it was at a time, by the centre's clock, UTC ns."""

    store: Store
    until_ns: int
    _anchors: dict[Hash, StoredBatch] = field(default_factory=dict)
    _used: dict[Hash, tuple[Hash, ...]] = field(default_factory=dict)

    def opened(self, stored: StoredBatch) -> OpenedBatch:
        """Return the rows of a batch, their times as they were known.

        Raises:
            RefusedError: the record no longer holds what was signed.

        """
        return opened(stored, self._around)

    def touches(self, stored: StoredBatch, start_ns: int) -> bool:
        """Return whether a batch has a row that is or may be in the hour.

        One that cannot be read might have.
        """
        try:
            times = self.opened(stored).times
        except RefusedError:
            return True
        is_here = (times.time >= start_ns) & (times.time < start_ns + HOUR_NS)
        return bool((is_here | times.is_uncertain_in(start_ns, start_ns + HOUR_NS)).any())

    def then(self, value: HourlyValue, found: Sequence[StoredBatch]) -> tuple[StoredBatch, ...]:
        """Return the batches that the value's input hash covers.

        All of `found`, or all but the newest few, and those by whose clocks their times were set
        right. When no such choice fits, all of them: then the step for batches fails.
        """
        by_arrival = sorted(found, key=lambda one: (one.received_ns, one.batch_no))
        for count in range(len(by_arrival), 0, -1):
            kept = self._with_anchors(by_arrival[:count])
            if input_hash(value.gateway_id, value.hour_ns, kept) == value.input_hash:
                return tuple(sorted(kept.values(), key=_place))
        return tuple(found)

    def _with_anchors(self, batches: Sequence[StoredBatch]) -> dict[Hash, StoredBatch]:
        """Return batches, and those that set their clocks right, by their hashes."""
        kept = {one.batch_hash: one for one in batches}
        for one in batches:
            anchors = self._anchors_of(one)
            kept |= {name: self._anchors[name] for name in anchors if name in self._anchors}
        return kept

    def _anchors_of(self, stored: StoredBatch) -> tuple[Hash, ...]:
        if stored.batch_hash not in self._used:
            try:
                self._used[stored.batch_hash] = self.opened(stored).anchors
            except RefusedError:
                self._used[stored.batch_hash] = ()
        return self._used[stored.batch_hash]

    def _around(self, stored: StoredBatch) -> Around:
        around = self.store.around(stored, until_ns=self.until_ns)
        for anchor in (around.before, around.after, around.earlier, around.later):
            if anchor is None or anchor.batch_hash in self._anchors:
                continue
            found = self.store.batch(stored.gateway_id, anchor.chain_id, anchor.batch_no)
            if found is not None:
                self._anchors[anchor.batch_hash] = found
        return around


def _place(stored: StoredBatch) -> tuple[bytes, int]:
    return stored.chain_id.bytes, stored.batch_no
