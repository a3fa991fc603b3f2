"""The committed vectors, by path, and the names of the good batches and headstones."""

import json
from typing import Final, TypeAlias

from tests.vectors.make import FOLDER

Vector: TypeAlias = dict[str, str | int]

BATCHES: Final = ("genesis", "ordinary", "eventful", "only_events")
HEADSTONES: Final = ("headstone", "headstone_without_events")


def vector(path: str) -> Vector:
    """Return a committed vector."""
    found: Vector = json.loads((FOLDER / path).read_text(encoding="utf-8"))
    return found
