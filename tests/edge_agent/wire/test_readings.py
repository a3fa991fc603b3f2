"""Rows of a batch: how scans are numbered, and which numbers are refused."""

import numpy as np
import pytest

from edge_agent.wire.readings import ROW, Readings, check_scans, rows_of
from edge_agent.wire.refusal import Code
from tests.edge_agent.wire.samples import refused, scans


def test_a_row_is_forty_bytes_in_the_order_of_a_leaf() -> None:
    row = np.array([(1, 2, 3, 4, -5, 6, 7)], dtype=ROW)
    assert row.tobytes().hex() == (
        "01000000" "02000000" "0300000000000000" "0400000000000000" "fbffffffffffffff"
        "06000000" "07000000"
    )  # fmt: skip


def test_scans_are_numbered_in_order_of_arrival() -> None:
    rows = scans(2, 1, 3)
    assert rows["scan"].tolist() == [0, 0, 1, 2, 2, 2]
    assert rows["channel"].tolist() == [1, 2, 1, 1, 2, 3]
    assert rows["mono"].tolist() == [0, 0, 1, 2, 2, 2]
    assert rows["raw"].tolist() == [0, 100, -1, -2, 98, 198]


def test_all_of_a_reading_reaches_its_row() -> None:
    one = Readings(
        at_ns=-9,
        mono_ns=8,
        channel=np.array([4_294_967_295], dtype=np.uint32),
        raw=np.array([-(2**63)], dtype=np.int64),
        status=np.array([0xDEADBEEF], dtype=np.uint32),
        quality=np.array([0x80000001], dtype=np.uint32),
    )
    assert rows_of([one]).tolist() == [(0, 4_294_967_295, -9, 8, -(2**63), 0xDEADBEEF, 0x80000001)]


def test_no_scans_are_no_rows() -> None:
    rows = rows_of([])
    assert rows.shape == (0,)
    assert rows.dtype == ROW
    check_scans(rows)


def test_good_scans_pass() -> None:
    check_scans(scans(1))
    check_scans(scans(3, 1, 2))


@pytest.mark.parametrize(
    ("scan", "channel"),
    [
        pytest.param([1, 1], [1, 2], id="does not start at 0"),
        pytest.param([0, 2], [1, 1], id="rises by 2"),
        pytest.param([0, 1, 0], [1, 1, 2], id="falls"),
        pytest.param([0, 0], [0, 1], id="channel 0"),
        pytest.param([0, 0], [2, 2], id="a channel twice in a scan"),
        pytest.param([0, 0], [2, 1], id="channels fall in a scan"),
        pytest.param([0, 4_294_967_295], [1, 1], id="rises by -1 in 32 bits"),
    ],
)
def test_scans_that_break_a_rule_are_refused(scan: list[int], channel: list[int]) -> None:
    rows = np.zeros(len(scan), dtype=ROW)
    rows["scan"] = scan
    rows["channel"] = channel
    with refused(Code.SCANS):
        check_scans(rows)
