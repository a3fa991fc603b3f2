"""RFC 6962 section 2.1 as it is written there: recursive, over all leaves."""

from collections.abc import Sequence
from hashlib import sha256

from edge_agent.wire.vocabulary import Hash


def split(count: int) -> int:
    """Return the largest power of two smaller than count."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def tree_hash(entries: Sequence[bytes]) -> Hash:
    """Return MTH(D[n])."""
    if not entries:
        return Hash(sha256(b"").digest())
    if len(entries) == 1:
        return Hash(sha256(b"\x00" + entries[0]).digest())
    k = split(len(entries))
    return Hash(sha256(b"\x01" + tree_hash(entries[:k]) + tree_hash(entries[k:])).digest())


def path(m: int, entries: Sequence[bytes]) -> list[Hash]:
    """Return PATH(m, D[n])."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), tree_hash(entries[k:])]
    return [*path(m - k, entries[k:]), tree_hash(entries[:k])]


def proof(m: int, entries: Sequence[bytes]) -> list[Hash]:
    """Return PROOF(m, D[n])."""
    return subproof(m, entries, is_whole=True)


def subproof(m: int, entries: Sequence[bytes], *, is_whole: bool) -> list[Hash]:
    """Return SUBPROOF(m, D[n], b)."""
    if m == len(entries):
        return [] if is_whole else [tree_hash(entries)]
    k = split(len(entries))
    if m <= k:
        return [*subproof(m, entries[:k], is_whole=is_whole), tree_hash(entries[k:])]
    return [*subproof(m - k, entries[k:], is_whole=False), tree_hash(entries[:k])]
