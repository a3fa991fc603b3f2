"""What an archive is asked to hold, and what is found on the way through the record."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from central_sync.calc.clock_hours import DAY_NS, HOUR_NS
from central_sync.model import StoredBatch
from central_sync.proofs.archive import Line
from central_sync.proofs.entry import Entry, FactEntry
from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What an archive is asked to hold; None leaves nothing out.

    A batch is in when it has readings in [from_ns, to_ns), or none and was received then; so is
    every batch of its chain between two such batches.
    """

    gateway_id: UUID | None = None
    from_ns: int | None = None
    to_ns: int | None = None


@dataclass(slots=True)
class Walk:
    """What is found on the way: places in the log, configurations, the lines of the manifest."""

    size: int
    places: list[int] = field(default_factory=list)
    configs: set[Hash] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    skipped: set[Hash] = field(default_factory=set)
    batch_count: int = 0
    at_min: int | None = None
    at_max: int | None = None

    def note(self, batch: StoredBatch) -> None:
        """Note which configuration and which times a batch is of."""
        self.batch_count += 1
        self.configs.add(batch.header.config_hash)
        if batch.at_min is not None and batch.at_max is not None:
            self.at_min = batch.at_min if self.at_min is None else min(self.at_min, batch.at_min)
            self.at_max = batch.at_max if self.at_max is None else max(self.at_max, batch.at_max)


def days(selection: Selection, walk: Walk) -> Iterator[tuple[int, int]]:
    """Yield the days of an archive, whole hours of it only, as [from, to) in UTC ns."""
    if walk.at_min is None or walk.at_max is None:
        return
    first = max(walk.at_min // HOUR_NS * HOUR_NS, selection.from_ns or walk.at_min - HOUR_NS)
    end = min(walk.at_max + HOUR_NS, selection.to_ns or walk.at_max + HOUR_NS)
    for from_ns in range(first, end - HOUR_NS + 1, DAY_NS):
        yield from_ns, min(from_ns + DAY_NS, end - HOUR_NS + 1)


def concerns(entry: Entry, gateway_id: UUID | None) -> bool:
    """Return whether an entry may stand in an archive of one gateway, or of all (None)."""
    if gateway_id is None or not isinstance(entry, FactEntry):
        return True
    return entry.fields.get("gateway") in (None, str(gateway_id))
