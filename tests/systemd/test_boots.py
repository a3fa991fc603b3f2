"""An installed gateway survives whatever ends it: a piece of the campaign of boots."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.system.campaign import seed_in_test
from tests.systemd.boots import Cut, campaign, drawn, is_good

if TYPE_CHECKING:
    from pathlib import Path


def test_every_cut_is_drawn_as_often_as_any_other() -> None:
    cuts = drawn(20, random.Random(1))  # noqa: S311 - chance, not a secret
    assert Counter(cuts) == dict.fromkeys(Cut, 5)


@pytest.mark.root
@pytest.mark.system
@pytest.mark.xdist_group("containers")
@pytest.mark.timeout(400)
def test_nothing_committed_is_lost_and_every_start_is_told_rightly(
    bottom: Path, installed: Path, tmp_path: Path
) -> None:
    seed = seed_in_test("boots")
    print(f"boots: seed {seed}")
    folder = tmp_path / "gateway"
    report = campaign(1, seed=seed, folder=folder, layers=[installed, bottom])
    print(json.dumps(report))
    assert is_good(report), json.dumps(report, indent=1)
    shutil.rmtree(folder)
