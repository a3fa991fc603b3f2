"""When the wall clock is set, the readings before and after it can be brought together."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import LEAST_NS, MANUAL, NTP, RTC, Instant, Trust
from edge_agent.clock_steps import ClockSteps, held_step
from edge_agent.wire.events import parse_event
from edge_agent.wire.vocabulary import UNKNOWN_ERROR_MS
from tests.edge_agent.buffer.gateway import Gateway, events_of
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


def test_a_step_tells_how_well_the_clock_was_known_before() -> None:
    steps = ClockSteps(START)
    assert steps.look(START, TRUSTED) is None
    lost = replace(START, utc_ns=START.utc_ns + 10 * S)
    event = steps.look(lost, Trust(state=MANUAL, error_ms=None))
    assert event is not None
    assert (event.fields["old_unc_ms"], event.fields["unc_ms"]) == (12, UNKNOWN_ERROR_MS)
    assert event.fields["source"] == "manual"


def test_a_clock_that_is_set_twice_between_two_commits_is_told_twice() -> None:
    clock = SetClock()
    intake = intake_of(clock)
    told = []
    for ahead_ns in (0, 3_600 * S, 60 * S):
        clock.ahead_ns = ahead_ns
        intake.hand_over(scan_of(1))
    told = [event for event in intake.take().events if event.type == "clock_step"]
    steps = [int(str(one.fields["new_ns"])) - int(str(one.fields["old_ns"])) for one in told]
    assert steps == [3_600 * S, -3_540 * S]


def test_a_held_clock_is_told_with_what_the_machine_shows() -> None:
    assert held_step(START, 0) is None
    event = held_step(START, 300 * S)
    assert event is not None
    told = parse_event(event.line)
    assert (told.integer("old_ns"), told.integer("new_ns")) == (700 * S, 1_000 * S)
    assert (told.fields["source"], told.fields["unc_ms"]) == ("last_known", UNKNOWN_ERROR_MS)


@pytest.mark.asyncio
@pytest.mark.parametrize("step_ns", [0, LEAST_NS // 2, -3_600 * S, 86_400 * S])
async def test_a_clock_that_is_set_while_the_agent_does_not_run_is_told_at_its_start(
    tmp_path: Path, step_ns: int
) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(3))
    gateway.clock.utc_ns += step_ns
    async with gateway.opened() as buffer:
        (newest,) = await buffer.newest(1)
        (frame,) = await buffer.frames([newest])
        again = await buffer.append(gateway.portion(3))
        (quiet,) = await buffer.frames(again)
    told = [event for event in events_of(frame) if event.type == "clock_step"]
    assert [one.integer("new_ns") - one.integer("old_ns") for one in told] == (
        [step_ns] if abs(step_ns) >= LEAST_NS else []
    )
    # 10 ms, and what a clock that nothing corrects may have run away since.
    assert [one.fields["old_unc_ms"] for one in told] == [11] * len(told)
    assert events_of(quiet) == []


@pytest.mark.asyncio
async def test_a_step_that_an_event_tells_is_not_told_again(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        before = gateway.clock.now()
        gateway.clock.utc_ns += 3_600 * S
        step = ClockSteps(before).look(gateway.clock.now(), TRUSTED)
        assert step is not None
        portion = replace(gateway.portion(1), events=(step,))
        (frame,) = await buffer.frames(await buffer.append(portion))
    assert [event.type for event in events_of(frame)] == ["clock_step"]


@pytest.mark.asyncio
async def test_another_boot_has_another_clock(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(1))
    gateway.reboot()
    async with gateway.opened() as buffer:
        (frame,) = await buffer.frames(await buffer.newest(1))
    assert [event.type for event in events_of(frame)] == ["boot"]
