"""The tree of the log agrees with RFC 6962, however large, and proofs prove nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.proofs.entry import leaf
from central_sync.proofs.tree import (
    EMPTY_ROOT,
    Frontier,
    around,
    check_consistency,
    consistency_proof,
    inclusion_proof,
    root_around,
    root_at,
    roots_around,
)
from edge_agent.wire.merkle import root_from_path
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.proofs.naive import path, proof, tree_hash

ENTRIES = [bytes([number]) for number in range(70)]
LEAVES = [leaf(entry) for entry in ENTRIES]
SIZES = st.integers(1, len(ENTRIES))


def node_at(level: int, place: int) -> Hash:
    """Return the root of a complete subtree of ENTRIES."""
    return tree_hash(ENTRIES[place << level : place + 1 << level])


@given(size=st.integers(0, len(ENTRIES)))
def test_a_tree_that_grew_leaf_by_leaf_has_the_hash_of_all(size: int) -> None:
    tree = Frontier()
    for one in LEAVES[:size]:
        tree, nodes = tree.grown(one)
        for node in nodes:
            assert node.root == node_at(node.level, node.place)
    assert tree.size == size
    assert tree.root == root_at(size, node_at) == tree_hash(ENTRIES[:size])


def test_growing_completes_each_subtree_once() -> None:
    tree = Frontier()
    made = []
    for one in LEAVES[:64]:
        tree, nodes = tree.grown(one)
        made += [(node.level, node.place) for node in nodes]
    assert sorted(made) == [(level, place) for level in range(1, 7) for place in range(64 >> level)]


@given(size=SIZES, place=st.integers(0, 1000))
def test_an_inclusion_proof_is_the_path_of_the_rfc_and_leads_to_the_root(
    size: int, place: int
) -> None:
    index = place % size
    found = inclusion_proof(index, size, node_at)
    assert list(found) == path(index, ENTRIES[:size])
    assert root_from_path(LEAVES[index], index, size, found) == tree_hash(ENTRIES[:size])


@given(sizes=st.tuples(SIZES, SIZES).map(sorted))
def test_a_consistency_proof_is_that_of_the_rfc_and_holds(sizes: list[int]) -> None:
    old, new = sizes
    found = consistency_proof(old, new, node_at)
    assert list(found) == proof(old, ENTRIES[:new])
    check_consistency(old, tree_hash(ENTRIES[:old]), new, tree_hash(ENTRIES[:new]), found)


@given(
    sizes=st.tuples(SIZES, SIZES).map(sorted),
    change=st.sampled_from(["old", "new", "proof", "shorter", "longer"]),
    place=st.integers(0, 1000),
)
def test_no_other_trees_are_consistent(sizes: list[int], change: str, place: int) -> None:
    old, new = sizes
    roots = {"old": tree_hash(ENTRIES[:old]), "new": tree_hash(ENTRIES[:new])}
    found = list(consistency_proof(old, new, node_at))
    if change in roots:
        roots[change] = tree_hash([b"other"])
    elif change == "longer":
        found.append(LEAVES[0])
    elif not found:
        return
    elif change == "shorter":
        found.pop(place % len(found))
    else:
        found[place % len(found)] = Hash(bytes(32))
    with pytest.raises(RefusedError):
        check_consistency(old, roots["old"], new, roots["new"], found)


@given(size=st.integers(0, len(ENTRIES)), chosen=st.sets(st.integers(0, len(ENTRIES) - 1)))
def test_some_leaves_and_the_roots_around_them_lead_to_the_root(
    size: int, chosen: set[int]
) -> None:
    indices = sorted(index for index in chosen if index < size)
    roots = list(roots_around(indices, size, node_at))
    leaves = [LEAVES[index] for index in indices]
    assert root_around(indices, leaves, size, iter(roots)) == tree_hash(ENTRIES[:size])
    ranges = list(around(indices, size))
    covered = [place for start, end in ranges for place in range(start, end)]
    assert sorted([*covered, *indices]) == list(range(size))
    with pytest.raises(RefusedError, match="more hashes"):
        root_around(indices, leaves, size, iter([*roots, LEAVES[0]]))
    if roots:
        with pytest.raises(RefusedError, match="fewer hashes"):
            root_around(indices, leaves, size, iter(roots[:-1]))


def test_the_tree_of_nothing_is_the_hash_of_nothing() -> None:
    assert Frontier().root == EMPTY_ROOT == tree_hash([])


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="does not exist"):
        inclusion_proof(index, size, node_at)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_a_tree_of_nothing_or_more_begins_no_other(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no beginning"):
        consistency_proof(old, new, node_at)
    with pytest.raises(RefusedError, match="no beginning"):
        check_consistency(old, LEAVES[0], new, LEAVES[1], ())


def test_a_frontier_has_one_peak_for_each_complete_subtree() -> None:
    with pytest.raises(ValueError, match="1 peaks for a tree of 3 leaves"):
        Frontier(3, (LEAVES[0],))
