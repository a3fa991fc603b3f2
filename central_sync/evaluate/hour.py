"""Evaluates one dirty hour of one gateway: record in, Parquet part and hourly values out.

Everything comes from the signed batches of the record. Nothing is written to the store except in
the one call of `settle_hour`, and that only if the hour did not change meanwhile.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from central_sync.calc.clock_hours import HOUR_NS, local_hours
from central_sync.evaluate.parquet import PartWriter
from central_sync.model import DirtyHour, HourlyValue, Part, StoredBatch
from central_sync.programs.channels import Cells
from central_sync.programs.hour import hourly_values, withdrawn
from central_sync.programs.opening import opened, portions
from central_sync.programs.plan import Plan
from central_sync.programs.tally import HourTally
from central_sync.store.port import Store
from edge_agent.wire.bundle import Bundle, parse_bundle
from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What became of a dirty hour: `is_settled` is False when it changed meanwhile.

    `final_from_ns`: when the gateway is complete until then, every value of this hour can be made
    final; None when all are.
    """

    is_settled: bool
    final_from_ns: int | None
    row_count: int
    values: tuple[HourlyValue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """What evaluating needs beside the hour: the store, the plan and the folder of parts."""

    store: Store
    plan: Plan
    parts: Path

    def evaluate(self, hour: DirtyHour, *, now_ns: int) -> Evaluation:
        """Compute one hour and settle it.

        Rows whose bundle has not come yet are in the part but in no value: the bundle's arrival
        marks the hour dirty again.
        """
        gateway_id, hour_ns = hour.gateway_id, hour.hour_ns
        offsets = {place.utc_offset_minutes for place in self.plan.facilities} | {0}
        starts = sorted(
            {start for offset in offsets for start in local_hours(hour_ns, offset_minutes=offset)}
        )
        # Before the batches: what arrives between the two makes the hour dirty again.
        complete_ns = min(now_ns, complete_until_ns(self.store, gateway_id))
        stored = self.store.batches_touching(gateway_id, starts[0], starts[-1] + HOUR_NS)
        cells = Cells(self._bundles(stored))
        tallies = [
            HourTally(cells.cells, gateway_id=gateway_id, plan=self.plan, start_ns=start)
            for start in starts
        ]
        with PartWriter(self.parts, gateway_id=gateway_id, hour_ns=hour_ns) as writer:
            for group in portions(opened(one, self.store.around) for one in stored):
                chunk = cells.chunk(group)
                writer.add(chunk)
                for tally in tallies:
                    tally.add(chunk)
            part = writer.finish(cells.cells) if writer.row_count else None
        values = tuple(
            value for tally in tallies for value in self._values(tally, complete_ns=complete_ns)
        )
        return Evaluation(
            is_settled=self._settle(hour, part, values),
            final_from_ns=max(
                (value.hour_ns + HOUR_NS for value in values if value.is_provisional), default=None
            ),
            row_count=0 if part is None else part.row_count,
            values=values,
        )

    def _values(self, tally: HourTally, *, complete_ns: int) -> Iterator[HourlyValue]:
        """Yield the values of an hour, also those that it had and has no readings for any more."""
        tallied = tally.tallied()
        end_ns = tally.start_ns + HOUR_NS
        values = hourly_values(tallied, is_provisional=end_ns > complete_ns)
        yield from values
        now = {value.channel for value in values}
        for one in self.store.hourly(
            facility=None, channel=None, from_ns=tally.start_ns, to_ns=tally.start_ns + 1
        ):
            if one.value.gateway_id == tallied.gateway_id and one.value.channel not in now:
                yield withdrawn(one.value, tallied)

    def _settle(self, hour: DirtyHour, part: Part | None, values: tuple[HourlyValue, ...]) -> bool:
        """Settle the hour; whichever part is not current afterwards is deleted."""
        before = self.store.part(hour.gateway_id, hour.hour_ns)
        is_settled = self.store.settle_hour(hour, part, values)
        needless, kept = (before, part) if is_settled else (part, before)
        if needless is not None and (kept is None or needless.path != kept.path):
            with suppress(FileNotFoundError):
                (self.parts / needless.path).unlink()
        return is_settled

    def _bundles(self, stored: Iterable[StoredBatch]) -> dict[Hash, Bundle]:
        """Return the bundles that batches name, as far as they have come."""
        named = {one.header.config_hash for one in stored}
        bodies = {one: self.store.bundle(one) for one in named}
        return {one: parse_bundle(body) for one, body in bodies.items() if body is not None}


def complete_until_ns(store: Store, gateway_id: UUID) -> int:
    """Return the UTC ns before which nothing of a gateway is missing.

    The newest moment that some chain reaches without a hole; but never past a hole of any chain.
    """
    reached, until_hole = 0, None
    for head in store.heads(gateway_id):
        contiguous_ns = head.contiguous_ns or 0
        reached = max(reached, contiguous_ns)
        if head.contiguous_no != head.batch_no:
            until_hole = contiguous_ns if until_hole is None else min(until_hole, contiguous_ns)
    return reached if until_hole is None else until_hole
