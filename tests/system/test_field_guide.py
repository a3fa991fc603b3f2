"""The first hour of docs/field-guide.md, run again as a new user would, command by command."""

from pathlib import Path

import pytest

from tests.system.transcript import ROOT, Session, masked, same, steps_of

GUIDE = ROOT / "docs" / "field-guide.md"


@pytest.mark.system
@pytest.mark.timeout(240)
def test_every_command_of_the_field_guide_prints_what_the_page_says(tmp_path: Path) -> None:
    steps = list(steps_of(GUIDE.read_text(encoding="utf-8")))
    assert len(steps) >= 10
    with Session(tmp_path) as session:
        for step in steps:
            printed = session.printed(step)
            assert same(printed, step.printed), "\n".join((f"$ {step.command}", *printed))


def test_what_differs_from_run_to_run_is_masked_and_nothing_else() -> None:
    assert masked("1  NOx  42CD 5B76  102.68  ppm") == masked("1  NOx  42CC 0001  99.1  ppm")
    assert masked("NOx 5 ppm good") != masked("NOx 5 ppm failure")
    assert masked("7 devices") == "N devices"


def test_dots_stand_for_lines_and_for_no_others() -> None:
    assert same(["a", "b", "c", "d"], ["a", "...", "d"])
    assert same(["a", "b"], ["a", "..."])
    assert not same(["a", "b", "x"], ["a", "...", "d"])
    assert not same(["a", "b"], ["a"])
