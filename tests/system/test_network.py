"""The uplink fails in every way that we know, and every committed reading arrives exactly once.

NETWORK_PARTITIONS raises the count, NETWORK_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.system.campaign import budgets, seed_in_test
from tests.system.network import APART, CONNECTIONS, campaign, is_good, kinds

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.network import Kind

COUNT = int(
    os.environ.get("NETWORK_PARTITIONS")
    or next(budget.test for budget in budgets() if budget.name == "network")
)
SECONDS_PER_PARTITION = 40


@pytest.mark.system
@pytest.mark.timeout(240 + COUNT * SECONDS_PER_PARTITION)
def test_every_committed_reading_arrives_once_whatever_befalls_the_uplink(tmp_path: Path) -> None:
    seed = seed_in_test("network", "NETWORK_SEED")
    print(f"network: {COUNT} partitions, seed {seed}")
    report = campaign(COUNT, seed=seed, folder=tmp_path / "installation")
    print(json.dumps(report))
    assert is_good(report), json.dumps(report, indent=1)
    befell = report["befell"]
    assert isinstance(befell, dict)
    assert sum(befell.values()) == COUNT


@pytest.mark.parametrize("known", [CONNECTIONS, APART])
def test_kinds_come_in_turn_and_the_same_way_for_a_seed(known: tuple[Kind, ...]) -> None:
    drawn = [kinds(3 * len(known), random.Random(5), known) for _ in range(2)]  # noqa: S311
    assert drawn[0] == drawn[1]
    assert Counter(drawn[0]) == {kind: 3 * count for kind, count in Counter(known).items()}
