"""Leaves, root and proofs: the RFC 6962 tree over the scans and events of one batch.

Hashes only: nothing is parsed and nobody is trusted. Scans come first, events follow
(docs/wire-format.md section 5).
"""

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final

import numpy as np

from edge_agent.wire.readings import ROW, RowArray
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash

_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def scan_leaves(rows: RowArray) -> list[Hash]:
    """Return the leaf of each scan, in order; rows of one scan stand together (check_scans)."""
    if not len(rows):
        return []
    # One copy of all rows, then slices of it: 200 scans of 125 rows hash without touching a field.
    packed = memoryview(np.ascontiguousarray(rows).tobytes())
    starts = np.flatnonzero(np.diff(rows["scan"])) + 1
    edges = [0, *(starts * ROW.itemsize).tolist(), len(packed)]
    return [Hash(sha256(_LEAF + packed[start:end]).digest()) for start, end in pairwise(edges)]


def event_leaf(line: bytes) -> Hash:
    """Return the leaf of one event; line is its canonical JSON without 0x0A."""
    return Hash(sha256(_LEAF + line).digest())


def root(leaves: Sequence[Hash]) -> Hash:
    """Return the RFC 6962 tree hash of at least one leaf."""
    if not leaves:
        raise ValueError("a tree has at least one leaf: a batch holds a row or an event")
    level = list(leaves)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def audit_path(leaves: Sequence[Hash], index: int) -> list[Hash]:
    """Return the RFC 6962 audit path of the leaf at index, from the leaf's sibling upwards."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} of {len(leaves)} does not exist")
    path = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _level_above(level)
        index >>= 1
    return path


def root_from_path(leaf: Hash, index: int, count: int, path: Sequence[Hash]) -> Hash:
    """Return the root that a leaf and its audit path lead to.

    Args:
        leaf: hash of the leaf.
        index: its place among the leaves; of a scan, the number of the scan.
        count: number of leaves of the batch.
        path: audit path, from the leaf's sibling upwards.

    Raises:
        RefusedError: ROOT: such a leaf does not exist, or its path has another length.

    Source: RFC 9162 section 2.1.3.2.

    """
    if not 0 <= index < count:
        raise RefusedError(Code.ROOT, f"leaf {index} of {count} does not exist")
    here, last, node = index, count - 1, leaf
    rest = list(path)
    while last:
        # A last node without sibling rises to the level above unchanged.
        if here & 1 or here < last:
            if not rest:
                raise RefusedError(Code.ROOT, f"{len(path)} hashes are too short a path")
            sibling = rest.pop(0)
            node = _node(sibling, node) if here & 1 else _node(node, sibling)
        here >>= 1
        last >>= 1
    if rest:
        raise RefusedError(Code.ROOT, f"{len(path)} hashes are too long a path")
    return node


def scan_subtrees(leaves: Sequence[Hash], scan_count: int) -> list[Hash]:
    """Return the roots of the largest subtrees that hold only scans, left to right."""
    return [root(leaves[start:end]) for start, end in _scan_ranges(len(leaves), scan_count)]


def fold_headstone(scan_count: int, hashes: Sequence[Hash], event_leaves: Sequence[Hash]) -> Hash:
    """Return the root that the subtrees of given-up scans and the event leaves lead to.

    Args:
        scan_count: how many scans were given up.
        hashes: roots of the largest subtrees that hold only scans, left to right.
        event_leaves: leaves of the events that were kept.

    Raises:
        RefusedError: HEADSTONE: there are no leaves, or the number of hashes does not fit.

    """
    count = scan_count + len(event_leaves)
    if count == 0:
        raise RefusedError(Code.HEADSTONE, "neither scans nor events")
    ranges = _scan_ranges(count, scan_count)
    if len(ranges) != len(hashes):
        raise RefusedError(Code.HEADSTONE, f"{len(hashes)} hashes, must be {len(ranges)}")
    given = dict(zip(ranges, hashes, strict=True))

    def fold(start: int, end: int) -> Hash:
        if (start, end) in given:
            return given[start, end]
        if end - start == 1:
            return event_leaves[start - scan_count]
        middle = start + _split(end - start)
        return _node(fold(start, middle), fold(middle, end))

    return fold(0, count)


def _level_above(level: list[Hash]) -> list[Hash]:
    # Pairing from the left and letting an odd last node rise gives the tree of RFC 6962, which
    # splits at the largest power of two below the count.
    above = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _node(left: Hash, right: Hash) -> Hash:
    return Hash(sha256(_NODE + left + right).digest())


def _split(count: int) -> int:
    """Return the largest power of two below count (count > 1)."""
    return 1 << (count - 1).bit_length() - 1


def _scan_ranges(count: int, scan_count: int) -> list[tuple[int, int]]:
    """Return the (start, end) of the largest subtrees of scans among count leaves."""

    def ranges(start: int, end: int) -> list[tuple[int, int]]:
        if start >= scan_count:
            return []
        if end <= scan_count:
            return [(start, end)]
        middle = start + _split(end - start)
        return ranges(start, middle) + ranges(middle, end)

    return ranges(0, count)
