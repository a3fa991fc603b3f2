"""The fuzz campaign finds what it looks for, and a short run of it is good."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz import run
from tests.fuzz.mutation import mutated, reshaped
from tests.fuzz.run import fuzzed
from tests.fuzz.target import TARGETS, shares, target
from tests.system.campaign import budgets

if TYPE_CHECKING:
    from pathlib import Path


def chance_of(seed: int) -> Random:
    """Return chance, which is no secret."""
    return Random(seed)  # noqa: S311


FAULTY = "tests.fuzz.faulty"
COUNT = next(budget.test for budget in budgets() if budget.name == "fuzz")


@pytest.mark.system
def test_a_short_run_meets_no_surprise(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--count", str(COUNT)]) == 0, capsys.readouterr().out
    report = json.loads(capsys.readouterr().out)
    assert report["count"] == COUNT
    assert report["passed"] >= 0.1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("crash", "killed by SIGSEGV"),
        ("hang", "hang"),
        ("hungry", "MemoryError"),
        ("surprise", "KeyError: 'surprise'"),
    ],
)
def test_what_a_target_must_not_do_is_found_and_its_input_kept(
    name: str, told: str, tmp_path: Path
) -> None:
    result = fuzzed(name, 200, 7, worker=FAULTY, kept=tmp_path)
    assert not result.is_good
    assert result.fault is not None
    assert told in result.fault
    (kept,) = tmp_path.iterdir()
    assert len(kept.read_bytes()) == 8


def test_a_target_whose_inputs_never_get_in_has_failed(tmp_path: Path) -> None:
    result = fuzzed("shallow", 200, 7, worker=FAULTY, kept=tmp_path)
    assert (result.fault, result.share, result.is_good) == (None, 0.0, False)


@pytest.mark.parametrize("name", ["header", "event", "arrow", "payload"])
def test_the_same_seed_makes_the_same_inputs(name: str) -> None:
    found = target(name)
    inputs = [[found.make(chance) for _ in range(50)] for chance in (chance_of(3), chance_of(3))]
    assert inputs[0] == inputs[1]
    assert len(set(inputs[0])) > 25


def test_a_change_changes_bytes_and_never_fails_on_none() -> None:
    chance = chance_of(1)
    assert sum(mutated(b"abcdefgh", chance) == b"abcdefgh" for _ in range(200)) < 30
    assert all(isinstance(mutated(b"", chance), bytes) for _ in range(200))
    assert sum(reshaped({"a": [1]}, chance) == {"a": [1]} for _ in range(200)) < 30


def test_every_target_has_a_share() -> None:
    parts = shares(1_000_000)
    assert set(parts) == set(TARGETS)
    assert all(parts.values())
    assert sum(parts.values()) == 1_000_000
