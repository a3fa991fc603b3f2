"""Sealed segments: immutable files of batches, named by their hash, beside the store.

A file is written and read back before anything is forgotten for it; every read checks the record's
own hash, and that it is the batch that was asked for. Files are never changed or removed here.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from central_sync.model import StoredBatch
from central_sync.proofs.archive import Record, pack_record, read_record
from edge_agent.wire.frame import BatchFrame, FrameFlag
from edge_agent.wire.header import batch_hash
from edge_agent.wire.receipt import BatchPlace
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash, Verdict

_UNFINISHED: Final = "unfinished"
_SUFFIX: Final = ".segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBatch:
    """Where a batch begins in a segment; `receipt` tells it from an earlier form of itself."""

    place: BatchPlace
    receipt: bytes
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One file: its hash, its size, and the batches in it."""

    sha256: Hash
    size_bytes: int
    batches: tuple[SealedBatch, ...]


def frame_of(batch: StoredBatch) -> BatchFrame:
    """Return a stored batch as a frame, its signed bytes verbatim."""
    is_headstone = batch.verdict is Verdict.HEADSTONE
    return BatchFrame(
        flags=FrameFlag.HEADSTONE if is_headstone else FrameFlag(0),
        header_bytes=batch.header_bytes,
        signature=batch.signature,
        body=batch.body,
    )


class SegmentFolder:
    """The folder; made when the first segment is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, named: Hash) -> Path:
        """Return the file of a segment."""
        return self._folder / f"{named.hex()}{_SUFFIX}"

    def write(self, batches: Iterable[StoredBatch]) -> Segment:
        """Write batches as one segment; on return it is on the disk, whole, under its name.

        Raises:
            OSError: it could not be written; what is left of it is written over next time.
            RefusedError: what was read back is not what was written.

        """
        self._folder.mkdir(mode=0o750, exist_ok=True)
        unfinished = self._folder / _UNFINISHED
        digest = sha256()
        sealed: list[SealedBatch] = []
        size = 0
        with unfinished.open("wb") as file:
            for batch in batches:
                record = pack_record(frame_of(batch), batch.receipt)
                place = BatchPlace.of(batch.header, batch.batch_hash)
                sealed.append(SealedBatch(place=place, receipt=batch.receipt, start=size))
                file.write(record)
                digest.update(record)
                size += len(record)
            file.flush()
            os.fsync(file.fileno())
        segment = Segment(sha256=Hash(digest.digest()), size_bytes=size, batches=tuple(sealed))
        _require_same(unfinished, segment)
        unfinished.replace(self.path(segment.sha256))
        _sync(self._folder)
        return segment

    def record(self, named: Hash, start: int, wanted: Hash) -> Record:
        """Return the record of a batch.

        Raises:
            OSError: the segment cannot be read.
            RefusedError: what stands there is not that batch.

        """
        with self.path(named).open("rb") as file:
            file.seek(start)
            found = read_record(file.read)
        if found is None or batch_hash(found.frame.header_bytes) != wanted:
            raise RefusedError(Code.FRAME, f"batch {wanted.hex()[:16]} is not in its segment")
        return found


def _require_same(path: Path, segment: Segment) -> None:
    """Refuse a file that is not what was written: a disk may say yes and keep something else."""
    digest = sha256()
    with path.open("rb") as file:
        for piece in iter(partial(file.read, 1 << 20), b""):
            digest.update(piece)
    if digest.digest() != segment.sha256:
        raise RefusedError(Code.FRAME, f"{path}: what was read back is not what was written")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
