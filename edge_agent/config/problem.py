"""What is wrong with a configuration, where, and what to write instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from edge_agent.errors import ExitCode, OperatorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing an operator can put right.

    `file` is a path, or `environment` or `command line`; `line` counts from 1, None where the
    problem is not in a line; `path` is the key, such as `channels[2].number`.
    """

    file: str
    line: int | None
    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        key = f"{self.path}: " if self.path else ""
        return f"{where}: {key}{self.message}. {self.remedy[:1].upper()}{self.remedy[1:]}"


class ConfigurationError(OperatorError):
    """A configuration that cannot run; `found` holds every problem of it."""

    exit_code = ExitCode.CONFIGURATION

    def __init__(self, found: Sequence[Problem]) -> None:
        super().__init__(*(str(problem) for problem in found))
        self.found = tuple(found)

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Problem, ...]]]:
        """Come out of a pickle as it went in."""
        return type(self), (self.found,)
