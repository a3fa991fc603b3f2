"""Keeps the daemon's memory small: one heap for all threads, given back after each commit.

A low trim threshold saves as much and costs a quarter of the CPU: glibc then maps and unmaps every
buffer of a batch (docs/adr/0007-start.md).
"""

import ctypes
import gc
from typing import Final

# glibc's malloc.h.
M_ARENA_MAX: Final = -8

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def begin() -> None:
    """Set up allocator and collector for a start: nothing that an import makes is garbage."""
    gc.disable()
    _be_frugal()


def settle() -> None:
    """Say that all that was made so far stays, and give back what a start has left over.

    The collector need not walk it again and again.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    give_back()


def give_back() -> None:
    """Give back to the machine what was freed; takes less than a millisecond."""
    if _trim is not None:
        _trim(0)


def _be_frugal() -> None:
    """Let all threads share one heap; an allocator that cannot be told so stays as it is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
