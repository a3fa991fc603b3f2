"""Leaves, roots and proofs, against the recursive definition of RFC 6962 section 2.1."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.wire.merkle import (
    audit_path,
    event_leaf,
    fold_headstone,
    root,
    root_from_path,
    scan_leaves,
    scan_subtrees,
)
from edge_agent.wire.readings import RowArray
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import Hash
from tests.edge_agent.wire.samples import refused, row_arrays, scans, unless_refused

HASHES = st.binary(min_size=32, max_size=32).map(Hash)
LEAVES = st.lists(HASHES, min_size=1, max_size=70)


def split(count: int) -> int:
    """Return the largest power of two smaller than count."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def root_by_definition(leaves: list[Hash]) -> bytes:
    """Return MTH of RFC 6962 section 2.1."""
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    left, right = root_by_definition(leaves[:at]), root_by_definition(leaves[at:])
    return sha256(b"\x01" + left + right).digest()


def path_by_definition(index: int, leaves: list[Hash]) -> list[bytes]:
    """Return PATH of RFC 6962 section 2.1.1."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path_by_definition(index, leaves[:at]), root_by_definition(leaves[at:])]
    return [*path_by_definition(index - at, leaves[at:]), root_by_definition(leaves[:at])]


def subtrees_by_definition(leaves: list[Hash], scan_count: int) -> list[bytes]:
    """Return the roots of the largest subtrees that hold only scans, from the top down."""
    if scan_count <= 0:
        return []
    if scan_count >= len(leaves):
        return [root_by_definition(leaves)]
    at = split(len(leaves))
    return [
        *subtrees_by_definition(leaves[:at], min(scan_count, at)),
        *subtrees_by_definition(leaves[at:], scan_count - at),
    ]


@given(rows=row_arrays())
def test_the_leaf_of_a_scan_is_the_hash_of_its_packed_rows(rows: RowArray) -> None:
    expected = []
    for scan in range(int(rows["scan"][-1]) + 1):
        packed = b"".join(row.tobytes() for row in rows if row["scan"] == scan)
        expected.append(sha256(b"\x00" + packed).digest())
    assert scan_leaves(rows) == expected


def test_rows_that_are_a_view_hash_like_a_copy() -> None:
    rows = scans(2, 3, 1, 4)
    assert scan_leaves(rows[::2]) == scan_leaves(rows[::2].copy())


def test_no_rows_have_no_leaves() -> None:
    assert scan_leaves(scans()) == []


def test_the_leaf_of_an_event_is_the_hash_of_its_line() -> None:
    assert event_leaf(b"{}") == sha256(b"\x00{}").digest()


@given(leaves=LEAVES)
def test_the_root_is_that_of_the_definition(leaves: list[Hash]) -> None:
    assert root(leaves) == root_by_definition(leaves)


def test_the_root_of_one_leaf_is_the_leaf() -> None:
    leaf = event_leaf(b"{}")
    assert root([leaf]) == leaf


def test_a_tree_without_leaves_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="at least one leaf"):
        root([])


@given(leaves=LEAVES, choice=st.data())
def test_the_path_is_that_of_the_definition_and_leads_to_the_root(
    leaves: list[Hash], choice: st.DataObject
) -> None:
    index = choice.draw(st.integers(0, len(leaves) - 1))
    path = audit_path(leaves, index)
    assert path == path_by_definition(index, leaves)
    assert root_from_path(leaves[index], index, len(leaves), path) == root(leaves)


@given(leaves=LEAVES, other=HASHES, choice=st.data())
def test_no_other_leaf_place_or_path_leads_to_the_root(
    leaves: list[Hash], other: Hash, choice: st.DataObject
) -> None:
    index = choice.draw(st.integers(0, len(leaves) - 1))
    path = audit_path(leaves, index)
    if other != leaves[index]:
        assert root_from_path(other, index, len(leaves), path) != root(leaves)
    for place in range(len(path)):
        changed = [*path[:place], event_leaf(path[place]), *path[place + 1 :]]
        assert root_from_path(leaves[index], index, len(leaves), changed) != root(leaves)
    elsewhere = choice.draw(st.integers(0, len(leaves) - 1))
    if leaves[elsewhere] != leaves[index] and len(set(leaves)) == len(leaves):
        found = unless_refused(
            Code.ROOT, lambda: root_from_path(leaves[index], elsewhere, len(leaves), path)
        )
        assert found != root(leaves)


@given(leaves=LEAVES, choice=st.data())
def test_a_path_of_another_length_is_refused(leaves: list[Hash], choice: st.DataObject) -> None:
    index = choice.draw(st.integers(0, len(leaves) - 1))
    path = audit_path(leaves, index)
    with refused(Code.ROOT):
        root_from_path(leaves[index], index, len(leaves), [*path, Hash(bytes(32))])
    if path:
        with refused(Code.ROOT):
            root_from_path(leaves[index], index, len(leaves), path[:-1])


@pytest.mark.parametrize("index", [-1, 2])
def test_a_leaf_that_does_not_exist_has_no_proof(index: int) -> None:
    leaves = [event_leaf(b"a"), event_leaf(b"b")]
    with pytest.raises(ValueError, match="does not exist"):
        audit_path(leaves, index)
    with refused(Code.ROOT):
        root_from_path(leaves[0], index, 2, [leaves[1]])


@given(leaves=LEAVES, choice=st.data())
def test_the_subtrees_of_scans_fold_with_the_events_to_the_root(
    leaves: list[Hash], choice: st.DataObject
) -> None:
    scan_count = choice.draw(st.integers(0, len(leaves)))
    hashes = scan_subtrees(leaves, scan_count)
    assert hashes == subtrees_by_definition(leaves, scan_count)
    assert fold_headstone(scan_count, hashes, leaves[scan_count:]) == root(leaves)


@given(leaves=LEAVES, choice=st.data())
def test_another_number_of_subtrees_is_refused(leaves: list[Hash], choice: st.DataObject) -> None:
    scan_count = choice.draw(st.integers(0, len(leaves)))
    hashes = scan_subtrees(leaves, scan_count)
    with refused(Code.HEADSTONE):
        fold_headstone(scan_count, [*hashes, Hash(bytes(32))], leaves[scan_count:])
    if hashes:
        with refused(Code.HEADSTONE):
            fold_headstone(scan_count, hashes[1:], leaves[scan_count:])


def test_a_headstone_of_nothing_is_refused() -> None:
    with refused(Code.HEADSTONE):
        fold_headstone(0, [], [])


def test_a_huge_count_of_scans_costs_nothing() -> None:
    with refused(Code.HEADSTONE):
        fold_headstone(2**32 - 1, [], [event_leaf(b"{}")])
