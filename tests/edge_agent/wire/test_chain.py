"""What a batch owes to the one before it, and which fault is of which kind."""

import pytest

from edge_agent.wire.batch import Position
from edge_agent.wire.chain import link_fault, successor_fault
from edge_agent.wire.header import batch_hash
from edge_agent.wire.vocabulary import NO_HASH, Hash
from tests.edge_agent.wire.samples import BOOT, CHAIN, GOOD_HEADER, HASH, OTHER, header
from tests.header_fields import HeaderFields

PREVIOUS = GOOD_HEADER
PREVIOUS_HASH = batch_hash(PREVIOUS.pack())
NEXT: HeaderFields = {"batch_no": 8, "first_seq": 76, "prev_batch_hash": PREVIOUS_HASH}


def test_a_position_goes_on_where_the_last_batch_ended() -> None:
    assert Position.after(PREVIOUS, PREVIOUS_HASH) == Position(
        chain_id=CHAIN, batch_no=8, first_seq=76, prev_batch_hash=PREVIOUS_HASH
    )
    assert Position.genesis(CHAIN) == Position(
        chain_id=CHAIN, batch_no=0, first_seq=0, prev_batch_hash=NO_HASH
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="at the same moment"),
        pytest.param({"mono_ns": PREVIOUS.mono_ns + 1, "wall_ns": 0}, id="wall clock set back"),
        pytest.param(
            {"boot_count": 4, "boot_id": OTHER, "mono_ns": 0}, id="after a boot mono starts anew"
        ),
        pytest.param({"boot_count": 9, "boot_id": OTHER, "mono_ns": 0}, id="after several boots"),
        pytest.param(
            {"boot_count": 4, "boot_id": BOOT}, id="counted on within one boot of the kernel"
        ),
        pytest.param({"config_hash": Hash(b"c" * 32)}, id="another configuration"),
    ],
)
def test_a_good_successor_has_no_fault(changes: HeaderFields) -> None:
    good = header(**NEXT | changes)
    assert link_fault(PREVIOUS, PREVIOUS_HASH, good) is None
    assert successor_fault(PREVIOUS, good) is None


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"gateway_id": OTHER}, "gateway_id", id="gateway"),
        pytest.param({"chain_id": OTHER}, "chain_id", id="chain"),
        pytest.param({"batch_no": 9}, "batch_no", id="a number left out"),
        pytest.param({"batch_no": 7}, "batch_no", id="the same number"),
        pytest.param({"prev_batch_hash": HASH}, "prev_batch_hash", id="another batch before"),
    ],
)
def test_a_batch_that_stands_elsewhere_is_no_link(changes: HeaderFields, word: str) -> None:
    fault = link_fault(PREVIOUS, PREVIOUS_HASH, header(**NEXT | changes))
    assert fault is not None
    assert word in fault


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"first_seq": 75}, "first_seq", id="readings counted twice"),
        pytest.param({"first_seq": 77}, "first_seq", id="a reading left out"),
        pytest.param({"boot_count": 2, "boot_id": OTHER}, "boot_count", id="boots counted back"),
        pytest.param({"boot_id": OTHER}, "boot_id", id="another boot, same count"),
        pytest.param({"mono_ns": PREVIOUS.mono_ns - 1}, "mono_ns", id="clock back within a boot"),
        pytest.param({"boot_count": 4, "mono_ns": 0}, "mono_ns", id="clock back, same kernel"),
    ],
)
def test_a_successor_that_does_not_count_on_is_evidence(changes: HeaderFields, word: str) -> None:
    bad = header(**NEXT | changes)
    assert link_fault(PREVIOUS, PREVIOUS_HASH, bad) is None
    fault = successor_fault(PREVIOUS, bad)
    assert fault is not None
    assert word in fault
