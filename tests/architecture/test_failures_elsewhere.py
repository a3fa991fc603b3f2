"""docs/failures-elsewhere.md: every failure of the list has a row, every test it names exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "failures-elsewhere.md").read_text(encoding="utf-8")
FAILURES = 30


def test_every_failure_has_its_row() -> None:
    numbers = re.findall(r"^\| (\d+) \|", PAGE, flags=re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, FAILURES + 1))


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) >= FAILURES
    for path, name in named:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"def {name}\(", text), f"{path}::{name}"
