"""One line of a benchmark: what was measured, and the bound it is held against in the same run."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured figure with its bound, both in `unit`.

    Attributes:
        name: what was measured.
        measured: the figure.
        sense: whether the bound is the largest or the smallest figure that will do.
        bound: the target; None: told without a target.
        unit: of both.
        note: what it was measured against, and in which way.

    """

    name: str
    measured: float
    unit: str
    sense: Literal["at most", "at least"] = "at most"
    bound: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its bound."""
        if self.bound is None:
            return True
        if self.sense == "at most":
            return self.measured <= self.bound
        return self.measured >= self.bound

    def facts(self) -> dict[str, object]:
        """Return it as JSON shows it."""
        return {**asdict(self), "holds": self.holds}


def table(figures: Iterable[Figure]) -> str:
    """Return figures as a Markdown table."""
    rows = ["| figure | measured | target | | note |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        target = "" if figure.bound is None else f"{figure.sense} {figure.bound:g}"
        verdict = "" if figure.bound is None else ("holds" if figure.holds else "**missed**")
        rows.append(
            f"| {figure.name} | {figure.measured:.4g} {figure.unit} | {target} | {verdict} "
            f"| {figure.note} |"
        )
    return "\n".join(rows)
