"""Headstones: readings are gone, and the root still holds."""

import struct
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.wire.headstone import Headstone, make_headstone, open_headstone
from edge_agent.wire.merkle import event_leaf
from edge_agent.wire.payload import MAX_LINES
from edge_agent.wire.readings import RowArray
from edge_agent.wire.refusal import Code
from edge_agent.wire.vocabulary import Hash
from tests.edge_agent.wire.samples import event, refused, row_arrays, scans, sealed, unless_refused

EVENTS = [event(text=str(n), who="tester") for n in range(3)]
LINES = tuple(one.line for one in EVENTS)
BATCH = sealed(scans(2, 3, 1, 2, 2), EVENTS)
STONE = make_headstone(scans(2, 3, 1, 2, 2), LINES)


def test_a_headstone_keeps_the_root_and_the_events() -> None:
    assert open_headstone(BATCH.header, STONE.pack()) == STONE
    assert STONE.event_lines == LINES
    assert STONE.scan_count == 5


@pytest.mark.parametrize("event_count", range(4))
@pytest.mark.parametrize("scan_count", [1, 2, 3, 4, 7, 8, 9, 64, 65])
def test_every_shape_of_tree_folds(scan_count: int, event_count: int) -> None:
    rows, events = scans(*[1] * scan_count), EVENTS[:event_count]
    stone = make_headstone(rows, [one.line for one in events])
    batch = sealed(rows, events)
    assert open_headstone(batch.header, stone.pack()).scan_count == scan_count
    assert len(stone.pack()) < 8 + 32 * 8 + 4 + 100 * event_count + 1


def test_a_batch_of_events_alone_has_a_headstone_without_scans() -> None:
    batch = sealed(scans(), EVENTS)
    stone = make_headstone(scans(), LINES)
    assert (stone.scan_count, stone.hashes) == (0, ())
    assert open_headstone(batch.header, stone.pack()) == stone


@settings(max_examples=40)
@given(rows=row_arrays(12), count=st.integers(0, 5))
def test_a_headstone_survives_its_bytes(rows: RowArray, count: int) -> None:
    stone = make_headstone(rows, LINES[:1] * count)
    assert Headstone.unpack(stone.pack()) == stone


@given(body=st.binary(max_size=80))
def test_garbage_is_refused_or_is_a_headstone(body: bytes) -> None:
    stone = unless_refused(Code.HEADSTONE, lambda: Headstone.unpack(body))
    assert stone is None or stone.pack() == body


@given(place=st.integers(0, len(STONE.pack()) - 1), flip=st.integers(1, 255))
def test_every_changed_byte_is_refused(place: int, flip: int) -> None:
    damaged = bytearray(STONE.pack())
    damaged[place] ^= flip
    with refused(Code.HEADSTONE):
        open_headstone(BATCH.header, bytes(damaged))


def test_a_headstone_cannot_have_more_scans_than_rows() -> None:
    rows = scans(2)
    stone = make_headstone(rows, [])
    batch = sealed(rows)
    assert open_headstone(batch.header, stone.pack()) == stone
    for scan_count in (3, 2**32 - 1):
        folds_as_well = replace(stone, scan_count=scan_count)
        with refused(Code.HEADSTONE):
            open_headstone(batch.header, folds_as_well.pack())


def test_an_event_cannot_be_given_up_as_a_scan() -> None:
    batch = sealed(scans(), EVENTS)
    hidden = Headstone(scan_count=1, hashes=(event_leaf(LINES[0]),), event_lines=LINES[1:])
    with refused(Code.HEADSTONE):
        open_headstone(batch.header, hidden.pack())


GOOD = STONE.pack()
TWO_HASHES = struct.pack("<II", 5, 2)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:7], id="cut off in the counts"),
        pytest.param(GOOD[: 8 + 31], id="cut off in a hash"),
        pytest.param(GOOD[: 8 + 64 + 3], id="cut off in the length of the events"),
        pytest.param(GOOD[:-1], id="cut off in the events"),
        pytest.param(GOOD + b"\n", id="a byte behind"),
        pytest.param(struct.pack("<II", 5, 2**32 - 1) + GOOD[8:], id="hashes beyond the end"),
        pytest.param(TWO_HASHES + bytes(64) + struct.pack("<I", 2) + b"{}", id="no end of line"),
        pytest.param(
            TWO_HASHES + bytes(64) + struct.pack("<I", MAX_LINES + 1) + b"\n" * (MAX_LINES + 1),
            id="too many events",
        ),
    ],
)
def test_bytes_that_are_no_headstone_are_refused(body: bytes) -> None:
    with refused(Code.HEADSTONE):
        Headstone.unpack(body)


@pytest.mark.parametrize(
    "stone",
    [
        pytest.param(
            Headstone(scan_count=5, hashes=(Hash(bytes(32)), STONE.hashes[1]), event_lines=LINES),
            id="another hash",
        ),
        pytest.param(
            Headstone(scan_count=4, hashes=STONE.hashes[:1], event_lines=LINES), id="a scan less"
        ),
        pytest.param(
            Headstone(scan_count=5, hashes=STONE.hashes, event_lines=LINES[:2]), id="an event less"
        ),
        pytest.param(
            Headstone(scan_count=5, hashes=STONE.hashes, event_lines=LINES[::-1]),
            id="events in another order",
        ),
        pytest.param(
            Headstone(scan_count=11, hashes=STONE.hashes, event_lines=LINES),
            id="more scans than rows",
        ),
        pytest.param(Headstone(scan_count=0, hashes=(), event_lines=LINES), id="no scans"),
    ],
)
def test_a_headstone_of_another_batch_is_refused(stone: Headstone) -> None:
    with refused(Code.HEADSTONE):
        open_headstone(BATCH.header, stone.pack())
