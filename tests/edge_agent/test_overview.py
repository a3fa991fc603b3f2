"""What the running agent tells of its channels, while configurations come and go."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.wire.readings import Readings
from edge_agent.wire.vocabulary import NO_VALUE, Reason
from tests.edge_agent.at_work import applying, plan, without_a_device

pytestmark = pytest.mark.asyncio


def readings(*numbers: int, quality: int = Reason.JUDGED) -> Readings:
    """Return a reading of 100 of each of these channels."""
    count = len(numbers)
    return Readings(
        at_ns=7,
        mono_ns=7,
        channel=np.array(numbers, np.uint32),
        raw=np.full(count, 100, np.int64),
        status=np.full(count, 5, np.uint32),
        quality=np.full(count, quality, np.uint32),
    )


async def test_a_channel_is_told_before_its_first_reading(tmp_path: Path) -> None:
    folder = without_a_device(tmp_path)
    async with applying(folder, lambda: plan(folder)) as (_, overview):
        (device,) = overview.plan.devices
        told = list(overview.channels())
        assert [one.channel for one in told] == [row.channel for row in device.channels]
        assert {(one.at_ns, one.raw, one.value, one.quality, one.status) for one in told} == {
            (None, None, None, None, None)
        }


async def test_a_reading_is_told_with_raw_word_value_and_status(tmp_path: Path) -> None:
    folder = without_a_device(tmp_path)
    async with applying(folder, lambda: plan(folder)) as (_, overview):
        (device,) = overview.plan.devices
        first, *others = (row.channel for row in device.channels)
        overview.recent.took(device.name, readings(first))
        one, *rest = overview.channels()
        assert (one.at_ns, one.raw, one.status) == (7, 100, 5)
        assert one.value is not None
        assert not one.is_stale
        assert [other.raw for other in rest] == [None] * len(others)


async def test_a_reading_without_a_value_has_a_quality_and_no_number(tmp_path: Path) -> None:
    folder = without_a_device(tmp_path)
    async with applying(folder, lambda: plan(folder)) as (_, overview):
        (device,) = overview.plan.devices
        quality = NO_VALUE | Reason.JUDGED
        overview.recent.took(device.name, readings(device.channels[0].channel, quality=quality))
        one = next(overview.channels())
        assert (one.value, one.quality) == (None, quality)


async def test_readings_of_channels_that_are_gone_are_not_told(tmp_path: Path) -> None:
    folder = without_a_device(tmp_path)
    async with applying(folder, lambda: plan(folder)) as (_, overview):
        (device,) = overview.plan.devices
        number = device.channels[0].channel
        last = max(row.channel for row in device.channels)
        overview.recent.took(device.name, readings(number, last + 7))
        told = {one.channel: one.raw for one in overview.channels()}
        assert told[number] == 100
        assert last + 7 not in told


async def test_a_device_of_another_name_has_no_reading(tmp_path: Path) -> None:
    folder = without_a_device(tmp_path)
    async with applying(folder, lambda: plan(folder)) as (_, overview):
        (device,) = overview.plan.devices
        overview.recent.took(device.name, readings(device.channels[0].channel))
        overview.plan = replace(overview.plan, devices=(replace(device, name="other"),))
        assert next(overview.channels()).raw is None
