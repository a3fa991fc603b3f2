"""Findings while files are read: problems that have no line yet.

Lines are looked up at the very end and only when there is something to report, because finding
them means loading a parser that a good configuration never needs.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.config.problem import Problem
from edge_agent.config.structure import KeyPath, Misfit

ENVIRONMENT = "environment"
COMMAND_LINE = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong in one file, or in the environment; `line` only where no key has it."""

    file: str
    path: KeyPath
    message: str
    remedy: str
    line: int | None = None


def in_file(file: str, misfits: Iterable[Misfit]) -> tuple[Finding, ...]:
    """Return what does not fit as findings of a file."""
    return tuple(
        Finding(file=file, path=misfit.path, message=misfit.message, remedy=misfit.remedy)
        for misfit in misfits
    )


def problems_of(findings: Sequence[Finding], texts: Mapping[str, str]) -> tuple[Problem, ...]:
    """Return the findings with their lines: by file in the order given, then by line.

    Args:
        findings: what was found, at least one.
        texts: the well-formed files, by the names that findings use.

    """
    # Only here: a good configuration never loads tree-sitter.
    from edge_agent.config.location import key_lines, line_of  # noqa: PLC0415 - see the line above

    lines = {file: key_lines(texts[file]) for file in {f.file for f in findings} & texts.keys()}
    problems = [
        Problem(
            file=finding.file,
            line=finding.line or line_of(lines.get(finding.file, {}), finding.path),
            path=written(finding.path),
            message=finding.message,
            remedy=finding.remedy,
        )
        for finding in findings
    ]
    order = {finding.file: index for index, finding in reversed(list(enumerate(findings)))}
    return tuple(sorted(problems, key=lambda one: (order[one.file], one.line or 0)))


def written(path: KeyPath) -> str:
    """Return a path as people write it: `channels[2].number`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
