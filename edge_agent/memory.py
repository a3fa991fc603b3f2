"""Keeps the daemon's memory small: what C libraries free goes back to the machine at once.

glibc gives each thread a heap of its own and keeps freed memory for the next request; a gateway
has little memory and asks for the same sizes again after seconds, not after microseconds.
"""

import ctypes
import gc
from typing import Final

# glibc's malloc.h.
M_TRIM_THRESHOLD: Final = -1
M_ARENA_MAX: Final = -8
# Bytes at the end of the heap that are not worth giving back.
TRIM_BYTES: Final = 65_536


def begin() -> None:
    """Set up allocator and collector for a start: nothing that an import makes is garbage."""
    gc.disable()
    _be_frugal()


def settle() -> None:
    """Say that all that was made so far stays: the collector need not walk it again and again."""
    gc.enable()
    gc.collect()
    gc.freeze()


def _be_frugal() -> None:
    """Set up the C library's allocator; one that cannot be set up stays as it is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_TRIM_THRESHOLD, TRIM_BYTES)
