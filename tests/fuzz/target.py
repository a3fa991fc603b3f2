"""What is fuzzed: a maker of inputs, and a run that may refuse but never be surprised."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target.

    Attributes:
        make: returns an input.
        run: reads an input; returns whether it passed the outermost check. What it raises is a
            fault of the product: refusals are expected, and caught in here.

    """

    make: Callable[[random.Random], bytes]
    run: Callable[[bytes], bool]


# Name -> module of its maker (a function of that name returns the Target), and its part of all
# inputs, by what one costs.
TARGETS: Final[Mapping[str, tuple[str, int]]] = {
    "frame": ("tests.fuzz.wire", 2_000),
    "header": ("tests.fuzz.wire", 1_500),
    "signed": ("tests.fuzz.wire", 400),
    "receipt": ("tests.fuzz.wire", 600),
    "headstone": ("tests.fuzz.wire", 700),
    "event": ("tests.fuzz.content", 1_200),
    "arrow": ("tests.fuzz.content", 1_400),
    "payload": ("tests.fuzz.content", 1_400),
    "answer": ("tests.fuzz.texts", 400),
    "bundle": ("tests.fuzz.texts", 150),
    "profile": ("tests.fuzz.texts", 100),
    "archive": ("tests.fuzz.archives", 60),
    "configuration": ("tests.fuzz.site", 40),
    "start_up": ("tests.fuzz.site", 20),
    "upload": ("tests.fuzz.centre", 30),
}


def target(name: str, modules: Mapping[str, tuple[str, int]] = TARGETS) -> Target:
    """Return a target by its name; it is loaded when it is first asked for."""
    module, _ = modules[name]
    made: Target = getattr(import_module(module), name)()
    return made


def shares(count: int, modules: Mapping[str, tuple[str, int]] = TARGETS) -> dict[str, int]:
    """Return how many of so many inputs each target gets, at least one; the first has the rest."""
    whole = sum(part for _, part in modules.values())
    parts = {name: max(1, count * part // whole) for name, (_, part) in modules.items()}
    first = next(iter(parts))
    return parts | {first: max(1, parts[first] + count - sum(parts.values()))}
