"""Histories of one accident each, or of none: what must be an alarm is one, and nothing else is.

Run as `python -m tests.simulation.histories --count N --seed S`: N histories, all kinds in turn.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from tests.simulation.stories import STORIES, History

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.stories import Verdict
    from tests.simulation.world import Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One history at its end: how many alarms it had to raise, and everything that is wrong."""

    due: int
    wrong: tuple[str, ...]


def played(story: Callable[[History], Verdict], seed: int, rules: Rules | None = None) -> Played:
    """Play one history."""
    history = History(seed, rules)
    history.live()
    history.world.late.clear()
    verdict = story(history)
    history.live()
    wrong = history.world.judged()
    raised = {str(code) for (code,) in history.world.centre.rows("select code from alarm")}
    history.world.close()
    wrong += [f"unseen: {code}" for code in sorted(verdict.must - raised)]
    wrong += [f"false alarm: {code}" for code in sorted(raised - verdict.must - verdict.may)]
    return Played(due=len(verdict.must), wrong=tuple(wrong))


def main() -> int:
    """Run, and end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=len(STORIES))
    parser.add_argument("--seed", type=int, default=1)
    known = parser.parse_args()
    began_s = monotonic()
    wrong: dict[str, int] = {}
    met: Counter[str] = Counter(alarms_due=0, unseen=0, false_alarms=0)
    for index in range(known.count):
        story = STORIES[index % len(STORIES)]
        one = played(story, known.seed + index)
        for fault in one.wrong:
            wrong.setdefault(f"{story.__name__}: {fault}", known.seed + index)
        met["alarms_due"] += one.due
        met["unseen"] += sum(fault.startswith("unseen") for fault in one.wrong)
        met["false_alarms"] += sum(fault.startswith("false alarm") for fault in one.wrong)
    report = {
        "count": known.count,
        "is_good": not wrong,
        "seconds": round(monotonic() - began_s, 1),
        "kinds": len(STORIES),
        **met,
        "violations": wrong,
    }
    print(json.dumps(report))
    return 0 if not wrong else 1


if __name__ == "__main__":
    raise SystemExit(main())
