"""Which way of reading fits: plausibility decides only what it can, and never against the truth."""

import random
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, integers, lists, sampled_from

from edge_agent.config.columns import Point
from edge_agent.config.device import Device, Endpoint, Table
from edge_agent.config.device_parts import Limits
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.config.vocabulary import WordOrder
from edge_agent.technician.candidates import WORD_ORDERS, Candidate
from edge_agent.technician.evidence import (
    Evidence,
    decided,
    equals,
    evidence_of,
    ranked,
    refused_everything,
)
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE
from tests.edge_agent.technician.registers import words_of

RANGE = (0.0, 500.0)


def device(
    order: str,
    count: int,
    *,
    between: tuple[float, float] | None = RANGE,
    raw_type: str = "float32",
) -> Device:
    row = [
        ChannelRow(
            channel=number,
            name=f"v{number}",
            facility="F",
            device="d",
            parameter="NOx",
            unit_of_measure="ppm",
            raw_type=raw_type,
            word_order=order,
            scale="1",
            offset="0",
            resolution="0.01",
            status_source=None,
            profile="a/b",
            profile_hash="0" * 64,
        )
        for number in range(1, count + 1)
    ]
    low, high = (None, None) if between is None else (Decimal(str(x)) for x in between)
    return Device(
        name="d",
        endpoint=Endpoint(scheme="tcp", host="h", port=1),
        speech=ModbusSpeech(unit_id=1, max_registers_per_read=125, unreadable=()),
        period_s=1,
        timeout_s=0.5,
        points=[
            Point(
                channel=one.channel,
                place=Register(table=Table.HOLDING, address=2 * one.channel),
                raw_type=raw_type,
                status=None,
            )
            for one in row
        ],
        channels=row,
        limits=(Limits(low=low, high=high),) * count,
        status_rules=((),) * count,
    )


def scan(values: Sequence[float], order: str, *, transport: int = 0) -> Scan:
    words = words_of(values, order)
    raw = [words[at] << 16 | words[at + 1] for at in range(0, len(words), 2)]
    return raw_scan(raw, transport=transport)


def raw_scan(raw: Sequence[int], *, transport: int = 0) -> Scan:
    return Scan(
        device="d",
        at_ns=0,
        mono_ns=0,
        channel=np.arange(1, len(raw) + 1, dtype=np.uint32),
        raw=np.array(raw, np.int64),
        status=np.zeros(len(raw), np.uint32),
        transport=np.full(len(raw), transport, np.uint32),
    )


def found(
    scans: Sequence[Scan],
    *,
    between: tuple[float, float] | None = RANGE,
    panel: dict[int, Decimal] | None = None,
) -> list[Evidence]:
    count = len(scans[0].channel)
    return [
        evidence_of(
            Candidate(word_order=order), device(order, count, between=between), scans, panel or {}
        )
        for order in WORD_ORDERS
    ]


IN_RANGE = floats(min_value=0.5, max_value=500, width=32)


@given(
    order=sampled_from(WORD_ORDERS),
    passes=lists(lists(IN_RANGE, min_size=3, max_size=3), min_size=1, max_size=10),
)
def test_readings_in_their_range_never_decide_for_another_order(
    order: WordOrder, passes: list[list[float]]
) -> None:
    evidence = found([scan(values, order) for values in passes])
    assert decided(evidence) in (None, Candidate(word_order=order))


