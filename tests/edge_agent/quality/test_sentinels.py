"""Numbers by which a device says that there is none."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

import pytest

from edge_agent.config.device_parts import Limits, NotAvailable
from edge_agent.quality.judge import Judge
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason
from tests.edge_agent.quality.conftest import MakeDevice, MakeScan

NONE: Final = int(NO_VALUE | Reason.NOT_A_NUMBER | QualityClass.FAILURE)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0.0, NONE),
        (-0.0, NONE),
        (0.5, 0),
        (-0.5, 0),
        (999.0, NONE),
        (-32000.0, 0),
        (-32000.5, NONE),
        (32000.0, 0),
        (32000.5, NONE),
    ],
)
def test_a_sentinel_is_a_failure_without_a_value_and_its_neighbours_are_numbers(
    number: float, expected: int, make_device: MakeDevice, make_scan: MakeScan
) -> None:
    sentinels = NotAvailable(
        values=(Decimal(0), Decimal(999)), below=Decimal(-32000), above=Decimal(32000)
    )
    device = replace(
        make_device([Limits(), Limits()]),
        not_available=(sentinels, NotAvailable(values=(Decimal(7),))),
    )

    readings = Judge(device, simulated=False).judge(make_scan([number, number])).readings

    assert [int(word & ~Reason.JUDGED) for word in readings.quality] == [expected, 0]
    assert readings.raw.tolist() == make_scan([number, number]).raw.tolist()


def test_a_channel_beside_one_with_sentinels_has_none(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    sentinels = NotAvailable(values=(Decimal(0),))
    device = replace(make_device([Limits(), Limits()]), not_available=(None, sentinels))

    readings = Judge(device, simulated=False).judge(make_scan([0, 1])).readings

    assert [int(word & ~Reason.JUDGED) for word in readings.quality] == [0, 0]


def test_what_comes_after_a_sentinel_is_compared_with_what_came_before(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    device = replace(
        make_device([Limits(max_rate_per_s=Decimal(1))]),
        not_available=(NotAvailable(values=(Decimal(0),)),),
    )
    judge = Judge(device, simulated=False)
    seconds = 10**9
    words = [
        judge.judge(make_scan([value], mono_ns=at * seconds)).readings.quality[0]
        for at, value in enumerate([100.0, 0.0, 100.5])
    ]

    assert [bool(int(word) & Reason.SPIKE) for word in words] == [False, False, False]
