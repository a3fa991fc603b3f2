"""One look at a running agent: its status, channels and events, asked for together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.technician.asking import Answer
from edge_agent.technician.showing import time_of_day
from edge_agent.wire.canonical import JsonValue

Ask = Callable[[str], Answer | None]
"""Returns the agent's answer to a page; None when no agent runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the agent answered at one moment."""

    status: Answer
    channels: Sequence[JsonValue]
    events: Sequence[JsonValue]

    @property
    def at_ns(self) -> int:
        """The agent's present, UTC ns."""
        return _integer(self.status, "at_ns")

    @property
    def alarms(self) -> tuple[str, ...]:
        """Why a person should look."""
        raised = _list(self.status, "alarms")
        return tuple(str(one["reason"]) for one in raised if isinstance(one, Mapping))

    @property
    def headline(self) -> str:
        """The agent in one line."""
        devices = _list(self.status, "devices")
        silent = sum(
            isinstance(one, Mapping) and one.get("gap_since_ns") is not None for one in devices
        )
        buffer = self.status.get("buffer")
        waiting = _integer(buffer if isinstance(buffer, Mapping) else {}, "unreceipted_readings")
        parts = (
            f"{time_of_day(self.at_ns)}Z",
            f"{len(devices)} devices{f', {silent} silent' if silent else ''}",
            f"{waiting} readings wait",
            f"alarms: {', '.join(self.alarms)}" if self.alarms else "no alarms",
        )
        return "  ".join(parts)


def look(ask: Ask) -> Look | None:
    """Return what the agent says of itself now; None when no agent runs.

    Raises:
        OperatorError: there is one, and it does not answer.

    """
    channels, events, status = (ask(f"/v1/{page}") for page in ("channels", "events", "status"))
    if channels is None or events is None or status is None:
        return None
    return Look(status=status, channels=_list(channels, "channels"), events=_list(events, "events"))


def _list(answer: Mapping[str, JsonValue], name: str) -> Sequence[JsonValue]:
    value = answer.get(name)
    return value if isinstance(value, list) else []


def _integer(answer: Mapping[str, JsonValue], name: str) -> int:
    value = answer.get(name)
    return value if isinstance(value, int) else 0
