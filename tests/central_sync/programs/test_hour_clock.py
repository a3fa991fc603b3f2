"""What a clock that was not trusted does to the value of an hour."""

from dataclasses import replace

import numpy as np

from central_sync.calc.clock_times import Times
from central_sync.programs.detail import NoValue, parse_detail
from central_sync.programs.hashes import input_hash, output_hash
from central_sync.programs.hour import withdrawn
from edge_agent.wire.vocabulary import Hash
from tests.central_sync.evaluate.signing_gateway import GATEWAY, MINUTE, TEN, rows
from tests.central_sync.programs.one_hour import FULL, batch, tallied, trusted_times, values


def test_a_reading_counts_in_the_hour_of_its_corrected_time() -> None:
    wrong = [(at_ns - TEN, channel, raw) for at_ns, channel, raw in FULL]
    at = np.array([at_ns for at_ns, _, _ in FULL])
    moved = Times(time=at, earliest=at, latest=at, is_moved=np.ones(len(at), np.bool_))
    nox = values(replace(batch(wrong, times=moved), anchors=(Hash(b"a" * 32),)))[1]
    detail = parse_detail(nox.detail)
    assert (nox.is_valid, nox.used_count, detail.corrected) == (True, 4, 4)
    assert not detail.time_uncertain
    named = [Hash(b"a" * 32), Hash(b"\1" * 32)]
    assert nox.input_hash == input_hash(GATEWAY, TEN, named)


def test_an_hour_with_a_reading_that_may_be_of_another_is_marked() -> None:
    late = trusted_times(rows(FULL))
    late = replace(late, latest=late.time + 20 * MINUTE)
    nox = values(batch(FULL, times=late))[1]
    assert parse_detail(nox.detail).time_uncertain
    assert nox.is_valid
    neighbour = trusted_times(rows([(TEN - MINUTE, 1, 7)]))
    neighbour = replace(neighbour, latest=neighbour.time + 20 * MINUTE)
    other = batch([(TEN - MINUTE, 1, 7)], number=2, times=neighbour)
    nox = values(batch(FULL), other)[1]
    assert parse_detail(nox.detail).time_uncertain
    assert nox.used_count == 4
    assert nox.input_hash == input_hash(GATEWAY, TEN, [Hash(b"\1" * 32), Hash(b"\2" * 32)])


def test_a_value_whose_readings_are_of_another_hour_now_is_withdrawn() -> None:
    before = values(batch(FULL))[1]
    empty = tallied()
    after = withdrawn(before, empty)
    assert (after.value, after.is_valid, after.reading_count, after.used_count) == (
        None,
        False,
        0,
        0,
    )
    assert parse_detail(after.detail).no_value is NoValue.MOVED
    assert after.input_hash == input_hash(GATEWAY, TEN, [])
    assert after.output_hash == output_hash(after)
    assert withdrawn(after, empty) == after


def test_a_detail_of_the_first_kernel_is_read_as_one_that_did_not_look_at_clocks() -> None:
    nox = values(batch(FULL))[1]
    text = nox.detail.replace('"corrected":0,', "").replace(',"time_uncertain":false', "")
    assert "corrected" not in text
    assert parse_detail(text) == parse_detail(nox.detail)
