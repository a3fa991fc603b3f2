"""The agent is killed among MQTT messages, and each arrives as often as it was published.

KILL_MESSAGES_CYCLES raises the count, KILL_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.system.campaign import budgets, seed_in_test
from tests.system.messages import campaign, is_good
from tests.system.publications import MOSQUITTO

if TYPE_CHECKING:
    from pathlib import Path

COUNT = int(
    os.environ.get("KILL_MESSAGES_CYCLES")
    or next(one.test for one in budgets() if one.name == "kill_messages")
)


@pytest.mark.system
@pytest.mark.timeout(120 + 20 * COUNT)
@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is missing: make system-packages")
def test_every_message_arrives_as_often_as_it_was_published(tmp_path: Path) -> None:
    seed = seed_in_test("kill_messages", "KILL_SEED")
    print(f"kill_messages: {COUNT} cycles, seed {seed}")
    report = campaign(COUNT, seed=seed, folder=tmp_path / "installation")
    print(json.dumps(report))
    assert is_good(report), json.dumps(report, indent=1)
