"""What the readings of one hour of one gateway add up to, taken chunk by chunk.

The order and the size of the chunks do not matter. Rows outside the hour are looked over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from uuid import UUID

import numpy as np

from central_sync.calc.clock_hours import HOUR_NS, MINUTE_NS
from central_sync.calc.minutes import NO_LIMIT, Minutes, Points, merged, tally
from central_sync.programs.channels import UNKNOWN_CELL, Cell, Chunk, is_check, is_usable
from central_sync.programs.plan import Plan, Role
from edge_agent.wire.vocabulary import BoolArray, Hash, Int64Array, Reason


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tallied:
    """One hour of one gateway, added up.

    Attributes:
        gateway_id: whose readings these are.
        start_ns: start of the hour, UTC ns.
        cells: channel and configuration of each series.
        roles: what the plan says of each, shape as `cells`.
        minutes: the tally, (cells, 60).
        simulated: rows that say that their source is simulated, (cells,).
        untrusted: rows of batches whose clock was not trusted, (cells,).
        corrected: rows whose time was set right, (cells,).
        uncertain: rows that may belong to this hour and to another one, (cells,).
        batch_hashes: the batches with a row that is or may be in the hour, and those by whose
            clock its time was set right; in rising order.
        config_hashes: the configurations that they name.
        newest_minute: minute of the newest row, -1 where there is none.
        line_begins_here: a row numbered 0 is in this hour: nobody measured before it.

    """

    gateway_id: UUID
    start_ns: int
    cells: Sequence[Cell]
    roles: Sequence[Role]
    minutes: Minutes
    simulated: Int64Array
    untrusted: Int64Array
    corrected: Int64Array
    uncertain: Int64Array
    batch_hashes: tuple[Hash, ...]
    config_hashes: frozenset[Hash]
    newest_minute: int
    line_begins_here: bool


class HourTally:
    """Takes chunks, and gives what they add up to."""

    def __init__(
        self, cells: Sequence[Cell], *, gateway_id: UUID, plan: Plan, start_ns: int
    ) -> None:
        self._gateway_id = gateway_id
        self.start_ns = start_ns
        self._cells = cells
        self._roles = [
            plan.role(
                cell.channel.facility,
                gateway=gateway_id,
                channel=cell.channel.channel,
                at_ns=start_ns,
            )
            for cell in cells
        ]
        self._limits = np.array(
            [self._limit(cell, role) for cell, role in zip(cells, self._roles, strict=True)],
            dtype=np.int64,
        )
        self._minutes = tally(_no_points(), self._limits)
        self._simulated = np.zeros(len(cells), np.int64)
        self._untrusted = np.zeros(len(cells), np.int64)
        self._corrected = np.zeros(len(cells), np.int64)
        self._uncertain = np.zeros(len(cells), np.int64)
        self._batch_hashes: set[Hash] = set()
        self._config_hashes: set[Hash] = set()
        self._newest_minute = -1
        self._line_begins_here = False

    def add(self, chunk: Chunk) -> None:
        """Add the rows of a chunk that are of this hour."""
        offset = chunk.times.time - self.start_ns
        # Unsigned, one comparison does for both ends, and a difference that wrapped falls out.
        in_hour = offset.view(np.uint64) < HOUR_NS
        uncertain = chunk.times.is_uncertain_in(self.start_ns, self.start_ns + HOUR_NS)
        self._note_doubt(chunk, uncertain)
        if not in_hour.any():
            return
        self._note_batches(chunk, in_hour)
        self._newest_minute = max(self._newest_minute, int(offset[in_hour].max()) // MINUTE_NS)
        known = in_hour & (chunk.cell != UNKNOWN_CELL)
        points = Points(
            cell=chunk.cell[known],
            offset_ns=offset[known],
            integer=chunk.integer[known],
            is_usable=is_usable(chunk)[known],
            is_check=is_check(chunk)[known],
        )
        self._minutes = merged(self._minutes, tally(points, self._limits))
        says_simulated = (chunk.rows["quality"][known] & np.uint32(Reason.SIMULATED)) != 0
        trusted = np.array([one.is_clock_trusted for one in chunk.batches], dtype=np.bool_)
        self._simulated += self._count(points.cell[says_simulated])
        self._untrusted += self._count(points.cell[~trusted[chunk.batch[known]]])
        self._corrected += self._count(points.cell[chunk.times.is_moved[known]])

    def tallied(self) -> Tallied:
        """Return what has been added so far."""
        return Tallied(
            gateway_id=self._gateway_id,
            start_ns=self.start_ns,
            cells=self._cells,
            roles=self._roles,
            minutes=self._minutes,
            simulated=self._simulated.copy(),
            untrusted=self._untrusted.copy(),
            corrected=self._corrected.copy(),
            uncertain=self._uncertain.copy(),
            batch_hashes=tuple(sorted(self._batch_hashes)),
            config_hashes=frozenset(self._config_hashes),
            newest_minute=self._newest_minute,
            line_begins_here=self._line_begins_here,
        )

    def _note_doubt(self, chunk: Chunk, uncertain: BoolArray) -> None:
        self._name(chunk, uncertain)
        self._uncertain += self._count(chunk.cell[uncertain & (chunk.cell != UNKNOWN_CELL)])

    def _name(self, chunk: Chunk, which: BoolArray) -> None:
        """Note the batches of some rows as those that the hour was made of."""
        for index in np.unique(chunk.batch[which]):
            batch = chunk.batches[index]
            self._batch_hashes.update((batch.batch_hash, *batch.anchors))

    def _note_batches(self, chunk: Chunk, in_hour: BoolArray) -> None:
        first_row = chunk.row == 0
        self._name(chunk, in_hour)
        for index in np.unique(chunk.batch[in_hour]):
            self._config_hashes.add(chunk.batches[index].config_hash)
        for index in chunk.batch[in_hour & first_row]:
            if chunk.batches[index].first_seq == 0:
                self._line_begins_here = True

    def _count(self, cell: Int64Array) -> Int64Array:
        return np.bincount(cell, minlength=len(self._cells)).astype(np.int64)

    def _limit(self, cell: Cell, role: Role) -> int:
        """Return the integer above which a reading of this cell says that fuel burns."""
        operating = role.unit.operating
        if operating is None or (operating.gateway, operating.channel) != (
            self._gateway_id,
            cell.channel.channel,
        ):
            return NO_LIMIT
        limit = Fraction(operating.threshold) / cell.resolution
        return max(-NO_LIMIT, min(NO_LIMIT, limit.numerator // limit.denominator))


def _no_points() -> Points:
    nothing = np.zeros(0, np.int64)
    return Points(
        cell=nothing,
        offset_ns=nothing,
        integer=nothing,
        is_usable=nothing.astype(np.bool_),
        is_check=nothing.astype(np.bool_),
    )
