"""Noise as a pure function of seed, name and time: the same on every machine.

Made from hashes instead of a generator with a state, so that a value needs no history before it.
"""

from functools import lru_cache
from hashlib import blake2b
from math import cos, log, pi, sqrt
from typing import Final

GRID_S: Final = 60
# Autocorrelation from one minute to the next: a correlation time of 4.5 minutes, as a boiler under
# load control has it. 0.8 ** 31 is below 0.001: older innovations are left out.
CARRIED: Final = 0.8
MEMORY: Final = 31
SPREAD: Final = sqrt(1.0 - CARRIED**2)


def white(seed: int, name: str, index: int) -> float:
    """Return one standard normal number; independent of those of other seeds, names, indices."""
    digest = blake2b(f"{seed}/{name}/{index}".encode(), digest_size=16).digest()
    # Box and Muller (1958); + 1 keeps the logarithm finite.
    first = (int.from_bytes(digest[:8], "little") + 1) / 2**64
    second = int.from_bytes(digest[8:], "little") / 2**64
    return sqrt(-2.0 * log(first)) * cos(2.0 * pi * second)


@lru_cache(maxsize=65_536)
def _carried(seed: int, name: str, index: int) -> float:
    """Return the AR(1) process at a point of its grid, as the sum of its past innovations."""
    past = range(MEMORY)
    return SPREAD * sum(CARRIED**age * white(seed, name, index - age) for age in past)


def red(seed: int, name: str, at_s: float) -> float:
    """Return AR(1) noise of variance 1 at a time, seconds; linear between whole minutes."""
    index, within = divmod(at_s, GRID_S)
    before = _carried(seed, name, int(index))
    after = _carried(seed, name, int(index) + 1)
    return before + (after - before) * within / GRID_S
