"""Which editions of its configuration the gateway keeps, and which one counts.

Kept beside the buffer and never in it. What is in an edition is the subject of `editions`.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from edge_agent.config.model import AgentFile

FOLDER: Final = "configurations"
RECORD: Final = "record.json"
SUFFIX: Final = ".tar"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Which editions count; an empty text is none.

    Attributes:
        accepted: ran at a start, or has passed its probation.
        tried: is on probation.
        refused: was rolled back.
        reason: why it was.

    """

    accepted: str = ""
    tried: str = ""
    refused: str = ""
    reason: str = ""


class Kept:
    """The editions in the folder of a gateway."""

    def __init__(self, folder: Path) -> None:
        """Take the folder, which may not be there yet."""
        self.folder = folder

    @classmethod
    def of(cls, settings: AgentFile) -> "Kept":
        """Return what the gateway with these settings keeps."""
        return cls(settings.buffer.path.parent / FOLDER)

    def has(self, edition: str) -> bool:
        """Return whether the files of an edition are here."""
        return self.archive(edition).is_file()

    def record(self) -> Record:
        """Return which editions count; one that cannot be read says nothing.

        Raises:
            PermissionError: this user may not look.

        """
        try:
            told = json.loads((self.folder / RECORD).read_bytes())
            return Record(**{name: str(word) for name, word in told.items()})
        except PermissionError:
            raise
        except (OSError, ValueError, TypeError, AttributeError):
            return Record()

    def write(self, record: Record) -> None:
        """Say durably which editions count, and forget the files of all others.

        Raises:
            OSError: it cannot be written.

        """
        if record == self.record():
            return
        self.store(self.folder / RECORD, json.dumps(asdict(record)).encode())
        named = {self.archive(one) for one in (record.accepted, record.tried, record.refused)}
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path not in named:
                path.unlink()

    def archive(self, edition: str) -> Path:
        """Return the file that the files of an edition are kept in."""
        return self.folder / f"{edition}{SUFFIX}"

    def store(self, path: Path, content: bytes) -> None:
        """Write a file of this folder durably, whole or not at all.

        Raises:
            OSError: it cannot be written.

        """
        self.folder.mkdir(mode=0o750, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
