"""A configuration read in a process of its own is the one that is read here."""

import shutil
from pathlib import Path
from typing import Final

import pytest

from edge_agent.config.apart import Reading
from edge_agent.config.loading import load_plan
from edge_agent.config.plan import ConfigurationError

CASES: Final = Path(__file__).parents[2] / "cases" / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of a gateway without a mistake."""
    shutil.copytree(CASES / "_good", tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_the_plan_of_another_process_is_the_plan_of_this_one(folder: Path) -> None:
    apart = Reading(folder / "agent.toml", {"log.level": "debug"}).plan()
    here = load_plan(folder / "agent.toml", environ={}, overrides={"log.level": "debug"})
    assert apart == here
    assert list(apart.devices[0].channels) == list(here.devices[0].channels)


def test_every_problem_arrives_with_its_file_line_and_remedy(folder: Path) -> None:
    shutil.copytree(CASES / "everything-at-once", folder, dirs_exist_ok=True)
    with pytest.raises(ConfigurationError) as here:
        load_plan(folder / "agent.toml", environ={}, overrides={})
    with pytest.raises(ConfigurationError) as apart:
        Reading(folder / "agent.toml", {}).plan()
    assert apart.value.found == here.value.found
    assert apart.value.problems == here.value.problems


def test_a_reader_that_dies_is_told_as_what_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "sitecustomize.py").write_text("import os; os._exit(3)\n")
    with pytest.raises(RuntimeError, match="ended with code 3"):
        Reading(folder / "agent.toml", {}).plan()
