"""The plant's own record: one JSON line per answer, on its way to the disk before it is sent.

What stands in it is what an agent can have read; a checker compares the two. It is no log.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TextIO

from edge_agent.config.vocabulary import Table
from edge_agent.errors import OperatorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: which poll of which device it belongs to, and the words it holds.

    Attributes:
        at_ns: when it was asked for, UTC ns.
        registers: the words, or bits as 0 and 1, from `address` on.

    """

    device: str
    unit: int
    poll: int
    at_ns: int
    table: Table
    address: int
    registers: Sequence[int]


class Record(Protocol):
    """Where answers are noted."""

    def note(self, answer: Answer) -> None:
        """Note an answer; it survives the end of this process."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoRecord:
    """Notes nothing."""

    def note(self, answer: Answer) -> None:
        """Forget the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """Notes answers in a file, each flushed to the kernel before `note` returns."""

    file: TextIO

    def note(self, answer: Answer) -> None:
        """Write one line and flush it."""
        fields = {name: getattr(answer, name) for name in Answer.__dataclass_fields__}
        self.file.write(json.dumps(fields, separators=(",", ":")) + "\n")
        self.file.flush()


@contextmanager
def record_in(path: Path | None) -> Iterator[Record]:
    """Yield the record in a file, which is added to; without a path nothing is noted.

    Raises:
        OperatorError: the file cannot be opened.

    """
    if path is None:
        yield NoRecord()
        return
    try:
        file = path.open("a", encoding="ascii")
    except OSError as error:
        problem = f"{path}: {error.strerror}. Name a file that can be written"
        raise OperatorError(problem) from error
    with file:
        yield FileRecord(file=file)
