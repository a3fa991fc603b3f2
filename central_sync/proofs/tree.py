"""The tree of the log: RFC 6962 over a list of leaves that only grows.

It grows by its frontier, the roots of its complete subtrees, and proves by asking for the roots of
other complete subtrees: nothing here needs all leaves. Sizes count leaves, indices count from 0.
Source of every definition: RFC 6962 section 2.1, RFC 9162 section 2.1.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from edge_agent.wire.merkle import root as root_of_leaves
from edge_agent.wire.refusal import Code, RefusedError
from edge_agent.wire.vocabulary import Hash

EMPTY_ROOT: Final = Hash(sha256(b"").digest())

Range: TypeAlias = tuple[int, int]
"""Leaves from the first up to, not including, the second."""

NodeAt: TypeAlias = Callable[[int, int], Hash]
"""Given level and place: the root of the complete subtree over leaves
[place << level, (place + 1) << level)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The root of one complete subtree of 2**level leaves."""

    level: int
    place: int
    root: Hash


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree as far as growing needs it: the roots of its complete subtrees, left to right."""

    size: int = 0
    peaks: tuple[Hash, ...] = ()

    def __post_init__(self) -> None:
        if len(self.peaks) != self.size.bit_count():
            raise ValueError(f"{len(self.peaks)} peaks for a tree of {self.size} leaves")

    @property
    def root(self) -> Hash:
        """The tree hash."""
        return _folded(self.peaks)

    def grown(self, leaf: Hash) -> tuple["Frontier", tuple[Node, ...]]:
        """Return the tree with one leaf more, and the subtrees of two or more that it completes."""
        peaks = list(self.peaks)
        made: list[Node] = []
        node = leaf
        level = 0
        while self.size >> level & 1:
            node = _node(peaks.pop(), node)
            level += 1
            made.append(Node(level=level, place=self.size >> level, root=node))
        return Frontier(self.size + 1, (*peaks, node)), tuple(made)


def root_at(size: int, node_at: NodeAt) -> Hash:
    """Return the tree hash of the first `size` leaves."""
    return _range_root(0, size, node_at)


