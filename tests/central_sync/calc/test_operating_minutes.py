"""In which minutes the unit operated (docs/calculations.md section 2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_sync.calc.clock_hours import MINUTES
from central_sync.calc.operating import operating_assumed, operating_by_channel

FLAGS = st.lists(st.booleans(), min_size=MINUTES, max_size=MINUTES)


def by_definition(
    spoken: list[bool], burning: list[bool], passed: int, *, begins_here: bool
) -> list[bool]:
    operating = []
    words = [minute for minute in range(MINUTES) if spoken[minute]]
    for minute in range(MINUTES):
        before = [word for word in words if word <= minute]
        if minute >= passed:
            operating.append(False)
        elif before:
            operating.append(burning[before[-1]])
        else:
            operating.append(burning[words[0]] and not begins_here)
    return operating


@given(spoken=FLAGS.filter(any), burning=FLAGS, passed=st.integers(0, 60), begins=st.booleans())
def test_a_silent_minute_takes_the_last_word_before_it(
    spoken: list[bool], burning: list[bool], passed: int, *, begins: bool
) -> None:
    found = operating_by_channel(
        np.array(spoken), np.array(burning), passed_minutes=passed, line_begins_here=begins
    )
    assert found.tolist() == by_definition(spoken, burning, passed, begins_here=begins)


def test_an_outage_does_not_excuse_a_unit_that_was_burning() -> None:
    spoken = np.zeros(MINUTES, np.bool_)
    spoken[[0, 1, 50]] = True
    found = operating_by_channel(spoken, spoken, passed_minutes=60, line_begins_here=False)
    assert found.all()


def test_a_channel_that_never_spoke_is_refused() -> None:
    nothing = np.zeros(MINUTES, np.bool_)
    with pytest.raises(ValueError, match="never spoke"):
        operating_by_channel(nothing, nothing, passed_minutes=60, line_begins_here=False)


@given(has_rows=FLAGS, passed=st.integers(0, 60))
def test_without_a_channel_minutes_with_rows_count_as_far_as_the_hour_has_passed(
    has_rows: list[bool], passed: int
) -> None:
    found = operating_assumed(np.array(has_rows), passed_minutes=passed)
    assert found.tolist() == [has and minute < passed for minute, has in enumerate(has_rows)]
