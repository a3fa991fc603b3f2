"""System calls that fail, and kills in the middle of them: what was acknowledged is there.

FAILING_CALLS raises the count, FAILING_CALLS_SEED repeats a run.
"""

import os
import random
import shutil

import pytest

from tests.faults import failing_calls
from tests.system.campaign import budgets, seed_in_test

COUNT = int(os.environ.get("FAILING_CALLS") or {b.name: b.test for b in budgets()}["syscalls"])
ISSUE = {budget.name: budget.issue for budget in budgets()}["syscalls"]


def test_the_count_of_the_issue_is_every_fifth_call_up_to_two_hundred() -> None:
    chosen = list(failing_calls.points(ISSUE, random.Random(1)))  # noqa: S311 - chance
    assert len(set(chosen)) == ISSUE
    for call, fault in failing_calls.OFTEN:
        numbers = {one.number for one in chosen if (one.call, one.fault) == (call, fault)}
        assert numbers == set(range(5, 201, 5))


@pytest.mark.skipif(shutil.which("strace") is None, reason="NO SYSTEM CALL FAILED: no strace")
@pytest.mark.timeout(120 + 60 * COUNT)
def test_no_failing_call_takes_what_was_acknowledged() -> None:
    seed = seed_in_test("syscalls", "FAILING_CALLS_SEED")
    assert failing_calls.main(["--count", str(COUNT), "--seed", str(seed)]) == 0
