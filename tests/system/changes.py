"""The kill campaign of DNP3: every event of an outstation arrives at the centre exactly once.

`python -m tests.system.changes --count 10 --seed 1` ends with one JSON line. The points of the
outstation never stop changing; half the seeds let it report by itself, half are polled. The agent
is killed between what the outstation gives and what is confirmed to it.
"""

from __future__ import annotations

import random
import sys
from functools import partial
from typing import TYPE_CHECKING

from tests.system import messages
from tests.system.changing import ChangingInstallation
from tests.system.evidence import Witness
from tests.system.installation import CLOCK, ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.system.evidence import Report

CHECKER = ROOT / "tests" / "independent" / "changes.py"
DRAIN_LIMIT_S = 120.0


def drain(one: ChangingInstallation, witness: Witness) -> None:
    """Let everything arrive, and stop the agent as an operator would."""
    one.start_agent()
    one.calm(DRAIN_LIMIT_S)
    one.check_running()
    before = witness.look()
    # What comes twice would come now, with the present values of the next polls.
    wait_until("polls", lambda: witness.look() > before + 2, limit_s=DRAIN_LIMIT_S)
    if code := one.stop("agent"):
        raise RuntimeError(f"the agent stopped with code {code}")
    # What it could not send any more when it stopped, it sends when it starts.
    one.start_agent()
    wait_until("nothing waits", lambda: witness.unreceipted() <= 1, limit_s=DRAIN_LIMIT_S)
    one.kill("agent")


def campaign(count: int, *, seed: int, folder: Path) -> Report:
    """Run `count` cycles on a new installation in an empty or missing folder; return the report."""
    began_ns = CLOCK.now().mono_ns
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    events = ("unsolicited", "polled")[seed % 2]
    with ChangingInstallation(folder, seed=seed, events=events) as one:
        one.install(one.centre_port)
        one.start_centre()
        run = messages.Campaign(one, Witness(one), chance)
        committed = [run.cycle() for _ in range(count)]
        drain(one, run.witness)
        judge = partial(messages.verdict, one, CHECKER, "--had")
        found = judge(one.journal)
        has_seen = messages.sees_damage(judge, one.journal, chance)
    return {
        "campaign": "kill_events",
        "seed": seed,
        "count": count,
        "how": events,
        "early_kills": run.early_kills,
        "aimed_kills": run.aimed_kills,
        "cycles_without_commit": committed.count(0),
        "seconds": round((CLOCK.now().mono_ns - began_ns) / 1e9, 1),
        "checker_sees_damage": has_seen,
        **found,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign of the command line."""
    return messages.command("kill_events", __doc__, campaign, arguments)


if __name__ == "__main__":
    sys.exit(main())
