"""When the wall clock is set, the readings before and after it can be brought together."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import NTP, RTC, Instant, Trust
from edge_agent.clock_steps import LEAST_NS, ClockSteps
from edge_agent.wire.events import parse_event
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS
from tests.edge_agent.line import S, SteppedClock, intake_of, scan_of

START = Instant(utc_ns=1_000 * S, mono_ns=50 * S)
TRUSTED = Trust(state=NTP, error_ms=12)


@given(st.integers(0, 3_600 * S), st.integers(-(10**6) * S, 10**6 * S))
def test_a_step_is_told_exactly_when_it_is_large(later_ns: int, step_ns: int) -> None:
    now = Instant(utc_ns=START.utc_ns + later_ns + step_ns, mono_ns=START.mono_ns + later_ns)
    event = ClockSteps(START).look(now, TRUSTED)
    assert (event is not None) == (abs(step_ns) >= LEAST_NS)
    if event is not None:
        assert event.fields["new_ns"] - event.fields["old_ns"] == step_ns  # type: ignore[operator] # both are ints here


def test_a_step_is_told_once() -> None:
    steps = ClockSteps(START)
    set_back = Instant(utc_ns=START.utc_ns - 10 * S, mono_ns=START.mono_ns + S)
    later = Instant(utc_ns=set_back.utc_ns + S, mono_ns=set_back.mono_ns + S)
    assert steps.look(set_back, TRUSTED) is not None
    assert steps.look(later, TRUSTED) is None


@pytest.mark.parametrize(
    ("trust", "source", "error_ms"),
    [
        (TRUSTED, "ntp", 12),
        (Trust(state=RTC, error_ms=None), "rtc", UNKNOWN_ERROR_MS),
        (Trust(state=0, error_ms=None), "unset", UNKNOWN_ERROR_MS),
    ],
)
def test_the_event_says_who_set_the_clock_and_how_well(
    trust: Trust, source: str, error_ms: int
) -> None:
    now = Instant(utc_ns=START.utc_ns + 10 * S, mono_ns=START.mono_ns + S)
    event = ClockSteps(START).look(now, trust)
    assert event is not None
    told = parse_event(event.line)
    assert (told.fields["source"], told.fields["unc_ms"]) == (source, error_ms)


@dataclass
class SetClock(SteppedClock):
    """A clock that somebody sets."""

    ahead_ns: int = 0

    def now(self) -> Instant:
        real = super().now()
        return Instant(utc_ns=real.utc_ns + self.ahead_ns, mono_ns=real.mono_ns)


def test_a_clock_that_is_set_while_the_agent_runs_is_told_with_the_readings_around_it() -> None:
    clock = SetClock()
    intake = intake_of(clock)
    intake.hand_over(scan_of(1))
    assert intake.take().events == ()
    clock.ahead_ns = -3_600 * S
    intake.hand_over(scan_of(1))
    (event,) = intake.take().events
    assert event.type == "clock_step"
    assert event.fields["old_ns"] == event.at_ns + 3_600 * S
    assert intake.take().events == ()
