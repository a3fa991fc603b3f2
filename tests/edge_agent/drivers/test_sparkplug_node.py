"""An edge node as its messages tell: names, aliases, gaps, deaths, and what of it is good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.drivers.sparkplug_node import NULL, STALE, UNSURE, Kind, Node
from edge_agent.drivers.sparkplug_payload import (
    DataType,
    Metric,
    Payload,
    Slot,
    double_bits,
    float_bits,
)
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason

NOX = ("gas", "nox")
GOOD = {"Quality": 192}


def float_metric(value: float, *, name: str | None = None, alias: int | None = None) -> Metric:
    is_birth = name is not None
    return Metric(
        name=name,
        alias=alias,
        datatype=DataType.FLOAT if is_birth else None,
        slot=Slot.FLOAT,
        value=float_bits(value),
        properties=GOOD,
    )


def bd_seq(number: int) -> Metric:
    return Metric(name="bdSeq", datatype=DataType.INT64, slot=Slot.LONG, value=number)


def born(number: int = 0) -> Node:
    node = Node()
    node.heard(Kind.NODE_BIRTH, "", Payload(seq=0, metrics=(bd_seq(number),)))
    node.heard(
        Kind.DEVICE_BIRTH,
        "gas",
        Payload(seq=1, metrics=(float_metric(1.0, name="nox", alias=7),)),
    )
    return node


def data(seq: int, value: float, alias: int = 7) -> Payload:
    return Payload(seq=seq, metrics=(float_metric(value, alias=alias),))


def test_an_alias_means_what_the_birth_said() -> None:
    node = born()
    assert node.reading(NOX, "float32") == (float_bits(1.0), 192, 0)
    change = node.heard(Kind.DEVICE_DATA, "gas", data(2, 2.5))
    assert (change.lost, change.is_lost_in) == (None, False)
    assert node.reading(NOX, "float32") == (float_bits(2.5), 192, 0)


def test_a_gap_is_counted_and_values_under_an_alias_are_doubted_until_a_birth() -> None:
    node = born()
    change = node.heard(Kind.DEVICE_DATA, "gas", data(5, 2.5))
    assert (change.lost, change.is_lost_in) == (3, True)
    assert node.reading(NOX, "float32") == (float_bits(2.5), 192, UNSURE)
    named = Payload(seq=6, metrics=(float_metric(3.5, name="nox"),))
    assert node.heard(Kind.DEVICE_DATA, "gas", named).lost is None
    assert node.reading(NOX, "float32") == (float_bits(3.5), 192, 0)
    node.heard(Kind.DEVICE_DATA, "gas", data(7, 4.5))
    assert node.reading(NOX, "float32")[2] == UNSURE
    node.heard(Kind.NODE_BIRTH, "", Payload(seq=0, metrics=(bd_seq(0),)))
    again = Payload(seq=1, metrics=(float_metric(5.5, name="nox", alias=8),))
    node.heard(Kind.DEVICE_BIRTH, "gas", again)
    node.heard(Kind.DEVICE_DATA, "gas", data(2, 6.5, alias=8))
    assert node.reading(NOX, "float32") == (float_bits(6.5), 192, 0)


@given(st.integers(0, 255), st.integers(1, 254))
def test_as_many_are_lost_as_numbers_are_missing_also_across_the_wrap(
    first: int, missing: int
) -> None:
    node = Node()
    node.heard(Kind.NODE_BIRTH, "", Payload(seq=first))
    change = node.heard(Kind.NODE_DATA, "", Payload(seq=(first + missing + 1) % 256))
    assert change.lost == missing


def test_255_is_followed_by_0() -> None:
    node = Node()
    node.heard(Kind.NODE_BIRTH, "", Payload(seq=255))
    assert node.heard(Kind.NODE_DATA, "", Payload(seq=0)).lost is None


@pytest.mark.parametrize("seq", [None, 0, 256])
def test_a_number_that_says_nothing_is_a_loss_that_nobody_can_count(seq: int | None) -> None:
    node = Node()
    node.heard(Kind.NODE_BIRTH, "", Payload(seq=0))
    assert node.heard(Kind.NODE_DATA, "", Payload(seq=seq)).lost == 0


def test_the_death_of_a_device_leaves_its_values_stale_until_it_is_born_again() -> None:
    node = born()
    change = node.heard(Kind.DEVICE_DEATH, "gas", Payload(seq=2))
    assert change.died == frozenset({"gas"})
    assert node.is_dead("gas")
    assert not node.is_dead("")
    assert node.reading(NOX, "float32") == (float_bits(1.0), 192, STALE)
    again = Payload(seq=3, metrics=(float_metric(5.5, name="nox", alias=9),))
    node.heard(Kind.DEVICE_BIRTH, "gas", again)
    assert node.reading(NOX, "float32") == (float_bits(5.5), 192, 0)


def test_the_death_of_a_node_is_that_of_all_its_devices_and_of_its_aliases() -> None:
    node = born(3)
    change = node.heard(Kind.NODE_DEATH, "", Payload(metrics=(bd_seq(3),)))
    assert change.died == frozenset({"", "gas"})
    assert node.is_dead("gas")
    assert node.reading(NOX, "float32")[2] == STALE
    assert node.heard(Kind.NODE_DEATH, "", Payload(metrics=(bd_seq(3),))).died is None
    change = node.heard(Kind.DEVICE_DATA, "gas", data(0, 9.0))
    assert change.is_lost_in
    assert node.reading(NOX, "float32")[0] == float_bits(1.0)


def test_the_death_of_an_earlier_session_is_none() -> None:
    node = born(3)
    assert node.heard(Kind.NODE_DEATH, "", Payload(metrics=(bd_seq(2),))).died is None
    assert not node.is_dead("gas")


def test_data_without_a_birth_are_taken_by_name_and_not_by_alias() -> None:
    node = Node()
    change = node.heard(Kind.DEVICE_DATA, "gas", data(4, 2.0))
    assert change.is_lost_in
    assert NOX not in node.values
    node.heard(Kind.DEVICE_DATA, "gas", Payload(seq=5, metrics=(float_metric(2.0, name="nox"),)))
    assert node.reading(NOX, "float32") == (float_bits(2.0), 192, 0)


def test_an_alias_of_another_device_is_no_value() -> None:
    node = born()
    assert node.heard(Kind.DEVICE_DATA, "dust", data(2, 9.0)).is_lost_in
    assert node.reading(NOX, "float32")[0] == float_bits(1.0)


@pytest.mark.parametrize(
    ("quality", "doubts"),
    [
        (192, 0),
        (0, QualityClass.FAILURE | Reason.DEVICE_FAULT),
        (500, QualityClass.FAILURE | Reason.LATE),
        (7, QualityClass.FAILURE | Reason.COMMUNICATION),
        (None, Reason.NO_FLAGS),
    ],
)
def test_each_quality_is_what_the_specification_says_and_others_are_none(
    quality: int | None, doubts: int
) -> None:
    node = born()
    properties = {} if quality is None else {"Quality": quality}
    metric = Metric(alias=7, slot=Slot.FLOAT, value=float_bits(4.0), properties=properties)
    node.heard(Kind.DEVICE_DATA, "gas", Payload(seq=2, metrics=(metric,)))
    assert node.reading(NOX, "float32") == (float_bits(4.0), quality or 0, int(doubts))


def test_null_is_no_value() -> None:
    node = born()
    metric = Metric(alias=7, is_null=True, properties=GOOD)
    node.heard(Kind.DEVICE_DATA, "gas", Payload(seq=2, metrics=(metric,)))
    assert node.reading(NOX, "float32") == (0, 192, int(NULL))


def test_values_of_earlier_times_are_told_apart_from_the_last_one() -> None:
    node = born()
    metric = Metric(
        alias=7,
        timestamp_ms=1000,
        is_historical=True,
        slot=Slot.FLOAT,
        value=float_bits(4.0),
        properties=GOOD,
    )
    change = node.heard(Kind.DEVICE_DATA, "gas", Payload(seq=2, metrics=(metric,)))
    assert [(at, name, held.raw) for at, name, held in change.past] == [
        (1000, NOX, float_bits(4.0))
    ]
    assert node.reading(NOX, "float32")[0] == float_bits(1.0)


@pytest.mark.parametrize(
    ("datatype", "slot", "value", "raw_type", "raw"),
    [
        (DataType.DOUBLE, Slot.DOUBLE, double_bits(-1.5), "float64", double_bits(-1.5) - 2**64),
        (DataType.FLOAT, Slot.FLOAT, float_bits(-1.5), "float32", float_bits(-1.5)),
        (DataType.BOOLEAN, Slot.BOOLEAN, 1, "bool", 1),
        (DataType.INT16, Slot.INT, 0xFFFB, "int16", -5),
        (DataType.INT8, Slot.INT, 0xFB, "int64", -5),
        (DataType.UINT64, Slot.LONG, 2**64 - 1, "uint64", -1),
        (DataType.INT32, Slot.INT, 70_000, "int16", None),
        (DataType.FLOAT, Slot.FLOAT, 1, "float64", None),
        (DataType.DOUBLE, Slot.FLOAT, 1, "float64", None),
        (DataType.INT32, Slot.INT, 1, "float32", None),
        (DataType.INT32, Slot.INT, 1, "bool", None),
        (DataType.BOOLEAN, Slot.BOOLEAN, 1, "int16", None),
        (DataType.STRING, Slot.STRING, "1", "int16", None),
    ],
)
def test_a_metric_of_another_type_is_no_value_and_is_never_converted(
    datatype: int, slot: Slot, value: int | str, raw_type: str, raw: int | None
) -> None:
    node = Node()
    metric = Metric(name="m", datatype=datatype, slot=slot, value=value, properties=GOOD)
    node.heard(Kind.NODE_BIRTH, "", Payload(seq=0, metrics=(metric,)))
    found, _, doubts = node.reading(("", "m"), raw_type)
    if raw is None:
        assert (found, doubts) == (0, NO_VALUE | QualityClass.FAILURE | Reason.COMMUNICATION)
    else:
        assert (found, doubts) == (raw, 0)
