"""The last of everything, for who asks: not durable, and nothing of the line needs it."""

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings

EVENTS_KEPT: Final = 200


@dataclass(slots=True)
class Recent:
    """The last reading of every channel by device, each device's last gap, and the last events.

    `hardware_changed` names the facts of the machine that are others than at the last start.
    """

    readings: dict[str, Readings] = field(default_factory=dict)
    gaps: dict[tuple[int, ...], Event] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    hardware_changed: tuple[str, ...] = ()

    def took(self, device: str, readings: Readings) -> None:
        """Remember a scan; the channels that it does not hold keep their last reading."""
        before = self.readings.get(device)
        if (
            before is not None
            # The scans of a device that is asked share one array.
            and before.channel is not readings.channel
            and not np.array_equal(before.channel, readings.channel)
        ):
            readings = _renewed(before, readings)
        self.readings[device] = readings

    def heard(self, event: Event) -> None:
        """Remember an event; a gap also stands for its device until it is closed."""
        self.events.append(event)
        if event.type == "hardware_changed":
            self.hardware_changed = (*self.hardware_changed, str(event.fields["what"]))
        channels = event.fields.get("channels")
        if event.type == "gap" and isinstance(channels, list):
            self.gaps[tuple(int(str(channel)) for channel in channels)] = event


def _renewed(before: Readings, after: Readings) -> Readings:
    """Return the readings of before, with those of after in the place of their channels."""
    channel = np.union1d(before.channel, after.channel)
    raw = np.zeros(len(channel), np.int64)
    status, quality = (np.zeros(len(channel), np.uint32) for _ in range(2))
    for each in (before, after):
        where = np.searchsorted(channel, each.channel)
        raw[where], status[where], quality[where] = each.raw, each.status, each.quality
    return replace(after, channel=channel, raw=raw, status=status, quality=quality)
