"""Whether the log beside a database was damaged: SQLite takes the damaged rest for unfinished.

A commit is flushed before the next one begins, so what a power cut leaves behind the last sound
frame is at most one unfinished transaction. More than that was committed, and SQLite would forget
it without a word: `forgotten` asks what stands in the frames behind. Source: SQLite file format,
section 4 (the write-ahead log).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.buffer import schema

HEADER_BYTES: Final = 32
FRAME_HEADER_BYTES: Final = 24
# Bytes of a frame's header that are under its checksum: page number and size after the commit.
_SUMMED_BYTES: Final = 8
_STRIDE: Final = FRAME_HEADER_BYTES + schema.PAGE_BYTES
# The log is kept at schema.LOG_BYTES; no more of a longer one is looked at.
MOST_BYTES: Final = 4 * schema.LOG_BYTES
_MAGICS: Final = {0x377F0682: "<u4", 0x377F0683: ">u4"}  # how the words under a checksum are read
_MASK: Final = 0xFFFFFFFF
_PAIR: Final = struct.Struct(">II")

Sum = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a log is like.

    Attributes:
        fault: what is wrong with it for certain; None where nothing is.
        behind: frames of this log, not of an earlier use of its file, behind its last commit that
            SQLite reads: what is left of an unfinished transaction, or of damaged ones.

    """

    fault: str | None = None
    behind: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    is_commit: bool
    salts: bytes
    stated: Sum
    summed: bytes


def read_log(path: Path) -> Log:
    """Return what the log of a database is like, also where there is none."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES)
    except FileNotFoundError:
        return Log()
    if len(content) < HEADER_BYTES + _STRIDE:
        return Log()
    (magic,) = struct.unpack_from(">I", content)
    order = _MAGICS.get(magic)
    header = content[:HEADER_BYTES]
    if order is None or _sum((0, 0), header[:24], order) != _PAIR.unpack(header[24:]):
        return Log(fault="its log has a damaged header")
    return _behind_header(content, order)


def _behind_header(content: bytes, order: str) -> Log:
    salts = content[16:24]
    before: Sum = _PAIR.unpack_from(content, 24)
    sound_count, commit_count, is_behind = 0, 0, False
    behind: list[int] = []
    for index, frame in enumerate(_frames(content)):
        is_ours = frame.salts == salts
        is_next = is_ours and _sum(before, frame.summed, order) == frame.stated
        before = frame.stated
        if is_ours:
            behind.append(index)
        if not is_behind and is_next:
            sound_count += 1
            if frame.is_commit:
                behind.clear()
            continue
        # What follows on from what a frame says of itself was written after it, whole.
        commit_count = frame.is_commit + (commit_count if is_next else 0)
        is_behind = True
        if is_next and commit_count > 1:
            return Log(fault=f"its log is damaged behind frame {sound_count}")
    return Log(behind=tuple(behind))


def _frames(content: bytes) -> Iterator[_Frame]:
    for at in range(HEADER_BYTES, len(content) - _STRIDE + 1, _STRIDE):
        page = content[at + FRAME_HEADER_BYTES : at + _STRIDE]
        _, size_after = _PAIR.unpack_from(content, at)
        yield _Frame(
            is_commit=size_after > 0,
            salts=content[at + 8 : at + 16],
            stated=_PAIR.unpack_from(content, at + 16),
            summed=content[at : at + _SUMMED_BYTES] + page,
        )


def _sum(before: Sum, content: bytes, order: str) -> Sum:
    """Return the running checksum behind some bytes (section 4.2)."""
    first, second = before
    words = np.frombuffer(content, order).tolist()
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
