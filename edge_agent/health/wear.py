"""What this process sends to the disk: a card's life is counted in bytes written."""

from pathlib import Path
from typing import Final

NS_PER_DAY: Final = 86_400 * 1_000_000_000
# Before, the start weighs too much: it makes files that are made once.
SHORTEST_NS: Final = 600 * 1_000_000_000
COUNTERS: Final = Path("/proc/self/io")


def written_bytes() -> int | None:
    """Return what this process has sent to the block layer; None where the kernel does not say.

    Source: proc(5), /proc/pid/io, write_bytes.
    """
    try:
        lines = COUNTERS.read_text(encoding="ascii").splitlines()
        counters = dict(line.split(": ", 1) for line in lines)
        return int(counters["write_bytes"])
    except (OSError, ValueError, KeyError):
        return None


def per_day(count: int | None, elapsed_ns: int) -> int | None:
    """Return a count as so many a day; None where it is unknown, or the time too short to tell."""
    if count is None or elapsed_ns < SHORTEST_NS:
        return None
    return count * NS_PER_DAY // elapsed_ns
