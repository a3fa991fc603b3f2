"""Columns are sequences like any other: elements, slices, equality, and a way through pickle."""

import pickle
from dataclasses import replace

import pytest

from edge_agent.config.columns import Channels, Point, PointFacts, Points
from edge_agent.config.protocols.modbus import Register
from edge_agent.config.vocabulary import Table
from edge_agent.wire.bundle import ChannelFacts

NUMBERS = [3, 7, 4_000_000_000]
PLACES = [Register(table=Table.INPUT, address=address) for address in (0, 2, 4)]
POINTS = Points(
    NUMBERS, tuple(PointFacts(place=at, raw_type="float32", status=None) for at in PLACES)
)
FACTS = ChannelFacts(
    parameter="NOx",
    unit_of_measure="ppm",
    raw_type="float32",
    word_order="ABCD",
    scale="1",
    offset="0",
    resolution="0.1",
    status_source=None,
    profile="example/one",
    profile_hash="0" * 64,
)


def channels(*names: str, numbers: list[int] | None = None) -> Channels:
    return Channels(
        numbers if numbers is not None else NUMBERS[: len(names)],
        (FACTS,) * len(names),
        device="a",
        names=names,
        facilities=("F",) * len(names),
    )


def test_points_are_those_that_went_in() -> None:
    expected = [
        Point(channel=number, place=at, raw_type="float32", status=None)
        for number, at in zip(NUMBERS, PLACES, strict=True)
    ]
    assert list(POINTS) == expected
    assert [POINTS[index] for index in range(3)] == expected
    assert POINTS[-1] == expected[-1]
    assert POINTS[1:] == tuple(expected[1:])
    with pytest.raises(IndexError):
        POINTS[3]


def test_rows_have_their_own_number_and_name() -> None:
    rows = list(channels("north", "südlich µ", "x"))
    assert [(row.channel, row.name) for row in rows] == list(
        zip(NUMBERS, ["north", "südlich µ", "x"], strict=True)
    )
    assert channels("north", "south")[1] == replace(rows[1], name="south")


def test_a_device_may_have_no_channels() -> None:
    assert list(channels()) == []
    assert channels().names == []


def test_columns_are_equal_when_everything_in_them_is() -> None:
    assert channels("a", "b") == channels("a", "b")
    assert hash(channels("a", "b")) == hash(channels("a", "b"))
    assert channels("a", "b") != channels("a", "c")
    assert channels("a", "b") != channels("a", "b", numbers=[3, 8])
    assert channels("a", "b") != tuple(channels("a", "b"))


def test_columns_come_out_of_a_pickle_as_they_went_in() -> None:
    for columns in (POINTS, channels("a", "b")):
        assert pickle.loads(pickle.dumps(columns)) == columns  # noqa: S301 - our own bytes
