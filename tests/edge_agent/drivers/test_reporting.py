"""What of a gap reaches the log: its begin, its end, and how often, but never a flood."""

from dataclasses import dataclass, field

import pytest
import structlog

from edge_agent.drivers.gaps import Gap, MissReason, When
from edge_agent.drivers.reporting import QUIET_NS, GapReporter
from edge_agent.wire.events import Event


@dataclass
class Sink:
    """Keeps events."""

    events: list[Event] = field(default_factory=list)

    def record(self, event: Event) -> None:
        """Keep one."""
        self.events.append(event)


@dataclass
class Reported:
    """A gap, its reporter, and what both told."""

    sink: Sink = field(default_factory=Sink)
    gap: Gap = field(default_factory=lambda: Gap(channels=(1,)))

    def __post_init__(self) -> None:
        """Report to the sink."""
        self.reporter = GapReporter("analyzer", self.sink)

    def miss(self, at_ns: int) -> None:
        """Miss one poll."""
        when = When(at_ns=at_ns, mono_ns=at_ns, due_mono_ns=at_ns)
        self.reporter.report(self.gap.missed(when, MissReason.NO_ANSWER), "silence")

    def come_back(self, at_ns: int) -> None:
        """Answer one poll."""
        self.reporter.report(self.gap.returned(When(at_ns=at_ns, mono_ns=at_ns, due_mono_ns=at_ns)))


@pytest.fixture
def reported() -> Reported:
    """Return a device that has missed nothing yet."""
    return Reported()


def test_a_gap_is_logged_when_it_begins_and_when_it_ends(reported: Reported) -> None:
    with structlog.testing.capture_logs() as lines:
        for at_ns in range(5):
            reported.miss(at_ns)
        reported.come_back(9)
    assert lines == [
        {
            "event": "device.lost",
            "log_level": "warning",
            "device": "analyzer",
            "reason": "no_answer",
            "detail": "silence",
            "untold": 0,
        },
        {
            "event": "device.returned",
            "log_level": "info",
            "device": "analyzer",
            "reason": "no_answer",
            "missed": 5,
        },
    ]


def test_nothing_to_tell_is_not_told(reported: Reported) -> None:
    with structlog.testing.capture_logs() as lines:
        reported.reporter.report(None)
    assert (lines, reported.sink.events) == ([], [])


def test_a_device_that_comes_and_goes_is_logged_once_a_minute_and_recorded_every_time(
    reported: Reported,
) -> None:
    with structlog.testing.capture_logs() as lines:
        for at_ns in range(0, QUIET_NS, QUIET_NS // 10):
            reported.miss(at_ns)
            reported.come_back(at_ns + 1)
        reported.miss(QUIET_NS)
    assert len(reported.sink.events) == 21
    assert [(line["event"], line.get("untold")) for line in lines] == [
        ("device.lost", 0),
        ("device.returned", None),
        ("device.lost", 9),
    ]
