"""The kill campaign of DNP3: every event of an outstation arrives at the centre exactly once.

`python -m tests.system.changes --count 10 --seed 1` ends with one JSON line. The points of the
outstation never stop changing; half the seeds let it report by itself, half are polled. The agent
is killed between what the outstation gives and what is confirmed to it.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system import messages
from tests.system.changing import ChangingInstallation
from tests.system.evidence import Witness
from tests.system.installation import CLOCK, ROOT, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def verdict(one: ChangingInstallation, journal: Path) -> Report:
    """Return the report of the independent checker."""
    command = (sys.executable, str(CHECKER), str(one.centre_file))
    done = subprocess.run(
        [*command, "--key", str(one.public_key), "--had", str(journal)],
        capture_output=True,
        text=True,
        timeout=messages.CHECKER_LIMIT_S,
        check=False,
        cwd=one.folder,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the checker failed: {done.stderr}")
    report: Report = json.loads(done.stdout)
    return report | {"exit_code": done.returncode}


def sees_damage(one: ChangingInstallation, chance: random.Random) -> bool:
    """Return whether the checker sees an event that is missing, and one that is there twice."""
    lines = one.journal.read_text().splitlines()
    damaged = one.journal.with_name("damaged.jsonl")
    chosen = chance.randrange(len(lines))
    damaged.write_text("\n".join(lines[:chosen] + lines[chosen + 1 :]) + "\n")
    less = verdict(one, damaged)
    damaged.write_text("\n".join([*lines, lines[chosen]]) + "\n")
    more = verdict(one, damaged)
    return bool(less.get("twice") or less.get("invented")) and bool(more.get("lost"))


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
        found = verdict(one, one.journal)
        has_seen = sees_damage(one, chance)
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
    """Run one campaign; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    print(f"kill_events: {known.count} cycles, seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary) / "installation"
        report = campaign(known.count, seed=seed, folder=folder)
    is_good = messages.is_good(report)
    print(json.dumps({"is_good": is_good, **report}))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
