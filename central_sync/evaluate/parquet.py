"""The Parquet part of an hour: decoded rows of one gateway and UTC hour, for people who analyse.

Derived and rebuildable: the same batches give the same file under the same name. No result is
ever computed from it.
"""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import Final, Self
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from central_sync.calc.clock_hours import HOUR_NS
from central_sync.model import Part
from central_sync.programs.channels import Cell, Chunk, OpenedBatch
from central_sync.programs.hashes import input_hash
from edge_agent.wire.vocabulary import Hash

SCHEMA: Final = pa.schema(
    [
        pa.field("batch", pa.uint32(), nullable=False),
        pa.field("row", pa.uint32(), nullable=False),
        pa.field("channel", pa.uint32(), nullable=False),
        # When the reading counts: `at`, or set right (docs/calculations.md section 9).
        pa.field("time", pa.int64(), nullable=False),
        pa.field("at", pa.int64(), nullable=False),
        pa.field("mono", pa.int64(), nullable=False),
        pa.field("raw", pa.int64(), nullable=False),
        pa.field("status", pa.uint32(), nullable=False),
        pa.field("quality", pa.uint32(), nullable=False),
        # In steps of the channel's resolution; null where raw is no number.
        pa.field("integer", pa.int64(), nullable=True),
    ]
)
BATCHES: Final = b"emissionwatch.batches"
"""Footer key: batch hash and configuration hash of each batch, hex, as a JSON list of pairs; the
column `batch` is an index into it."""
CHANNELS: Final = b"emissionwatch.channels"
"""Footer key: JSON object, configuration hash -> list of channels with their resolution."""

_AS_SIGNED: Final = ("at", "mono", "raw", "status", "quality")


class PartWriter:
    """Writes one part: chunks in order, then `finish`. Left without it, nothing stays behind."""

    def __init__(self, folder: Path, *, gateway_id: UUID, hour_ns: int) -> None:
        self._folder = folder
        self._gateway_id = gateway_id
        self._hour_ns = hour_ns
        self._batches: list[OpenedBatch] = []
        self.row_count = 0
        self._temporary = folder / f".{gateway_id}.{hour_ns}.{os.getpid()}.part"
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(
            self._temporary,
            SCHEMA,
            compression="zstd",
            use_dictionary=False,
            column_encoding=dict.fromkeys(SCHEMA.names, "DELTA_BINARY_PACKED"),
            store_schema=False,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        with suppress(FileNotFoundError):
            self._temporary.unlink()

    def add(self, chunk: Chunk) -> None:
        """Write the rows of a chunk that are of this UTC hour, as one row group."""
        time = chunk.times.time
        offset = time - self._hour_ns
        kept = np.flatnonzero(offset.view(np.uint64) < HOUR_NS)
        if self._writer is None or not len(kept):
            return
        held, batch = np.unique(chunk.batch[kept], return_inverse=True)
        start = len(self._batches)
        self._batches.extend(chunk.batches[index] for index in held)
        self.row_count += len(kept)
        columns = [
            pa.array((batch + start).astype(np.uint32)),
            pa.array(chunk.row[kept]),
            pa.array(np.ascontiguousarray(chunk.rows["channel"][kept])),
            pa.array(np.ascontiguousarray(time[kept])),
            *(pa.array(np.ascontiguousarray(chunk.rows[name][kept])) for name in _AS_SIGNED),
            pa.array(chunk.integer[kept], mask=~chunk.is_number[kept]),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))

    def finish(self, cells: Sequence[Cell]) -> Part:
        """Make the file durable under the name of its content, and return what it is."""
        if self._writer is None:
            raise RuntimeError("a part is finished once, inside its context")
        pairs = [[one.batch_hash.hex(), one.config_hash.hex()] for one in self._batches]
        self._writer.add_key_value_metadata(
            {BATCHES: json.dumps(pairs), CHANNELS: json.dumps(_described(cells))}
        )
        self._writer.close()
        self._writer = None
        with self._temporary.open("rb") as written:
            digest = Hash(file_digest(written, "sha256").digest())
            os.fsync(written.fileno())
        name = f"{digest.hex()}.parquet"
        self._temporary.rename(self._folder / name)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return Part(
            gateway_id=self._gateway_id,
            hour_ns=self._hour_ns,
            path=name,
            sha256=digest,
            row_count=self.row_count,
            input_hash=input_hash(
                self._gateway_id, self._hour_ns, (one.batch_hash for one in self._batches)
            ),
        )


def _described(cells: Sequence[Cell]) -> dict[str, list[dict[str, str | int]]]:
    """Return what a reader of the file needs to know of each channel, by configuration."""
    described: dict[str, list[dict[str, str | int]]] = {}
    for cell in cells:
        one = cell.channel
        described.setdefault(cell.config_hash.hex(), []).append(
            {
                "channel": one.channel,
                "name": one.name,
                "parameter": one.parameter,
                "unit_of_measure": one.unit_of_measure,
                "resolution": one.resolution,
            }
        )
    return described
