"""Readings on their way into a batch: a scan as taken, a scan as judged, and the signed rows.

Arrays only: no judgement is made here and no value is calculated. A `Scan` has no quality, a
`Readings` always has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Int64Array, UInt32Array

MAX_ROWS: Final = 65_536
"""Rows of one batch at most (docs/wire-format.md section 2, record_count)."""

ROW: Final = np.dtype(
    [
        ("scan", "<u4"),
        ("channel", "<u4"),
        ("at", "<i8"),
        ("mono", "<i8"),
        ("raw", "<i8"),
        ("status", "<u4"),
        ("quality", "<u4"),
    ]
)
"""One row: 40 bytes, no padding, as a leaf hashes it (docs/wire-format.md section 5)."""

RowArray: TypeAlias = npt.NDArray[np.void]
"""Rows of dtype ROW; shape (n,)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """One answer of one device, not yet judged.

    Attributes:
        device: name of the device, for log and status.
        at_ns: arrival, UTC ns.
        mono_ns: arrival, CLOCK_BOOTTIME ns.
        channel: channel numbers, rising strictly; shape (n,).
        raw: the bits the device sent (docs/wire-format.md section 6), 0 where none; shape (n,).
        status: the device's own status word, 0 where there is none; shape (n,).
        transport: quality bits the driver already knows, 0 = nothing against it; shape (n,).

    """

    device: str
    at_ns: int
    mono_ns: int
    channel: UInt32Array
    raw: Int64Array
    status: UInt32Array
    transport: UInt32Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Readings:
    """One scan, judged: what a batch keeps of it.

    Attributes:
        at_ns: arrival, or the device's own time where the profile trusts it, UTC ns.
        mono_ns: arrival, CLOCK_BOOTTIME ns.
        channel: channel numbers, rising strictly; shape (n,).
        raw: the bits the device sent, never altered; shape (n,).
        status: the device's own status word; shape (n,).
        quality: the quality word of each reading (docs/wire-format.md section 7); shape (n,).

    """

    at_ns: int
    mono_ns: int
    channel: UInt32Array
    raw: Int64Array
    status: UInt32Array
    quality: UInt32Array


def rows_of(readings: Sequence[Readings]) -> RowArray:
    """Return the rows of judged scans, in order of arrival, numbered 0, 1, 2, ...; shape (n,)."""
    counts = [len(scan.channel) for scan in readings]
    rows = np.empty(sum(counts), dtype=ROW)
    if not counts:
        return rows
    rows["scan"] = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    rows["at"] = np.repeat(np.array([scan.at_ns for scan in readings], dtype=np.int64), counts)
    rows["mono"] = np.repeat(np.array([scan.mono_ns for scan in readings], dtype=np.int64), counts)
    rows["channel"] = np.concatenate([scan.channel for scan in readings])
    rows["raw"] = np.concatenate([scan.raw for scan in readings])
    rows["status"] = np.concatenate([scan.status for scan in readings])
    rows["quality"] = np.concatenate([scan.quality for scan in readings])
    return rows


def check_scans(rows: RowArray) -> None:
    """Refuse rows whose scan or channel numbers break docs/wire-format.md section 4.

    Raises:
        RefusedError: SCANS: scan does not start at 0 or rise by 0 or 1, a channel is 0, or the
            channels of a scan do not rise strictly.

    """
    if not len(rows):
        return
    scan = rows["scan"].astype(np.int64)
    channel = rows["channel"].astype(np.int64)
    if scan[0] != 0:
        raise RefusedError(Code.SCANS, f"the first row is of scan {scan[0]}, must be 0")
    rise = np.diff(scan)
    if np.any((rise < 0) | (rise > 1)):
        raise RefusedError(Code.SCANS, "scan must rise by 0 or 1 from row to row")
    if np.any(channel == 0):
        raise RefusedError(Code.SCANS, "channel 0 is never used")
    if np.any((rise == 0) & (np.diff(channel) <= 0)):
        raise RefusedError(Code.SCANS, "channel must rise strictly within a scan")