def inclusion_proof(index: int, size: int, node_at: NodeAt) -> tuple[Hash, ...]:
    """Return the audit path of a leaf in the tree of `size` leaves, sibling first.

    Verified by `edge_agent.wire.merkle.root_from_path`.

    Raises:
        ValueError: there is no such leaf.

    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} of {size} does not exist")
    start, end = 0, size
    beside: list[Range] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
    return tuple(_range_root(*one, node_at) for one in reversed(beside))


def consistency_proof(old: int, new: int, node_at: NodeAt) -> tuple[Hash, ...]:
    """Return the proof that the tree of `old` leaves is the beginning of the tree of `new`.

    Raises:
        ValueError: not 0 < old <= new.

    """
    if not 0 < old <= new:
        raise ValueError(f"a tree of {old} leaves is no beginning of one of {new}")
    start, end = 0, new
    is_whole = True
    beside: list[Range] = []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            beside.append((middle, end))
            end = middle
        else:
            beside.append((start, middle))
            start = middle
            is_whole = False
    if not is_whole:
        beside.append((start, end))
    return tuple(_range_root(*one, node_at) for one in reversed(beside))


def check_consistency(
    old: int, old_root: Hash, new: int, new_root: Hash, proof: Sequence[Hash]
) -> None:
    """Refuse a proof that does not show one tree to be the beginning of the other.

    Raises:
        RefusedError: ROOT.

    Source: RFC 9162 section 2.1.4.2.

    """
    if not 0 < old <= new:
        raise RefusedError(Code.ROOT, f"a tree of {old} leaves is no beginning of one of {new}")
    if old == new:
        if proof or old_root != new_root:
            raise RefusedError(Code.ROOT, f"two trees of {old} leaves differ")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise RefusedError(Code.ROOT, "an empty proof of consistency")
    found_old, found_new = _roots_from(old, new, path)
    if found_old != old_root or found_new != new_root:
        raise RefusedError(Code.ROOT, f"the tree of {old} leaves is no beginning of that of {new}")


def _roots_from(old: int, new: int, path: Sequence[Hash]) -> tuple[Hash, Hash]:
    """Return the roots of both trees that a proof leads to."""
    here, last = old - 1, new - 1
    while here & 1:
        here >>= 1
        last >>= 1
    old_root = new_root = path[0]
    for sibling in path[1:]:
        if not last:
            raise RefusedError(Code.ROOT, "too long a proof of consistency")
        if here & 1 or here == last:
            old_root, new_root = _node(sibling, old_root), _node(sibling, new_root)
            while here and not here & 1:
                here >>= 1
                last >>= 1
        else:
            new_root = _node(new_root, sibling)
        here >>= 1
        last >>= 1
    if last:
        raise RefusedError(Code.ROOT, "too short a proof of consistency")
    return old_root, new_root


def around(indices: Sequence[int], size: int) -> Iterator[Range]:
    """Yield the largest subtrees that hold none of these leaves, left to right.

    With their roots and the leaves themselves, `root_around` finds the tree hash.

    Args:
        indices: of leaves, rising.
        size: number of leaves of the tree.

    """

    def ranges(start: int, end: int, low: int, high: int) -> Iterator[Range]:
        if low == high:
            yield start, end
        elif high - low < end - start:
            middle = start + _split(end - start)
            cut = bisect_left(indices, middle, low, high)
            yield from ranges(start, middle, low, cut)
            yield from ranges(middle, end, cut, high)

    if size:
        yield from ranges(0, size, 0, len(indices))


def roots_around(indices: Sequence[int], size: int, node_at: NodeAt) -> Iterator[Hash]:
    """Yield the roots of the subtrees that `around` names."""
    for start, end in around(indices, size):
        yield _range_root(start, end, node_at)


def root_around(
    indices: Sequence[int], leaves: Sequence[Hash], size: int, others: Iterator[Hash]
) -> Hash:
    """Return the tree hash that some leaves and the roots around them lead to.

    Args:
        indices: of the leaves that are known, rising, all below `size`.
        leaves: their hashes, in the same order.
        size: number of leaves of the tree.
        others: roots of the subtrees that hold none of them, left to right.

    Raises:
        RefusedError: ROOT: there are fewer or more of `others` than that.

    """

    def fold(start: int, end: int, low: int, high: int) -> Hash:
        if low == high:
            return _next(others)
        if high - low == end - start:
            return root_of_leaves(leaves[low:high])
        middle = start + _split(end - start)
        cut = bisect_left(indices, middle, low, high)
        return _node(fold(start, middle, low, cut), fold(middle, end, cut, high))

    found = fold(0, size, 0, len(indices)) if size else EMPTY_ROOT
    if next(others, None) is not None:
        raise RefusedError(Code.ROOT, "more hashes than there are subtrees without known leaves")
    return found


def _next(hashes: Iterator[Hash]) -> Hash:
    found = next(hashes, None)
    if found is None:
        raise RefusedError(Code.ROOT, "fewer hashes than there are subtrees without known leaves")
    return found


def _range_root(start: int, end: int, node_at: NodeAt) -> Hash:
    """Return the tree hash of leaves [start, end), where start is where such a subtree begins."""
    peaks: list[Hash] = []
    while start < end:
        level = (end - start).bit_length() - 1
        peaks.append(node_at(level, start >> level))
        start += 1 << level
    return _folded(peaks)


def _folded(peaks: Sequence[Hash]) -> Hash:
    """Return the tree hash over complete subtrees, the largest first."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = _node(left, root)
    return root


def _node(left: Hash, right: Hash) -> Hash:
    return Hash(sha256(b"\x01" + left + right).digest())


def _split(count: int) -> int:
    """Return the largest power of two below count (count > 1)."""
    return 1 << (count - 1).bit_length() - 1
