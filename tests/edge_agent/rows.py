"""Modbus devices with channels, and nothing else worth a word."""

from collections.abc import Sequence

from edge_agent.config.device import Device, Endpoint, Point, Table
from edge_agent.config.device_parts import Limits
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.wire.bundle import ChannelRow


def device_with(name: str, numbers: Sequence[int], *, port: int = 502) -> Device:
    """Return a device with these channels, one register each."""
    return Device(
        name=name,
        endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
        speech=ModbusSpeech(unit_id=1, max_registers_per_read=125, unreadable=()),
        period_s=1.0,
        timeout_s=0.5,
        points=tuple(
            Point(
                channel=number,
                place=Register(table=Table.INPUT, address=number),
                raw_type="uint16",
                status=None,
            )
            for number in numbers
        ),
        channels=tuple(_row(name, number) for number in numbers),
        limits=tuple(Limits() for _ in numbers),
        status_rules=tuple(() for _ in numbers),
    )


def _row(device: str, number: int) -> ChannelRow:
    return ChannelRow(
        channel=number,
        name=f"{device} channel {number}",
        facility="plant",
        device=device,
        parameter="NOx",
        unit_of_measure="ppm",
        raw_type="uint16",
        word_order="ABCD",
        scale="1",
        offset="0",
        resolution="1",
        status_source="",
        profile="example/analyzer",
        profile_hash="00" * 32,
    )
