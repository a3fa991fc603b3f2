"""What the checker can find wrong, and the list in which it collects it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class InvalidError(Exception):
    """Bytes that docs/wire-format.md says must be refused; the message says which rule."""


class InputError(Exception):
    """The checker was given something it cannot work with: no verdict is possible."""


class Kind(StrEnum):
    """The ways in which a centre can be wrong."""

    LOST = "lost_committed"
    DUPLICATE = "duplicates"
    INVENTED = "invented"
    INVALID = "invalid"
    UNCOVERED = "uncovered"


@dataclass(slots=True)
class Faults:
    """Counts of every kind, and the words of the first few of each kind."""

    keep: int = 5
    counts: Counter[Kind] = field(default_factory=Counter)
    first: list[dict[str, str]] = field(default_factory=list)

    def add(self, kind: Kind, where: str, what: str) -> None:
        """Count one fault; keep its words if it is among the first `keep` of its kind."""
        self.counts[kind] += 1
        if self.counts[kind] <= self.keep:
            self.first.append({"kind": kind.value, "where": where, "what": what})
