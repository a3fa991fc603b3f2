"""Devices and scans that are judged in these tests."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import pytest

from edge_agent.config.device import Device, Endpoint, Point, StatusRule, Table
from edge_agent.config.device_parts import Limits
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.readings import Scan

MakeDevice: TypeAlias = Callable[..., Device]
MakeScan: TypeAlias = Callable[..., Scan]


@pytest.fixture(scope="session")
def make_device() -> MakeDevice:
    """Return a maker of devices with one float64 channel per limits, in steps of 0.5."""

    def make(
        limits: Sequence[Limits],
        *,
        rules: tuple[StatusRule, ...] = (),
        raw_type: str = "float64",
        resolution: str = "0.5",
    ) -> Device:
        numbers = range(1, len(limits) + 1)
        return Device(
            name="analyzer",
            endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=502),
            speech=ModbusSpeech(unit_id=1, max_registers_per_read=125, unreadable=()),
            period_s=1.0,
            timeout_s=0.5,
            points=tuple(
                Point(
                    channel=number,
                    place=Register(table=Table.INPUT, address=4 * number),
                    raw_type=raw_type,
                    status=None,
                )
                for number in numbers
            ),
            channels=tuple(
                ChannelRow(
                    channel=number,
                    name=f"channel {number}",
                    facility="plant",
                    device="analyzer",
                    parameter="NOx",
                    unit_of_measure="ppm",
                    raw_type=raw_type,
                    word_order="ABCD",
                    scale="1",
                    offset="0",
                    resolution=resolution,
                    status_source="holding:100",
                    profile="example/analyzer",
                    profile_hash="00" * 32,
                )
                for number in numbers
            ),
            limits=tuple(limits),
            status_rules=(rules,) * len(limits),
        )

    return make


@pytest.fixture(scope="session")
def make_scan() -> MakeScan:
    """Return a maker of scans of float64 values; a value of None is one the driver did not get."""

    def make(
        values: Sequence[float | None],
        *,
        mono_ns: int = 0,
        status: Sequence[int] | int = 0,
        transport: Sequence[int] | int = 0,
    ) -> Scan:
        count = len(values)
        # Not the 0 of docs/wire-format.md: nobody may look at the word where there is no value.
        floats = np.array([np.nan if value is None else value for value in values], np.float64)
        bits = np.broadcast_to(np.array(transport, dtype=np.uint32), (count,)).copy()
        bits[[value is None for value in values]] |= np.uint32(1 << 3)
        return Scan(
            device="analyzer",
            at_ns=mono_ns + 1,
            mono_ns=mono_ns,
            channel=np.arange(1, count + 1, dtype=np.uint32),
            raw=floats.view(np.int64),
            status=np.broadcast_to(np.array(status, dtype=np.uint32), (count,)).copy(),
            transport=bits,
        )

    return make
