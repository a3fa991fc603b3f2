"""Colour where a person looks at it: on a terminal, unless NO_COLOR says otherwise."""

import os
import sys
from collections.abc import Callable
from enum import Enum

Paint = Callable[[str, "Colour"], str]


class Colour(Enum):
    """A colour by its number in ECMA-48, section 8.3.117 (SGR)."""

    RED = 31
    GREEN = 32
    YELLOW = 33


def painter() -> Paint:
    """Return what paints a word on standard output, or leaves it as it is.

    Source: no-color.org: any value but an empty one turns colour off.
    """
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return lambda text, _: text
    return lambda text, colour: f"\033[{colour.value}m{text}\033[0m"
