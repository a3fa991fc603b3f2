"""A leap second is told, keeps the order of readings and rewrites nothing.

The kernel repeats the last second of a UTC day: CLOCK_REALTIME steps back, CLOCK_BOOTTIME goes on,
and the clock stays synchronised (the kernel's kernel/time/ntp.c, second_overflow; adjtimex(2):
TIME_INS to TIME_WAIT are no TIME_ERROR). Other sources smear the second over hours, or tell nobody
and correct it later.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent.clock import HOLDOVER, MANUAL, NTP
from tests.central_sync.evaluate.signing_gateway import HOUR
from tests.edge_agent.line import S
from tests.system.leaping import LEFT_OUT, LOST, QUARTER, REPEATED, Story, synced

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


@pytest.mark.parametrize(
    ("by_ns", "counted"),
    # Of 20 readings before midnight and 20 behind it; the repeated second is of the old day.
    [pytest.param(REPEATED, [24, 16], id="repeated"), pytest.param(LEFT_OUT, [16, 24], id="left")],
)
async def test_a_second_that_is_repeated_or_left_out_keeps_the_order_and_marks_no_hour(
    story: Story, by_ns: int, counted: list[int]
) -> None:
    before = 20 if by_ns == REPEATED else 16  # the kernel leaves out 23:59:59
    await story.agent_runs(before - 4, 4, lambda: story.machine.leap(by_ns), 4, 36 - before)
    assert story.steps == [(by_ns, "ntp", 10)]
    batches = story.batches()
    assert set(story.states) == {NTP}
    assert not any(one.times.is_moved.any() or one.times.is_loose.any() for one in batches)
    story.check_limits()
    assert story.hours() == [(counted[0], False), (counted[1], False)]


@pytest.mark.parametrize(("error_ms", "is_marked"), [(1_900, False), (1_901, True)])
async def test_hours_are_marked_only_where_the_error_reaches_over_the_boundary(
    story: Story, error_ms: int, *, is_marked: bool
) -> None:
    story.machine.kernel = synced(error_ms)
    await story.agent_runs(20, lambda: story.machine.leap(REPEATED), 20)
    assert story.hours() == [(24, is_marked), (16, is_marked)]


async def test_an_error_that_does_not_reach_the_boundary_marks_nothing(story: Story) -> None:
    story.machine.kernel = synced(3_000)  # limits of 4.1 s; 5 s are left out around midnight
    story.machine.passes(-10 * S)
    await story.agent_runs(
        20,
        lambda: story.machine.passes(10 * S),
        lambda: story.machine.leap(REPEATED),
        lambda: story.machine.passes(6 * S),
        20,
    )
    assert story.hours() == [(20, False), (20, False)]


async def test_a_leap_while_the_agent_does_not_run_is_told_by_the_first_batch_behind_it(
    story: Story,
) -> None:
    await story.agent_runs(16)
    story.machine.passes(S)
    story.machine.leap(REPEATED)
    await story.agent_runs(20)
    assert story.steps == [(REPEATED, "ntp", 10)]
    story.check_limits()
    assert story.hours() == [(20, False), (16, False)]


async def test_a_leap_that_nobody_told_the_machine_is_within_the_limits_until_it_is_corrected(
    story: Story,
) -> None:
    machine = story.machine

    def corrected() -> None:
        machine.ahead_ns += REPEATED

    await story.agent_runs(20, lambda: machine.leap(REPEATED, is_told=False), 12, corrected, 4)
    assert story.steps == [(REPEATED, "ntp", 10)]
    story.check_limits()
    (_, old), (_, new) = story.hours()
    assert not old
    assert not new


async def test_a_leap_without_a_source_is_told_and_its_readings_find_their_time_later(
    story: Story,
) -> None:
    """The kernel leaps on the word of a source that it lost since: nobody vouches for it."""
    machine = story.machine

    def lost() -> None:
        machine.kernel = LOST

    def returns() -> None:
        machine.kernel = synced()

    await story.agent_runs(12, lost, 8, lambda: machine.leap(REPEATED), 8, 4, returns, 4)
    assert [(by_ns, source) for by_ns, source, _ in story.steps] == [(REPEATED, "manual")]
    story.check_limits()
    assert {HOLDOVER, MANUAL} <= set(story.states)


async def test_a_second_smeared_over_a_day_is_no_step_and_marks_nothing(story: Story) -> None:
    """Noon to noon, as several public sources do: both clocks run slower by 1 in 86,400."""
    machine, minutes = story.machine, 60 * S
    machine.passes(-12 * HOUR + 5 * S)

    def ten_minutes() -> None:
        machine.passes(10 * minutes - QUARTER, smeared_ns=-10 * minutes // 86_400)

    half_a_day: list[Callable[[], None] | int] = [ten_minutes, 1] * 72
    await story.agent_runs(*half_a_day, lambda: machine.leap(REPEATED, is_told=False), *half_a_day)
    assert story.steps == []
    story.check_limits()
    assert not any(one.times.is_loose.any() for one in story.batches())
    assert [is_marked for _, is_marked in story.hours()] == [False, False]
