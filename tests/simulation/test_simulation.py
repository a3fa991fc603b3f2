"""The product's two sides through random schedules and told accidents: nothing lost or unseen."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from central_sync.ingest.admit import admit
from central_sync.model import AlarmCode
from central_sync.store.admission import Keep
from edge_agent.wire.signing import VerifyingKey
from edge_agent.wire.vocabulary import Verdict
from tests.simulation import judge
from tests.simulation.centre import RECEIPT_KEY
from tests.simulation.histories import played
from tests.simulation.network import FORGER
from tests.simulation.schedules import Schedule
from tests.simulation.stories import STORIES, History
from tests.simulation.stories import Verdict as Expected
from tests.simulation.world import Rules
from tests.system.campaign import budgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from central_sync.store.admission import Candidate, Decision, Sight

COUNTS = {one.name: one.test for one in budgets()}


def test_whatever_a_schedule_brings_nothing_is_lost_doubled_or_untold() -> None:
    wrong = {seed: Schedule(seed).played() for seed in range(COUNTS["schedules"])}
    assert {seed: faults for seed, faults in wrong.items() if faults} == {}


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_every_accident_is_an_alarm_and_nothing_else_is(
    story: Callable[[History], Expected],
) -> None:
    count = COUNTS["histories"] // len(STORIES)
    wrong = {seed: played(story, seed).wrong for seed in range(count)}
    assert {seed: faults for seed, faults in wrong.items() if faults} == {}


def test_the_judge_shares_no_code_with_those_it_judges() -> None:
    tree = ast.parse(Path(judge.__file__).read_text())
    taken = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else _names(node))
    ]
    ours = ("edge_agent", "central_sync", "tests", "firmware_profiles")
    assert taken
    assert not [name for name in taken if name is None or name.startswith(ours)]


def _names(node: ast.Import) -> list[str]:
    return [alias.name for alias in node.names]


def without_the_fork_rule(candidate: Candidate, sight: Sight) -> Decision:
    """Take what is on a branch for the main line."""
    decision = admit(candidate, replace(sight, beside=(), main_before=None))
    if not isinstance(decision, Keep):
        return decision
    alarms = tuple(one for one in decision.alarms if one.code is not AlarmCode.FORK)
    verdict = Verdict.ACCEPTED if decision.verdict is Verdict.BRANCH else decision.verdict
    return replace(decision, verdict=verdict, alarms=alarms, is_branch=False)


class Believing(VerifyingKey):
    """A key under which every signature is good."""

    def verify(self, context: bytes, message: bytes, signature: bytes) -> None:
        """Believe it."""


SWITCHED_OFF = {
    "the fork rule": Rules(admit=without_the_fork_rule),
    "the check of receipts": Rules(
        receipt_keys={
            FORGER.key_id: Believing(FORGER.public_bytes),
            RECEIPT_KEY.key_id: RECEIPT_KEY.verifying_key,
        }
    ),
    "the word about what is given up": Rules(tells_losses=False),
}


@pytest.mark.parametrize("rules", SWITCHED_OFF.values(), ids=SWITCHED_OFF.keys())
def test_a_safeguard_that_is_switched_off_is_missed(rules: Rules) -> None:
    assert any(Schedule(seed, rules).played() for seed in range(60))


def test_a_gateway_that_shows_no_receipts_is_missed() -> None:
    story = next(one for one in STORIES if one.__name__ == "centre_set_back")
    rules = Rules(sends_proof=False)
    assert any("unseen: server_behind" in played(story, seed, rules).wrong for seed in range(20))
