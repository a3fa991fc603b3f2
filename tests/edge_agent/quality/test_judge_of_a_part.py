"""Scans of devices that speak unasked hold some of the channels; the others keep their past."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Final

import numpy as np
import pytest

from edge_agent.config.device import Device
from edge_agent.config.device_parts import Limits
from edge_agent.quality.judge import Judge
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import QualityClass, Reason

MakeDevice = Callable[..., Device]
MakeScan = Callable[..., Scan]

S: Final = 1_000_000_000
RANGE: Final = Limits(low=Decimal(-5), high=Decimal(100))
PAST: Final = Limits(max_rate_per_s=Decimal(10), stuck_after_s=3.0, gap_after_s=60.0)


def test_a_part_of_the_channels_is_judged_like_the_whole(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([RANGE, PAST]), simulated=False)
    judge.judge(make_scan([50.0, 10.0]))
    part = make_scan([50.0, 500.0], mono_ns=S)
    part = replace(
        part,
        channel=part.channel[1:],
        raw=part.raw[1:],
        status=part.status[1:],
        transport=part.transport[1:],
    )
    judgement = judge.judge(part)
    assert judgement.is_alarm
    assert judgement.readings.channel.tolist() == [2]
    spike = Reason.JUDGED | QualityClass.OUT_OF_SPECIFICATION | Reason.SPIKE
    assert [int(q) & ~int(Reason.NO_FLAGS) for q in judgement.readings.quality] == [int(spike)]


def test_a_channel_that_is_not_the_devices_is_refused(
    make_device: MakeDevice, make_scan: MakeScan
) -> None:
    judge = Judge(make_device([RANGE]), simulated=False)
    strange = replace(make_scan([50.0]), channel=np.array([7], np.uint32))
    with pytest.raises(ValueError, match="only channels of its device"):
        judge.judge(strange)
