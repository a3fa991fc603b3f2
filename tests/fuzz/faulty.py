"""Targets that fail in every way there is: whoever looks for faults must find these.

`python -m tests.fuzz.faulty NAME ...` takes what `tests.fuzz.worker` takes.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from tests.fuzz import worker
from tests.fuzz.target import Target
from tests.fuzz.worker import MEMORY_BYTES, WARM_UP, main

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

NAMES: Final = ("crash", "hang", "hungry", "surprise", "shallow")
MODULES: Final = dict.fromkeys(NAMES, ("tests.fuzz.faulty", 1))
STRIKES_AFTER: Final = WARM_UP + 30


def _target(strike: Callable[[], None]) -> Target:
    """Return a target that reads well for a while."""
    count = 0

    def make(chance: random.Random) -> bytes:
        return chance.randbytes(8)

    def run(content: bytes) -> bool:
        nonlocal count
        count += 1
        if count > STRIKES_AFTER:
            strike()
        return content[0] < 128

    return Target(make=make, run=run)


def crash() -> Target:
    """Return a target that ends the process."""
    return _target(lambda: os.kill(os.getpid(), signal.SIGSEGV))


def hang() -> Target:
    """Return a target that never returns."""

    def strike() -> None:
        while True:
            pass

    return _target(strike)


def hungry() -> Target:
    """Return a target that wants more memory than there is."""

    def strike() -> None:
        bytes(MEMORY_BYTES)

    return _target(strike)


def surprise() -> Target:
    """Return a target that raises what is no refusal."""

    def strike() -> None:
        raise KeyError("surprise")

    return _target(strike)


def shallow() -> Target:
    """Return a target whose inputs never pass the outermost check."""

    def make(chance: random.Random) -> bytes:
        return chance.randbytes(8)

    return Target(make=make, run=lambda _: False)


if __name__ == "__main__":
    vars(worker)["HANG_S"] = 1
    sys.exit(main(modules=MODULES))
