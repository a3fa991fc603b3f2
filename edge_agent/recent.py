"""The last of everything, for who asks: not durable, and nothing of the line needs it."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from edge_agent.wire.events import Event
from edge_agent.wire.readings import Readings

EVENTS_KEPT: Final = 200


@dataclass(slots=True)
class Recent:
    """The last readings and the last gap of each device, and the last events."""

    readings: dict[str, Readings] = field(default_factory=dict)
    gaps: dict[tuple[int, ...], Event] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))

    def heard(self, event: Event) -> None:
        """Remember an event; a gap also stands for its device until it is closed."""
        self.events.append(event)
        channels = event.fields.get("channels")
        if event.type == "gap" and isinstance(channels, list):
            self.gaps[tuple(int(str(channel)) for channel in channels)] = event
