"""Which endpoints stop, start or stay when a new configuration is applied; pure.

Devices are frozen dataclasses: changed means unequal. One poller serves one endpoint, so the
endpoint is what stops and starts, and an untouched one keeps its connection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.config.plan import Device, Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """The endpoints whose pollers stop, and those that start, with their devices."""

    stops: tuple[Endpoint, ...]
    starts: Mapping[Endpoint, tuple[Device, ...]]


def by_endpoint(devices: Sequence[Device]) -> dict[Endpoint, tuple[Device, ...]]:
    """Return the devices behind each endpoint, in order of configuration."""
    groups: dict[Endpoint, tuple[Device, ...]] = {}
    for device in devices:
        groups[device.endpoint] = (*groups.get(device.endpoint, ()), device)
    return groups


def changes(old: Sequence[Device], new: Sequence[Device]) -> Changes:
    """Return what has to stop and start so that `new` is polled instead of `old`."""
    before, after = by_endpoint(old), by_endpoint(new)
    return Changes(
        stops=tuple(key for key, devices in before.items() if after.get(key) != devices),
        starts={key: devices for key, devices in after.items() if before.get(key) != devices},
    )
