"""What stops and what starts when another configuration is applied."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.device import Device, Endpoint
from edge_agent.config.protocols.modbus import ModbusSpeech
from edge_agent.reload import by_endpoint, changes


def device(name: str, port: int, unit: int = 1) -> Device:
    return Device(
        name=name,
        endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=port),
        speech=ModbusSpeech(unit_id=unit, max_registers_per_read=125, unreadable=()),
        period_s=1.0,
        timeout_s=0.5,
        points=(),
        channels=(),
        limits=(),
        status_rules=(),
    )


A, B, C = device("a", 1), device("b", 2), device("c", 2, unit=2)


def test_nothing_stops_or_starts_without_a_change() -> None:
    change = changes([A, B], [A, B])
    assert change.stops == ()
    assert change.starts == {}


def test_a_changed_device_stops_and_starts_its_endpoint_only() -> None:
    slower = replace(A, period_s=5.0)
    change = changes([A, B], [slower, B])
    assert change.stops == (A.endpoint,)
    assert change.starts == {A.endpoint: (slower,)}


def test_a_device_that_joins_an_endpoint_restarts_it() -> None:
    change = changes([A, B], [A, B, C])
    assert change.stops == (B.endpoint,)
    assert change.starts == {B.endpoint: (B, C)}


devices = st.lists(
    st.builds(device, st.sampled_from("abc"), st.integers(1, 4), st.integers(1, 2)), max_size=6
)


@given(old=devices, new=devices)
def test_after_a_change_exactly_the_new_devices_are_polled(
    old: list[Device], new: list[Device]
) -> None:
    change = changes(old, new)
    polled = {key: value for key, value in by_endpoint(old).items() if key not in change.stops}
    assert not polled.keys() & change.starts.keys()
    assert polled | dict(change.starts) == by_endpoint(new)
