"""The agent is killed among DNP3 events, and each arrives exactly once.

KILL_EVENTS_CYCLES raises the count, KILL_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.system.campaign import budgets, seed_in_test
from tests.system.changes import campaign
from tests.system.messages import is_good

if TYPE_CHECKING:
    from pathlib import Path

COUNT = int(
    os.environ.get("KILL_EVENTS_CYCLES")
    or next(one.test for one in budgets() if one.name == "kill_events")
)


@pytest.mark.system
@pytest.mark.timeout(120 + 20 * COUNT)
def test_every_event_arrives_exactly_once(tmp_path: Path) -> None:
    seed = seed_in_test("kill_events", "KILL_SEED")
    print(f"kill_events: {COUNT} cycles, seed {seed}")
    report = campaign(COUNT, seed=seed, folder=tmp_path / "installation")
    print(json.dumps(report))
    assert is_good(report), json.dumps(report, indent=1)
