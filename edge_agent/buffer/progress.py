"""How far a salvage has come, as it is kept in the buffer; plain values."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum, auto
from pathlib import Path
from typing import Self
from uuid import UUID

from edge_agent.buffer.remains import Lot


class Step(StrEnum):
    """What is done next with a quarantine."""

    TABLES = auto()
    BATCHES = auto()
    LOSSES = auto()
    DONE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One quarantine.

    Attributes:
        step: what is done next.
        at: so many bytes of its files were looked at.
        size: of the files, bytes.
        salvaged: batches that were not in the buffer before.
        foreign: batches of another gateway or key: they stay where they are.
        lost: numbers of its chains that are nowhere any more.
        chains: found in it.

    """

    step: Step = Step.TABLES
    at: int = 0
    size: int = 0
    salvaged: int = 0
    foreign: int = 0
    lost: int = 0
    chains: tuple[UUID, ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> Self:
        """Return what a fact says; without one nothing was done yet."""
        if text is None:
            return cls()
        kept = json.loads(text)
        return cls(
            **{**kept, "step": Step(kept["step"]), "chains": tuple(map(UUID, kept["chains"]))}
        )

    @property
    def text(self) -> str:
        """What is kept."""
        return json.dumps({**asdict(self), "chains": [str(chain) for chain in self.chains]})

    def after(self, lot: Lot) -> Self:
        """Return the progress once a lot has been looked at."""
        progress = replace(self, at=lot.end, foreign=self.foreign + lot.foreign_count)
        return progress.among(batch.header.chain_id for batch in lot.batches)

    def among(self, chains: Iterable[UUID]) -> Self:
        """Return the progress with these chains among those found."""
        return replace(self, chains=tuple(dict.fromkeys((*self.chains, *chains))))

    def plus(self, count: int) -> Self:
        """Return the progress with so many more batches salvaged."""
        return replace(self, salvaged=self.salvaged + count)


def fact_of(folder: Path) -> str:
    """Return the name under which the progress of a quarantine is kept."""
    return f"salvage {folder.name}"
