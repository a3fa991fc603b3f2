"""`central-sync explain`: what it prints, and its exit codes."""

import json
from collections.abc import Callable

import pytest

from central_sync import cli
from tests.central_sync.evaluate.signing_gateway import (
    Centre,
)
from tests.central_sync.explain.forging import forge

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(computed: Centre, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command against the state of `computed`."""

    def command(*words: str) -> tuple[int, str, str]:
        code = cli.main(["explain", "--state", str(computed.settings.state), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_the_command_prints_and_exits_0_when_all_holds(run: Run) -> None:
    code, told, _ = run("--channel", "NOX", "--hour", "2026-11-20T10Z")
    assert code == 0
    assert "9 of 9 steps hold" in told


def test_the_command_exits_1_when_a_step_fails(run: Run, computed: Centre) -> None:
    forge(computed, "update hourly set value = ?", "1")
    code, told, _ = run("--channel", "NOX", "--hour", "2026-11-20T10Z", "--json")
    assert code == 1
    assert json.loads(told)["passed"] is False


def test_the_command_says_when_there_is_nothing_to_explain(run: Run) -> None:
    code, told, error = run("--channel", "SO2", "--hour", "2026-11-20T10Z")
    assert (code, told) == (1, "")
    assert "no such hourly value" in error


def test_an_hour_that_is_no_time_is_a_usage_error(run: Run) -> None:
    code, _, error = run("--hour", "noon")
    assert code == 2
    assert "'noon' is not a time" in error


def test_the_plan_of_the_state_folder_is_used(run: Run, computed: Centre) -> None:
    (computed.settings.state / "plan.toml").write_text(
        '[[facilities]]\nid = "PLANT"\nutc_offset_minutes = 60\n'
    )
    code, told, _ = run("--channel", "NOX", "--hour", "2026-11-20T10Z")
    assert code == 1
    assert "FAIL  8  Rules" in told
