"""The kill campaign of MQTT: every message arrives at the centre as often as it was published.

`python -m tests.system.messages --count 10 --seed 1` ends with one JSON line. A publisher never
stops; every few messages it says the same once more, byte for byte, which is a message of its own.
The agent is killed between what the broker delivers and what it acknowledges.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system.evidence import Witness, rows
from tests.system.installation import CLOCK, ROOT, pause, wait_until
from tests.system.publications import TOPIC, MessageInstallation, Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.system.evidence import Report
    from tests.system.installation import Installation

CHECKER = ROOT / "tests" / "independent" / "messages.py"
LIFE_S = (0.1, 1.5)
# Between the delivery of a message and its commit lie up to 0.2 s, behind it the acknowledgement.
COMMIT_TAKES_S = 0.004
AIMED_RATE = 0.7
EARLY_RATE = 0.2
EARLY_LIFE_S = (0.3, 1.2)
START_LIMIT_S = 60.0
DRAIN_LIMIT_S = 120.0
CHECKER_LIMIT_S = 300.0


@dataclass
class Campaign:
    """One campaign under way on one installation."""

    one: Installation
    witness: Witness
    chance: random.Random
    aimed_kills: int = 0
    early_kills: int = 0

    def cycle(self) -> int:
        """Start the agent, let it commit, kill it; return how many batches it committed."""
        before = self.witness.look()
        self.one.start_agent()
        if self.chance.random() < EARLY_RATE:
            pause(self.chance.uniform(*EARLY_LIFE_S))
            self.one.kill("agent")
            self.early_kills += 1
            self.one.start_agent()

        def has_more() -> bool:
            self.one.check_running()
            return self.witness.look() > before

        wait_until("the agent commits", has_more, limit_s=START_LIMIT_S)
        pause(self.chance.uniform(*LIFE_S))
        self.one.check_running()
        if self.chance.random() < AIMED_RATE:
            written_ns = self.witness.last_write_ns()
            with suppress(TimeoutError):
                wait_until(
                    "a commit",
                    lambda: self.witness.last_write_ns() != written_ns,
                    limit_s=5.0,
                    look_every_s=0.000_5,
                )
                pause(self.chance.uniform(0.0, COMMIT_TAKES_S))
                self.aimed_kills += 1
        self.one.kill("agent")
        return self.witness.look() - before

    def drain(self, published: int) -> None:
        """Let everything arrive, and stop the agent as an operator would."""
        self.one.start_agent()

        def has_all() -> bool:
            self.one.check_running()
            counted = rows(self.one.centre_file, "SELECT sum(record_count) FROM batch")
            return bool(counted) and int(str(counted[0][0] or 0)) >= 2 * published

        with suppress(TimeoutError):  # the verdict says what is lost
            wait_until("everything is at the centre", has_all, limit_s=DRAIN_LIMIT_S)
        # What comes twice would come now.
        before = self.witness.look()
        with suppress(TimeoutError):
            wait_until("nothing", lambda: self.witness.look() > before, limit_s=2.0)
        wait_until("nothing waits", lambda: self.witness.unreceipted() <= 1, limit_s=DRAIN_LIMIT_S)
        if code := self.one.stop("agent"):
            raise RuntimeError(f"the agent stopped with code {code}")


def verdict(one: Installation, checker: Path, had: str, journal: Path) -> Report:
    """Return the report of an independent checker.

    Args:
        one: the installation that is judged.
        checker: the program.
        had: its option for the journal.
        journal: what the plant said.

    """
    command = (sys.executable, str(checker), str(one.centre_file))
    done = subprocess.run(
        [*command, "--key", str(one.public_key), had, str(journal)],
        capture_output=True,
        text=True,
        timeout=CHECKER_LIMIT_S,
        check=False,
        cwd=one.folder,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"the checker failed: {done.stderr}")
    report: Report = json.loads(done.stdout)
    return report | {"exit_code": done.returncode}


def sees_damage(judge: Callable[[Path], Report], journal: Path, chance: random.Random) -> bool:
    """Return whether a checker sees something that is missing, and something that is twice."""
    lines = journal.read_text().splitlines()
    damaged = journal.with_name("damaged.jsonl")
    chosen = chance.randrange(len(lines))
    damaged.write_text("\n".join(lines[:chosen] + lines[chosen + 1 :]) + "\n")
    less = judge(damaged)
    damaged.write_text("\n".join([*lines, lines[chosen]]) + "\n")
    more = judge(damaged)
    return bool(less.get("twice") or less.get("invented")) and bool(more.get("lost"))


def campaign(count: int, *, seed: int, folder: Path) -> Report:
    """Run `count` cycles on a new installation in an empty or missing folder; return the report."""
    began_ns = CLOCK.now().mono_ns
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    with MessageInstallation(folder, seed=seed) as one:
        one.install(one.centre_port)
        one.start_centre()
        run = Campaign(one, Witness(one), chance)
        # The session begins with the first start: what is said before it is for nobody.
        one.start_agent()
        log, subscribed = folder / "plant.log", f"gateway 1 {TOPIC}".encode()
        wait_until("a session", lambda: subscribed in log.read_bytes(), limit_s=START_LIMIT_S)
        one.kill("agent")
        journal = folder / "published.jsonl"
        with Publisher(one.broker_port, seed, journal):
            committed = [run.cycle() for _ in range(count)]
        run.drain(len(journal.read_text().splitlines()))
        judge = partial(verdict, one, CHECKER, "--published")
        found = judge(journal)
        has_seen = sees_damage(judge, journal, chance)
    return {
        "campaign": "kill_messages",
        "seed": seed,
        "count": count,
        "early_kills": run.early_kills,
        "aimed_kills": run.aimed_kills,
        "cycles_without_commit": committed.count(0),
        "seconds": round((CLOCK.now().mono_ns - began_ns) / 1e9, 1),
        "checker_sees_damage": has_seen,
        **found,
    }


def is_good(report: Report) -> bool:
    """Return whether every message is there as often as it was published."""
    return (
        report["exit_code"] == 0
        and report["checker_sees_damage"] is True
        and not report["cycles_without_commit"]
    )


def command(
    name: str,
    told: str | None,
    campaign_of: Callable[..., Report],
    arguments: Sequence[str] | None,
) -> int:
    """Run one campaign; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=told)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    print(f"{name}: {known.count} cycles, seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary) / "installation"
        report = campaign_of(known.count, seed=seed, folder=folder)
    is_right = is_good(report)
    print(json.dumps({"is_good": is_right, **report}))
    return 0 if is_right else 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign of the command line."""
    return command("kill_messages", __doc__, campaign, arguments)


if __name__ == "__main__":
    sys.exit(main())
