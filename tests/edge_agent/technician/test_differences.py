"""What a technician reads before another configuration is applied."""

from dataclasses import replace

from edge_agent.config.device import Device
from edge_agent.config.device_parts import Limits
from edge_agent.config.protocols.modbus import ModbusSpeech
from edge_agent.technician.differences import MOST_DETAILS, Difference, Kind, differences
from tests.edge_agent.rows import device_with

A, B = device_with("a", [1, 2], port=1), device_with("b", [3], port=2)


def details(after: Device) -> tuple[str, ...]:
    """Return what is said about device a when it becomes another."""
    (one,) = differences([A], [after])
    assert one.kind is Kind.CHANGED
    return one.details


def test_every_device_is_told_once_by_name() -> None:
    found = differences([A, B], [device_with("c", [4], port=3), A])
    assert [(one.name, one.kind) for one in found] == [
        ("a", Kind.UNCHANGED),
        ("b", Kind.REMOVED),
        ("c", Kind.ADDED),
    ]
    assert found[2].details == ("modbus tcp://127.0.0.1:3, 1 channels",)


def test_an_address_and_a_period_are_told_as_they_were_and_as_they_become() -> None:
    slow = replace(device_with("a", [1, 2], port=9), period_s=5.0)
    assert details(slow) == (
        "endpoint: tcp://127.0.0.1:1 -> tcp://127.0.0.1:9",
        "period_s: 1.0 -> 5.0",
    )


def test_how_a_device_is_asked_is_told_key_by_key() -> None:
    speech = ModbusSpeech(unit_id=7, max_registers_per_read=125, unreadable=())
    assert details(replace(A, speech=speech)) == ("unit_id: 1 -> 7",)


def test_channels_are_told_by_number() -> None:
    assert details(device_with("a", [2, 5], port=1)) == (
        "channel 1: removed",
        "channel 5: added",
    )
    limited = replace(A, limits=(Limits(gap_after_s=60.0), Limits()))
    assert details(limited) == ("channel 1: gap_after_s: 900.0 -> 60.0",)


def test_a_long_list_is_cut_and_counted() -> None:
    lines = details(device_with("a", range(101, 121), port=1))
    assert len(lines) == MOST_DETAILS + 1
    assert lines[-1] == "and 10 more"


def test_an_unchanged_device_that_shares_a_connection_is_said_to_connect_anew() -> None:
    neighbour = device_with("b", [3], port=1)
    slower = replace(neighbour, period_s=2.0)
    assert differences([A, neighbour], [A, slower])[0] == Difference(
        name="a", kind=Kind.UNCHANGED, reconnects=True
    )