@given(order=sampled_from(WORD_ORDERS), seed=integers(0, 2**32))
def test_the_order_of_a_usual_analyzer_is_found(order: WordOrder, seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - a plant, not a secret
    truth = [draw.uniform(1, 500) for _ in range(12)]
    scans = [scan([value * draw.uniform(0.98, 1.02) for value in truth], order) for _ in range(10)]
    best = ranked(found(scans, between=(0, 520)))[0]
    assert best.way == Candidate(word_order=order)
    assert best.plausible_count == best.distinct_count > 100  # of 120, some alike


def test_ten_passes_over_five_gases_decide_almost_always() -> None:
    decisions = []
    for seed in range(200):
        draw = random.Random(seed)  # noqa: S311 - a plant, not a secret
        truth = [draw.uniform(5, 450) for _ in range(5)]
        order = draw.choice(WORD_ORDERS)
        passes = [[value * draw.uniform(0.99, 1.01) for value in truth] for _ in range(10)]
        decisions.append((decided(found([scan(one, order) for one in passes])), order))
    right = sum(way is not None and way.word_order is order for way, order in decisions)
    wrong = sum(way is not None and way.word_order is not order for way, order in decisions)
    assert wrong == 0
    assert right >= 190


@pytest.mark.parametrize("order", WORD_ORDERS)
def test_without_a_range_the_size_of_a_number_tells(order: WordOrder) -> None:
    draw = random.Random(7)  # noqa: S311 - a plant, not a secret
    passes = [[draw.uniform(1, 900) for _ in range(8)] for _ in range(10)]
    evidence = found([scan(one, order) for one in passes], between=None)
    assert decided(evidence) == Candidate(word_order=order)


def test_zeros_decide_nothing() -> None:
    evidence = found([scan([0.0, 0.0, 0.0], "ABCD")] * 10)
    assert decided(evidence) is None
    assert equals(evidence) == tuple(Candidate(word_order=order) for order in WORD_ORDERS)


def test_the_same_reading_ten_times_is_one_reading() -> None:
    evidence = found([scan([118.25], "CDAB")] * 10)
    assert {one.distinct_count for one in evidence} == {1}
    assert decided(evidence) is None


def test_one_value_on_the_front_panel_decides_what_plausibility_cannot() -> None:
    scans = [scan([118.25], "CDAB")]
    assert decided(found(scans)) is None
    panel = {1: Decimal("118.3")}
    assert decided(found(scans, panel=panel)) == Candidate(word_order=WordOrder.CDAB)


def test_a_panel_that_shows_something_else_decides_nothing() -> None:
    scans = [scan([118.25, 20.5, 40.75, 5.1, 300.4], "CDAB")]
    assert decided(found(scans, panel={1: Decimal(77)})) is None


@pytest.mark.parametrize(
    ("panel", "is_shown"),
    [("118.25", True), ("120.6", True), ("116", True), ("121.5", False), ("-118.25", False)],
)
def test_a_panel_is_read_a_moment_later_and_rounds(panel: str, *, is_shown: bool) -> None:
    evidence = evidence_of(
        Candidate(), device("ABCD", 1), [scan([118.25], "ABCD")], {1: Decimal(panel)}
    )
    assert evidence.panel_count == is_shown


def test_not_a_number_is_not_plausible_and_breaks_nothing() -> None:
    nan, infinity = 0x7FC0_0001, 0x7F80_0000
    evidence = found([raw_scan([nan, infinity, 0x7FA0_0000])], panel={1: Decimal(1)})
    best = next(one for one in evidence if one.way.word_order is WordOrder.ABCD)
    assert (best.plausible_count, best.panel_count) == (0, 0)
    assert best.values == {1: None, 2: None, 3: None}


def test_what_the_device_refuses_is_no_reading() -> None:
    (evidence, *_) = found([scan([118.25, 3.0], "ABCD", transport=NO_VALUE)])
    assert evidence.refused_count == 2
    assert evidence.distinct_count == 0


def test_a_way_that_is_refused_comes_last() -> None:
    refused = refused_everything(Candidate(word_order=WordOrder.ABCD), device("ABCD", 1), {})
    read = evidence_of(Candidate(), device("ABCD", 1), [scan([118.25], "ABCD")], {})
    assert ranked([refused, read]) == (read, refused)


def test_whole_numbers_without_a_range_can_tell_nothing() -> None:
    whole = device("ABCD", 1, between=None, raw_type="uint32")
    evidence = evidence_of(Candidate(), whole, [raw_scan([5]), raw_scan([6])], {})
    assert evidence.distinct_count == 0


@pytest.mark.parametrize(
    ("plausible", "is_decided"), [(4, True), (5, True), (6, False), (9, False), (10, False)]
)
def test_a_way_is_decided_only_by_a_wide_margin(plausible: int, *, is_decided: bool) -> None:
    best, other = (
        Evidence(
            way=Candidate(word_order=order),
            distinct_count=10,
            plausible_count=count,
            values={1: Decimal(count)},
        )
        for order, count in ((WordOrder.ABCD, 10), (WordOrder.CDAB, plausible))
    )
    assert decided([other, best]) == (best.way if is_decided else None)


def test_a_zero_is_not_counted_because_it_is_zero_in_every_order() -> None:
    assert {one.distinct_count for one in found([scan([0.0, 118.25, 0.0], "ABCD")])} == {1}
