"""What a command ends with: exit codes, and the errors that the operator can fix."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the commands, after sysexits(3)."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    BAD_DATA = 65
    UNAVAILABLE = 69
    TRY_AGAIN = 75
    PERMISSION = 77
    CONFIGURATION = 78


class OperatorError(Exception):
    """The operator can fix it: each problem says where, what, and what instead."""

    def __init__(self, *problems: str, exit_code: ExitCode = ExitCode.FAILURE) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.exit_code = exit_code
