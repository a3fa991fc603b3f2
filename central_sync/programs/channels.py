"""Raw readings made into integers, by the channel tables that their batches name.

A cell is one channel under one configuration: the unit in which raw words have one meaning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from central_sync.calc.clock_times import Times, joined
from central_sync.calc.minutes import LARGEST_INTEGER
from central_sync.programs.part75 import CHECK_PHASES
from edge_agent.wire.bundle import Bundle, ChannelRow
from edge_agent.wire.engineering import Scaling
from edge_agent.wire.readings import RowArray
from edge_agent.wire.vocabulary import (
    BoolArray,
    Hash,
    Int64Array,
    Phase,
    QualityClass,
    UInt32Array,
    has_value,
    phase,
    quality_class,
)

UNKNOWN_CELL = -1
"""Of a row whose channel its channel table does not name: it means nothing, and is kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenedBatch:
    """The rows of one verified batch, and what of its header matters here.

    Attributes:
        batch_hash: its name.
        config_hash: of its channel table.
        first_seq: number of its first row.
        is_clock_trusted: header flag 4 is not set.
        rows: as signed; shape (n,).
        times: when they count; shape (n,).
        anchors: other batches by whose clocks these times were set right.

    """

    batch_hash: Hash
    config_hash: Hash
    first_seq: int
    is_clock_trusted: bool
    rows: RowArray
    times: Times
    anchors: tuple[Hash, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Rows of some batches in order, with their meaning; arrays have shape (n,).

    Attributes:
        batch: index of the row's batch in `batches`.
        row: index of the row in its batch.
        rows: the rows themselves.
        times: when they count.
        cell: index into the cells, UNKNOWN_CELL where the channel table does not know it.
        integer: value in units of the cell's resolution, 0 where it is no number.
        is_number: whether it is one.

    """

    batches: tuple[OpenedBatch, ...]
    batch: UInt32Array
    row: UInt32Array
    rows: RowArray
    times: Times
    cell: Int64Array
    integer: Int64Array
    is_number: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One channel under one configuration."""

    config_hash: Hash
    channel: ChannelRow
    is_simulated: bool
    resolution: Fraction


class Cells:
    """All cells of some configurations, and how to find the one of a row."""

    def __init__(self, bundles: Mapping[Hash, Bundle]) -> None:
        cells: list[Cell] = []
        self._places: dict[Hash, tuple[int, Int64Array]] = {}
        for config_hash, bundle in sorted(bundles.items()):
            numbers = np.array([row.channel for row in bundle.channels], dtype=np.int64)
            self._places[config_hash] = (len(cells), numbers)
            cells.extend(
                Cell(
                    config_hash=config_hash,
                    channel=row,
                    is_simulated=bundle.simulated,
                    resolution=Fraction(row.resolution),
                )
                for row in bundle.channels
            )
        self.cells: Sequence[Cell] = tuple(cells)
        self._scalings = [Scaling([cell.channel]) for cell in cells]

    def chunk(self, batches: Iterable[OpenedBatch]) -> Chunk:
        """Return the rows of batches, each under the configuration that its batch names.

        A batch whose configuration is not among the bundles has only unknown cells.
        """
        opened = tuple(batches)
        counts = [len(one.rows) for one in opened]
        rows = np.concatenate([one.rows for one in opened])
        cell = np.concatenate([self._cells_of(one) for one in opened])
        integer, is_number = self._integers(cell, rows["raw"])
        return Chunk(
            batches=opened,
            batch=np.repeat(np.arange(len(opened), dtype=np.uint32), counts),
            row=np.concatenate([np.arange(count, dtype=np.uint32) for count in counts]),
            rows=rows,
            times=joined([one.times for one in opened]),
            cell=cell,
            integer=integer,
            is_number=is_number,
        )

    def _cells_of(self, batch: OpenedBatch) -> Int64Array:
        """Return the cell of each row; shape (n,)."""
        channel = batch.rows["channel"].astype(np.int64)
        start, numbers = self._places.get(batch.config_hash, (0, np.array([], np.int64)))
        if not len(numbers):
            return np.full(len(channel), UNKNOWN_CELL, np.int64)
        place = np.minimum(np.searchsorted(numbers, channel), len(numbers) - 1)
        return np.where(numbers[place] == channel, start + place, UNKNOWN_CELL)

    def _integers(self, cell: Int64Array, raw: Int64Array) -> tuple[Int64Array, BoolArray]:
        """Return the integer of each row and whether it is a number; shapes (n,)."""
        integer = np.zeros(len(raw), np.int64)
        is_number = np.zeros(len(raw), np.bool_)
        order = np.argsort(cell, kind="stable")
        bounds = np.flatnonzero(np.diff(cell[order])) + 1
        for places in np.split(order, bounds):
            if len(places) and cell[places[0]] != UNKNOWN_CELL:
                scaling = self._scalings[cell[places[0]]]
                integer[places], is_number[places] = scaling.integers(raw[places])
        return integer, is_number


def is_usable(chunk: Chunk) -> BoolArray:
    """Return which readings may enter an average; shape (n,).

    Source: docs/calculations.md section 4.
    """
    quality = chunk.rows["quality"]
    usable: BoolArray = (
        (quality_class(quality) <= QualityClass.MAINTENANCE_REQUEST)
        & (phase(quality) == Phase.MEASURING)
        & has_value(quality)
        & chunk.is_number
        & (chunk.integer <= LARGEST_INTEGER)
        & (chunk.integer >= -LARGEST_INTEGER)
        & (chunk.cell != UNKNOWN_CELL)
    )
    return usable


def is_check(chunk: Chunk) -> BoolArray:
    """Return which readings were taken in calibration or maintenance; shape (n,)."""
    return np.isin(phase(chunk.rows["quality"]), CHECK_PHASES)
