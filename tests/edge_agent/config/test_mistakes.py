"""Every mistake is a folder of tests/cases/config, laid over the good configuration there.

`expected.err` holds what an operator must read, file by file and line by line. `environ` holds
variables of the environment.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError, Plan
from edge_agent.errors import ExitCode

CASES: Final = Path(__file__).parents[2] / "cases" / "config"
GOOD: Final = CASES / "_good"
MISTAKES: Final = sorted(folder.name for folder in CASES.iterdir() if folder != GOOD)


def plan_of(case: Path, folder: Path) -> Plan:
    """Return the plan of a case laid over the good configuration, in a folder of its own."""
    shutil.copytree(GOOD, folder, dirs_exist_ok=True)
    shutil.copytree(case, folder, dirs_exist_ok=True)
    return load_plan(folder / "agent.toml", environ=environment(case), overrides={})


def environment(case: Path) -> Mapping[str, str]:
    """Return the variables of a case."""
    file = case / "environ"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines)


def test_the_configuration_under_the_mistakes_is_good(tmp_path: Path) -> None:
    plan = plan_of(GOOD, tmp_path)

    assert [point.channel for device in plan.devices for point in device.points] == [1, 2]


def test_there_are_enough_mistakes() -> None:
    assert len(MISTAKES) >= 120


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_file_line_key_and_remedy(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan_of(CASES / name, tmp_path)

    told = "\n".join(caught.value.problems).replace(f"{tmp_path}/", "") + "\n"
    assert told == (CASES / name / "expected.err").read_text(encoding="utf-8")
    assert caught.value.exit_code == ExitCode.CONFIGURATION
    assert all(problem.remedy for problem in caught.value.found)
