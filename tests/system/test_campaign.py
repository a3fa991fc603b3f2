"""The rules of `make campaign`: budgets, pieces, what counts as a failure."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.system import campaign
from tests.system.campaign import Budget, budgets

if TYPE_CHECKING:
    from pathlib import Path

BUDGET = Budget(name="x", command=(), budget_s=60, piece=4, test=2, issue=10, torture=20)


def test_all_campaigns_together_take_at_most_25_minutes() -> None:
    assert sum(budget.budget_s for budget in budgets()) <= 25 * 60


@pytest.mark.parametrize("budget", budgets(), ids=lambda budget: budget.name)
def test_larger_scales_run_more(budget: Budget) -> None:
    assert 0 <= budget.test <= budget.issue <= budget.torture
    assert budget.test or not budget.budget_s
    assert 0 < budget.piece <= budget.issue


@pytest.mark.parametrize("budget", budgets(), ids=lambda budget: budget.name)
def test_every_command_is_there(budget: Budget) -> None:
    option, module, *_ = budget.command
    assert option == "-m"
    assert find_spec(module) is not None


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "PROGRESS", tmp_path / "progress")
    monkeypatch.setattr(campaign, "EVIDENCE", tmp_path / "docs" / "campaigns.md")


def scripted(folder: Path, *, is_good: bool = True, code: int = 0) -> Budget:
    """Return a budget whose command says that it ran what was asked for."""
    script = folder / "scripted.py"
    script.write_text(
        "import json, sys\n"
        "count = int(sys.argv[sys.argv.index('--count') + 1])\n"
        f"print(json.dumps({{'is_good': {is_good}, 'count': count, 'batches': 3}}))\n"
        f"sys.exit({code})\n"
    )
    return replace(BUDGET, command=(str(script),))


def test_an_issue_runs_its_count_in_pieces_and_notes_each(tmp_path: Path) -> None:
    assert campaign.run(scripted(tmp_path), "issue")
    page = campaign.EVIDENCE.read_text()
    assert [line.split(" | ")[3] for line in page.splitlines()[-3:]] == ["4", "4", "2"]
    assert "batches 3" in page
    assert campaign.run(scripted(tmp_path), "issue")
    assert campaign.EVIDENCE.read_text() == page  # reached already: nothing is run again


def test_an_interrupted_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    first = next(campaign.pieces(scripted(tmp_path), "issue", already=0))
    rest = list(campaign.pieces(scripted(tmp_path), "issue", already=first.count))
    assert [first.count, *(piece.count for piece in rest)] == [4, 4, 2]


def test_a_budget_that_is_used_up_ends_the_campaign(tmp_path: Path) -> None:
    budget = replace(scripted(tmp_path), budget_s=0)
    assert [piece.count for piece in campaign.pieces(budget, "make", already=0)] == [BUDGET.test]
    assert campaign.run(budget, "make")
    assert not campaign.EVIDENCE.exists()


@pytest.mark.parametrize(("is_good", "code"), [(False, 0), (True, 1)])
def test_a_bad_piece_ends_the_campaign(tmp_path: Path, *, is_good: bool, code: int) -> None:
    budget = scripted(tmp_path, is_good=is_good, code=code)
    assert len(list(campaign.pieces(budget, "issue", already=0))) == 1
    assert not campaign.run(budget, "issue")
    assert "| NO |" in campaign.EVIDENCE.read_text()


def test_a_command_that_says_nothing_has_failed(tmp_path: Path) -> None:
    script = tmp_path / "silent.py"
    script.write_text("")
    assert not campaign.run(replace(BUDGET, command=(str(script),)), "make")


def test_fewer_cycles_than_a_test_run_is_a_failure(tmp_path: Path) -> None:
    script = tmp_path / "few.py"
    script.write_text('print(\'{"is_good": true, "count": 1}\')\n')
    assert not campaign.run(replace(BUDGET, command=(str(script),), budget_s=0), "make")


def test_a_campaign_without_a_share_is_left_to_the_larger_scales(tmp_path: Path) -> None:
    budget = replace(scripted(tmp_path, is_good=False), test=0, budget_s=0)
    assert campaign.run(budget, "make")
    assert not campaign.run(budget, "issue")


def test_a_whole_campaign_is_one_piece(tmp_path: Path) -> None:
    budget = replace(scripted(tmp_path), is_whole=True)
    assert [piece.count for piece in campaign.pieces(budget, "issue", already=3)] == [7]
