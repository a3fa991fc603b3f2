"""The channels that most of these tests measure with."""

from dataclasses import replace

from edge_agent.wire.bundle import ChannelRow

NOX = ChannelRow(
    channel=1,
    name="NOX",
    facility="PLANT",
    device="analyzer",
    parameter="NOx",
    unit_of_measure="ppm",
    raw_type="uint16",
    word_order="ABCD",
    scale="0.1",
    offset="0",
    resolution="0.1",
    status_source=None,
    profile="test",
    profile_hash="00" * 32,
)
FLAME = replace(
    NOX,
    channel=2,
    name="FLAME",
    parameter="operating",
    unit_of_measure="1",
    raw_type="bool",
    word_order="",
    scale="1",
    resolution="1",
)
