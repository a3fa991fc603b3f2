"""Leaves of scans and events and the RFC 6962 tree hash over them (wire-format section 5)."""

from __future__ import annotations

import hashlib
import struct
from itertools import groupby
from typing import TYPE_CHECKING

from ewcheck.faults import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ewcheck.rows import Row

PACKED = struct.Struct("<IIqqqII")  # scan channel at mono raw status quality: 40 bytes


def scan_leaves(rows: Iterable[Row]) -> list[bytes]:
    """Return one leaf per scan, in order."""
    return [
        _leaf(b"".join(PACKED.pack(*row) for row in scan))
        for _, scan in groupby(rows, key=lambda row: row.scan)
    ]


def event_leaves(lines: Iterable[bytes]) -> list[bytes]:
    """Return one leaf per event line, in order."""
    return [_leaf(line) for line in lines]


def _leaf(content: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + content).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _split(count: int) -> int:
    """Return the largest power of two below `count` (at least 2)."""
    return 1 << (count - 1).bit_length() - 1


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the tree hash of at least one leaf."""
    if len(leaves) == 1:
        return leaves[0]
    left = _split(len(leaves))
    return _node(root(leaves[:left]), root(leaves[left:]))


def headstone_root(scan_count: int, hashes: Sequence[bytes], events: Sequence[bytes]) -> bytes:
    """Return the root that a headstone's subtree hashes and its event leaves fold to."""
    given = iter(hashes)
    try:
        folded = _folded(0, scan_count + len(events), scan_count, given, events)
    except StopIteration:
        raise InvalidError("headstone: too few hashes") from None
    if next(given, None) is not None:
        raise InvalidError("headstone: more hashes than subtrees")
    return folded


def _folded(
    start: int, end: int, scan_count: int, hashes: Iterator[bytes], events: Sequence[bytes]
) -> bytes:
    """Return the hash of the leaves `start` to `end` of a tree whose scans are only subtrees."""
    if end <= scan_count:
        return next(hashes)
    if end - start == 1:
        return events[start - scan_count]
    middle = start + _split(end - start)
    left = _folded(start, middle, scan_count, hashes, events)
    return _node(left, _folded(middle, end, scan_count, hashes, events))
