"""What an operator can mend: an error with a message, a remedy and an exit code.

Errors of the other two families (the world failed, we are wrong) are not here: they live with the
module whose world failed, and a bug is whatever exception it raises.
"""

from collections.abc import Iterator
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of both commands, after sysexits(3)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    BAD_DATA = 65
    UNAVAILABLE = 69
    TRY_AGAIN = 75
    PERMISSION = 77
    CONFIGURATION = 78


class OperatorError(Exception):
    """The operator can fix it; the message says where, what, and what instead."""

    exit_code: ExitCode = ExitCode.FAILURE

    def __init__(self, *problems: str, exit_code: ExitCode | None = None) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        if exit_code is not None:
            self.exit_code = exit_code


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what a group of errors is made of, however deep; an error that is none is itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error
