"""How an `apply` ends, as the status of the agent tells it."""

from dataclasses import replace

import pytest

from edge_agent.errors import ExitCode
from edge_agent.technician.outcome import InForce, at_second, in_force, outcome_of

BEFORE = InForce(
    config_hash="00",
    edition="old",
    started_ns=1,
    reloads=3,
    probation_until_ns=None,
    problems=(),
    rolled_back="",
    rolled_back_why="",
)
RELOADED = replace(BEFORE, reloads=4, edition="new")
WATCHED = replace(RELOADED, probation_until_ns=1_800_000_000_000_000_000)
BACK = replace(RELOADED, edition="old", rolled_back="new", rolled_back_why="good before")

CASES = [
    pytest.param(BEFORE, True, None, ExitCode.OK, id="not yet reloaded"),
    pytest.param(RELOADED, True, "accepted", ExitCode.OK, id="without a probation"),
    pytest.param(WATCHED, True, None, ExitCode.OK, id="waited for"),
    pytest.param(WATCHED, False, "on probation", ExitCode.OK, id="not waited for"),
    pytest.param(BACK, True, "rolled back", ExitCode.FAILURE, id="rolled back"),
    pytest.param(
        replace(BEFORE, reloads=4, problems=("no",)),
        True,
        "refused",
        ExitCode.CONFIGURATION,
        id="refused",
    ),
    pytest.param(
        replace(BEFORE, started_ns=2, reloads=0), True, "restarted", ExitCode.FAILURE, id="restart"
    ),
    pytest.param(
        replace(RELOADED, edition="third"), True, "superseded", ExitCode.FAILURE, id="edited"
    ),
]


@pytest.mark.parametrize(("now", "wait", "word", "exit_code"), CASES)
def test_an_outcome_is_a_word_and_an_exit_code(
    now: InForce,
    wait: bool,  # noqa: FBT001 - a case of the table
    word: str | None,
    exit_code: ExitCode,
) -> None:
    outcome = outcome_of(BEFORE, now, edition="new", wait=wait)
    assert (outcome and outcome.word) == word
    assert outcome is None or outcome.exit_code == exit_code


def test_the_end_of_the_probation_is_told_in_utc() -> None:
    outcome = outcome_of(BEFORE, WATCHED, edition="new", wait=False)
    assert outcome is not None
    assert "on probation until 2027-01-15T08:00:00Z" in outcome.text


def test_an_agent_of_another_version_is_to_be_restarted() -> None:
    with pytest.raises(ValueError, match="restart it"):
        in_force({"agent": {"config_hash": "00", "started_ns": 1}})


def test_a_time_that_there_is_not_is_a_dash() -> None:
    assert at_second(None) == "-"
