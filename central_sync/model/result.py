"""What is derived from the record and can be made again: dirty hours, parts, hourly values."""

from dataclasses import dataclass
from uuid import UUID

from edge_agent.wire.vocabulary import Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyHour:
    """One UTC hour of one gateway whose readings changed since it was last computed.

    `generation` rises with every change: an hour is settled only at the generation that was seen.
    """

    gateway_id: UUID
    hour_ns: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One Parquet file of decoded readings: derived, named by its hash, never rewritten.

    `path` is relative to the folder of parts; `input_hash` covers the batches it was made of.
    """

    gateway_id: UUID
    hour_ns: int
    path: str
    sha256: Hash
    row_count: int
    input_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyValue:
    """The average of one channel over one UTC hour, as computed once.

    `value` is decimal text in the channel's unit of measure; None when the hour has no valid
    average. `total` is the exact sum of the used integers (units of resolution).
    `quadrants` has bit q set when quarter q of the hour holds a usable reading. `detail` is
    canonical JSON that says how the value came about (`central_sync.programs`).
    """

    gateway_id: UUID
    facility: str
    channel: int
    name: str
    parameter: str
    unit_of_measure: str
    hour_ns: int
    value: str | None
    total: int
    reading_count: int
    used_count: int
    quadrants: int
    is_valid: bool
    is_provisional: bool
    is_simulated: bool
    detail: str
    input_hash: Hash
    parameter_hash: Hash
    kernel: str
    output_hash: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyRevision:
    """An hourly value under its number: revisions of one channel and hour count from 1."""

    value: HourlyValue
    revision: int
    computed_ns: int
