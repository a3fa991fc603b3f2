"""Bytes that a commit sends to the disk, per reading, with the product's own buffer.

One hour of 60 channels of 12-bit registers at 1 s is committed as fast as the disk allows; receipts
come every minute and are included, and so is writing the log back into the file at the end.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.figure import Figure
from tests.bench.subject import workplace
from tests.faults.bytes_to_disk import Case, simulate

# Commit interval, s -> bytes per reading.
TARGETS: Final = {5: 45.0, 10: 24.0, 60: 10.0}
HOURS: Final = 1.0
QUOTA_MB: Final = 1024


def measure() -> list[Figure]:
    """Return bytes per reading at three commit intervals."""
    return [_figure(commit_s, target) for commit_s, target in TARGETS.items()]


def _figure(commit_s: int, target: float) -> Figure:
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        case = Case(commit_s=commit_s)
        found = asyncio.run(simulate(case, Path(name), hours=HOURS, quota_mb=QUOTA_MB))
    written, frame = found["written_per_reading"], found["frame_per_reading"]
    return Figure(
        name=f"to disk, {commit_s}-s commits, 60 readings a second",
        measured=written,
        unit="B/reading",
        bound=target,
        note=f"write_bytes of the process; {written / frame:.1f} x the frames themselves",
    )
