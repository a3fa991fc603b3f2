"""Channel numbers of a gateway: each is given once, also when its device is gone.

The highest that was ever given stands in a hidden file beside the devices. A file of a device that
nobody can read as such still counts: its numbers are taken from its text.
"""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_agent.config.finding import Finding
from edge_agent.config.reading import read_toml
from edge_agent.errors import ExitCode, OperatorError

FILE: Final = ".channel-numbers"
TEXT: Final = """\
# The highest channel number that was ever given on this gateway: none is given twice.
highest = {highest}
"""
# As the key of a channel is written, also in a file that is no TOML.
NUMBER: Final = re.compile(r"\bnumber\s*=\s*(\d[\d_]*)")


def highest_given(folder: Path) -> int:
    """Return the highest channel number that was ever given, 0 where none was.

    Args:
        folder: the devices'.

    Raises:
        OperatorError: the file of the numbers, or one of a device, cannot be understood.

    """
    return max(_remembered(folder / FILE), _written(folder))


@contextmanager
def giving(folder: Path, first: int) -> Iterator[None]:
    """Let nobody else give numbers while the block lasts; `first` is the first that is to be given.

    Raises:
        OperatorError: it was given meanwhile.
        OSError: the folder cannot be opened.

    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if highest_given(folder) >= first:
            raise OperatorError(
                f"{folder}: somebody else has added a device meanwhile. Run this once more",
                exit_code=ExitCode.TRY_AGAIN,
            )
        yield
    finally:
        os.close(descriptor)


def _remembered(path: Path) -> int:
    if not path.exists():
        return 0
    read = read_toml(path)
    highest = None if isinstance(read, Finding) else read.table.get("highest")
    if not isinstance(highest, int):
        raise OperatorError(
            f"{path}: does not tell the highest channel number. Write highest = NUMBER, with the "
            "highest that was ever given on this gateway",
            exit_code=ExitCode.CONFIGURATION,
        )
    return highest


def _written(folder: Path) -> int:
    """Return the highest number in the files of devices, and in any that stand beside them."""
    found = [0]
    for path in folder.glob("*.toml*"):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise OperatorError(
                f"{path}: {error.strerror or error}. Its channel numbers must be known before "
                "others are given",
                exit_code=ExitCode.PERMISSION,
            ) from error
        found += [int(digits) for digits in NUMBER.findall(text)]
    return max(found)
