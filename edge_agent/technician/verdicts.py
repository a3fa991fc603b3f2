"""What is right and wrong with a gateway, each wrong thing with what mends it; pure."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: bad stops readings or puts them at risk, odd should be looked at."""

    OK = "ok"
    ODD = "odd"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One line of `edge-agent doctor`.

    Attributes:
        subject: what was looked at.
        level: how bad it is.
        says: what was found.
        fix: what to do; never empty where it is bad.

    """

    subject: str
    level: Level
    says: str
    fix: str = ""

    def __post_init__(self) -> None:
        """Refuse bad news without a remedy."""
        if self.level is Level.BAD and not self.fix:
            raise ValueError(f"{self.subject}: bad, and nothing said that mends it")


def ok(subject: str, says: str) -> Verdict:
    """Return good news."""
    return Verdict(subject=subject, level=Level.OK, says=says)


def odd(subject: str, says: str, fix: str = "") -> Verdict:
    """Return what should be looked at."""
    return Verdict(subject=subject, level=Level.ODD, says=says, fix=fix)


def bad(subject: str, says: str, fix: str) -> Verdict:
    """Return what stops readings or puts them at risk."""
    return Verdict(subject=subject, level=Level.BAD, says=says, fix=fix)
