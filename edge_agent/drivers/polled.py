"""The devices that a poller serves, line by line: their turns, and who tells what was missed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.config.device import Device, Endpoint
from edge_agent.drivers.reporting import EventSink, GapReporter
from edge_agent.drivers.turns import Turn, turn_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Polled:
    """One device of a line: when it is polled, and who tells what was missed."""

    device: Device
    turn: Turn
    reporter: GapReporter


def by_endpoint(
    devices: Sequence[Device], sink: EventSink, origin_ns: int
) -> Mapping[Endpoint, list[Polled]]:
    """Return the devices of each endpoint, the turns of all spread evenly over the period."""
    lines: dict[Endpoint, list[Polled]] = {}
    for index, device in enumerate(devices):
        polled = Polled(
            device=device,
            turn=turn_of(device, origin_ns=origin_ns, phase=index / len(devices)),
            reporter=GapReporter(device.name, sink),
        )
        lines.setdefault(device.endpoint, []).append(polled)
    return lines


def next_mono_ns(polled: Polled) -> int:
    """Return the CLOCK_BOOTTIME at which a device is polled next."""
    return polled.turn.next_mono_ns
