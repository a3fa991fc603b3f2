"""Where a gap event goes: always into the intake; into the log where a fault begins and ends."""

from typing import Final, Protocol

import structlog

from edge_agent.clock import NS_PER_S
from edge_agent.wire.events import Event

# The log of a device that comes and goes: its gaps are told so often at most, and counted.
QUIET_NS: Final = 60 * NS_PER_S

log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class EventSink(Protocol):
    """Takes events."""

    def record(self, event: Event) -> None:
        """Take an event; never waits."""
        ...


class GapReporter:
    """Tells the gaps of one device."""

    def __init__(self, device: str, sink: EventSink) -> None:
        self._device = device
        self._sink = sink
        self._is_told = False
        self._quiet_until_ns = 0
        self._untold_count = 0

    def report(self, event: Event | None, detail: str = "") -> None:
        """Take one gap event down; None is nothing to tell.

        Args:
            event: of type `gap`.
            detail: what the technician should know of its cause.

        """
        if event is None:
            return
        self._sink.record(event)
        missed, reason = event.fields["missed"], event.fields["reason"]
        if event.fields["state"] == "open":
            self._is_told = event.mono_ns >= self._quiet_until_ns
            if not self._is_told:
                self._untold_count += 1
                return
            log.warning(
                "device.lost",
                device=self._device,
                reason=reason,
                detail=detail,
                untold=self._untold_count,
            )
            self._quiet_until_ns = event.mono_ns + QUIET_NS
            self._untold_count = 0
        elif event.fields["state"] == "closed" and self._is_told:
            log.info("device.returned", device=self._device, reason=reason, missed=missed)
