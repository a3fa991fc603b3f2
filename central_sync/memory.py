"""Keeps the service's memory flat: what computing an hour took goes back when it is done.

An hour is computed some eighteen times while it grows, in whichever thread is free. As the
allocators are by default, each thread's heap keeps the most that it ever held.
"""

import ctypes
from typing import Final

import pyarrow as pa

M_MMAP_THRESHOLD: Final = -3
M_ARENA_MAX: Final = -8
"""Parameters of mallopt(3), glibc's malloc.h."""

HEAPS: Final = 2
"""As many as cores of the smallest machine; the default is eight for each core."""

LARGE_BYTES: Final = 128 * 1024
"""A block of this size or larger is mapped by itself and goes back at once: glibc's own default at
a start, but set, it no longer rises to the largest block that was ever freed."""

_libc = ctypes.CDLL(None)
_trim = getattr(_libc, "malloc_trim", None)


def begin() -> None:
    """Let all threads share few heaps, and Arrow's columns come from them too.

    To be called before threads start. An allocator that cannot be told so stays as it is.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, HEAPS)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def give_back() -> None:
    """Give back to the machine what was freed; takes about a millisecond."""
    if _trim is not None:
        _trim(0)
