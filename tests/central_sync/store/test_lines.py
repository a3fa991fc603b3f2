"""Which batch of a number is on the main line: every case of the rule."""

from dataclasses import dataclass

import pytest

from central_sync.store.admission import Standing
from central_sync.store.lines import main_at
from edge_agent.wire.vocabulary import NO_HASH, Hash


def name(letter: str) -> Hash:
    return Hash(letter.encode() * 32)


def batch(letter: str, before: str, *, is_behind: bool = True) -> Standing:
    return Standing(batch_hash=name(letter), prev_batch_hash=name(before), is_behind=is_behind)


def genesis(letter: str) -> Standing:
    return Standing(batch_hash=name(letter), prev_batch_hash=NO_HASH, is_behind=False)


@dataclass(frozen=True)
class Case:
    """What stands at a number, the main line's batch below it, and which is on the main line."""

    what: str
    standing: tuple[Standing, ...]
    below: str | None
    main: str | None


CASES = [
    Case("nothing", (), "a", None),
    Case("the one that follows", (batch("b", "a"),), "a", "b"),
    Case("the first of two that follow", (batch("c", "a"), batch("b", "a")), "a", "c"),
    Case("the one that follows, though it came last", (batch("c", "x"), batch("b", "a")), "a", "b"),
    Case("none that follows another", (batch("c", "x"),), "a", None),
    Case("none whose missing batch has a rival", (batch("c", "x", is_behind=False),), "a", None),
    Case("behind a hole", (batch("c", "x", is_behind=False),), None, "c"),
    Case(
        "the first of two behind holes",
        (batch("c", "x", is_behind=False), batch("b", "y", is_behind=False)),
        None,
        "c",
    ),
    Case(
        "behind a hole, not behind a branch",
        (batch("c", "x"), batch("b", "y", is_behind=False)),
        None,
        "b",
    ),
    Case("none behind branches only", (batch("c", "x"), batch("b", "y")), None, None),
    Case("the genesis", (genesis("a"),), None, "a"),
    Case("the first of two beginnings", (genesis("b"), genesis("a")), None, "b"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_the_main_line_has_at_each_number(case: Case) -> None:
    below = None if case.below is None else name(case.below)
    assert main_at(case.standing, below) == (None if case.main is None else name(case.main))
