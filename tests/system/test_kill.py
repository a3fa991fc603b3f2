"""The agent and the centre are killed at random times, and no committed reading is lost or doubled.

KILL_AGENT_CYCLES and KILL_CENTRE_CYCLES raise the counts, KILL_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.system.campaign import budgets, seed_in_test
from tests.system.kill import campaign, is_good

if TYPE_CHECKING:
    from pathlib import Path

BUDGETS = {budget.name: budget for budget in budgets()}
# Cycles on one installation; a longer campaign is cut into pieces, each drained and judged.
PIECE = 25
SECONDS_PER_CYCLE = 20


def pieces(name: str) -> list[int]:
    """Return the counts of the pieces of a campaign."""
    count = int(os.environ.get(f"{name.upper()}_CYCLES", BUDGETS[name].test))
    return [min(PIECE, count - done) for done in range(0, count, PIECE)]


@pytest.mark.system
@pytest.mark.timeout(120 + PIECE * SECONDS_PER_CYCLE)
@pytest.mark.parametrize("count", pieces("kill_agent"))
def test_no_committed_reading_is_lost_when_the_agent_is_killed(tmp_path: Path, count: int) -> None:
    judge("agent", count, tmp_path)


@pytest.mark.system
@pytest.mark.timeout(120 + PIECE * SECONDS_PER_CYCLE)
@pytest.mark.parametrize("count", pieces("kill_centre"))
def test_no_committed_reading_is_lost_when_the_centre_is_killed(tmp_path: Path, count: int) -> None:
    judge("centre", count, tmp_path)


def judge(target: str, count: int, folder: Path) -> None:
    """Run a piece, print its seed first and its report last."""
    seed = seed_in_test(f"kill_{target}", "KILL_SEED")
    print(f"kill_{target}: {count} cycles, seed {seed}")
    report = campaign(target, count, seed=seed, folder=folder / "installation")
    print(json.dumps(report))
    assert is_good(report), json.dumps(report, indent=1)
    assert report["count"] == count
