"""Single bytes of an archive are changed, and the auditor finds each and names what it touched.

AUDITOR_CHANGES raises the count, AUDITOR_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.system.auditor import bench, campaign
from tests.system.campaign import budgets, seed_in_test
from tests.system.changed_archive import Bench, Change

if TYPE_CHECKING:
    from pathlib import Path

COUNT = int(
    os.environ.get("AUDITOR_CHANGES")
    or next(one.test for one in budgets() if one.name == "auditor")
)


@pytest.mark.system
def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    seed = seed_in_test("auditor", "AUDITOR_SEED")
    print(f"auditor: {COUNT} changes, seed {seed}")
    report = campaign(COUNT, seed=seed, folder=tmp_path)
    print(json.dumps(report))
    assert report["is_good"], json.dumps(report, indent=1)


@pytest.fixture
def tested(tmp_path: Path) -> Bench:
    return bench(tmp_path)


def test_every_byte_of_one_record_is_found(tested: Bench) -> None:
    name = max(tested.starts, key=lambda one: len(tested.starts[one]))
    start, end = tested.starts[name][2:4]
    for place in range(start, end):
        tested.try_one(Change(name, place, tested.files[name][place] ^ 0x10))
    assert tested.undetected == []
    assert sum(tested.found_by.values()) == end - start


def test_the_campaign_notices_an_auditor_that_does_not_look_into_bodies(tested: Bench) -> None:
    lazy = Bench(tested.files, has_content=False)
    chance = random.Random(1)  # noqa: S311 - chance, not a secret
    for _ in range(300):
        lazy.try_one(lazy.change(chance))
    assert lazy.undetected
