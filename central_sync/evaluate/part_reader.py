"""Reads Parquet parts back, for pages and people: never for a result."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from central_sync.evaluate.parquet import BATCHES, CHANNELS
from edge_agent.wire.vocabulary import BoolArray, Int64Array, UInt32Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartRows:
    """The readings of one part; all arrays have shape (n,).

    Attributes:
        channel: channel numbers.
        at: UTC ns, set right where the gateway's clock was not trusted.
        steps: value in steps of `resolution`, 0 where it is no number.
        is_number: whether it is one.
        resolution: size of a step, in the channel's unit of measure.
        quality: quality words.

    """

    channel: Int64Array
    at: Int64Array
    steps: Int64Array
    is_number: BoolArray
    resolution: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    quality: UInt32Array


def read_part(path: Path) -> PartRows:
    """Return the readings of a part.

    Raises:
        OSError: there is no such file, or it cannot be read.

    """
    with pq.ParquetFile(path) as file:
        footer = file.metadata.metadata
        # Parts of earlier builds have the time as signed only.
        at = "time" if "time" in file.schema_arrow.names else "at"
        table = file.read(columns=["batch", "channel", at, "quality", "integer"])
    integer = table["integer"].combine_chunks()
    channel = table["channel"].to_numpy().astype(np.int64)
    return PartRows(
        channel=channel,
        at=table[at].to_numpy(),
        steps=integer.fill_null(0).to_numpy(zero_copy_only=False),
        is_number=integer.is_valid().to_numpy(zero_copy_only=False),
        resolution=_resolutions(footer, table["batch"].to_numpy(), channel),
        quality=table["quality"].to_numpy(),
    )


def _resolutions(
    footer: dict[bytes, bytes], batch: UInt32Array, channel: Int64Array
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the resolution of each row, by the configuration of its batch; 1 where unknown."""
    configs = [config for _, config in json.loads(footer[BATCHES])]
    steps = {
        (config, one["channel"]): float(one["resolution"])
        for config, channels in json.loads(footer[CHANNELS]).items()
        for one in channels
    }
    names, config_of_batch = np.unique(np.array(configs), return_inverse=True)
    # One key of both, because numpy finds distinct pairs 29 to 45 times slower than numbers.
    keys, places = np.unique((config_of_batch[batch] << 32) | channel, return_inverse=True)
    found = [steps.get((str(names[key >> 32]), key & 0xFFFF_FFFF), 1.0) for key in keys.tolist()]
    return np.array(found)[places]
