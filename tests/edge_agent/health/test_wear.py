"""What the process writes to the disk, as a figure for a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.health import wear
from edge_agent.health.wear import NS_PER_DAY, SHORTEST_NS, per_day, written_bytes

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_kernel_says_what_was_written() -> None:
    before = written_bytes()
    assert before is not None
    assert before >= 0


def test_a_kernel_that_does_not_say_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wear, "COUNTERS", tmp_path / "io")
    assert written_bytes() is None
    (tmp_path / "io").write_text("rchar: 1\n")
    assert written_bytes() is None


def test_a_day_is_reckoned_once_there_is_enough_to_reckon_from() -> None:
    assert per_day(10, SHORTEST_NS - 1) is None
    assert per_day(None, NS_PER_DAY) is None
    assert per_day(10, NS_PER_DAY // 2) == 20
