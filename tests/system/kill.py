"""The kill campaigns: the agent, or the centre, is killed at random while the uplink is cut.

`python -m tests.system.kill agent --count 10 --seed 1` ends with one JSON line. A cycle counts only
if new batches were committed in it; the verdict is that of the independent checker.
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
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from tests.system.evidence import Witness
from tests.system.installation import (
    AGENT,
    CLOCK,
    COMMAND_LIMIT_S,
    COMMIT_INTERVAL_S,
    ROOT,
    Installation,
    pause,
    wait_until,
)
from tests.system.proxy import Mishap, Proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.system.evidence import Report

# What may be lost to a kill: what came since the last commit (the interval, and a commit that
# waits for a busy disk), and an answer on its way while the process died.
UNCOMMITTED_NS = round((COMMIT_INTERVAL_S + 1.5) * 1e9)
IN_FLIGHT_NS = 250_000_000
LIFE_S = (0.2, 2.0)
# Every so often a process is killed while it still starts: opening and recovery must bear it too.
EARLY_RATE = 0.3
EARLY_LIFE_S = (0.02, 1.0)
# Every other kill waits for the moment that matters: a commit of the agent, or an upload.
AIMED_RATE = 0.5
AIM_LIMIT_S = 10.0
AIM_STEP_S = 0.000_5
COMMIT_TAKES_S = 0.01
UPLOAD_TAKES_S = 0.05
# The gateway backs off up to 1, 2, 4, ... s after each failure: short cuts let it come back.
FAIR_S = (1.0, 6.0)
FOUL_S = (0.1, 0.6)
# Behind a bad run of failures its next attempt may be as far away as its longest back-off, 300 s
# (docs/wire-format.md section 12): on a busy machine a bad run is a matter of time.
START_LIMIT_S = 420.0
DRAIN_LIMIT_S = 420.0
RATES: Mapping[Mishap, float] = {
    Mishap.REFUSE: 0.05,
    Mishap.RESET_REQUEST: 0.05,
    Mishap.LOSE_RESPONSE: 0.2,
    Mishap.CUT_RESPONSE: 0.05,
}


@dataclass
class Weather:
    """Cuts and mends the uplink at random in a thread, for as long as the `with` block lasts."""

    proxy: Proxy
    seed: int

    def __enter__(self) -> Self:
        """Begin."""
        self._over = Event()
        self._thread = Thread(target=self._blow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the uplink mended and without mishaps."""
        self._over.set()
        self._thread.join()
        self.proxy.rates = {}
        self.proxy.mend()

    def _blow(self) -> None:
        chance = random.Random(self.seed)  # noqa: S311 - chance, not a secret
        while not self._over.wait(chance.uniform(*FAIR_S)):
            self.proxy.cut()
            if self._over.wait(chance.uniform(*FOUL_S)):
                return
            self.proxy.mend()


@dataclass
class Campaign:
    """One campaign under way on one installation."""

    one: Installation
    proxy: Proxy
    witness: Witness
    chance: random.Random
    early_kills: int = 0
    aimed_kills: int = 0

    def agent_cycle(self) -> int:
        """Start the agent, let it commit, kill it; return how many batches it committed."""
        if self.chance.random() < EARLY_RATE:
            self.one.start_agent()
            pause(self.chance.uniform(*EARLY_LIFE_S))
            self._kill_agent()
            self.early_kills += 1
        before = self.witness.look()
        self.one.start_agent()
        self._until_more("the agent commits", self.witness.look, before)
        pause(self.chance.uniform(*LIFE_S))
        self.witness.look()
        self.one.check_running()
        self._aim(self.witness.last_write_ns, COMMIT_TAKES_S)
        self._kill_agent()
        return self.witness.look() - before

    def _kill_agent(self) -> None:
        at_ns = self.one.kill("agent")
        self.witness.note_kill(at_ns - UNCOMMITTED_NS, at_ns, at_ns + IN_FLIGHT_NS)

    def centre_cycle(self) -> int:
        """Start the centre, let it store, kill it; return how many batches it stored."""
        before = self.witness.at_centre()
        if self.chance.random() < EARLY_RATE:
            self.one.start_centre()
            pause(self.chance.uniform(*EARLY_LIFE_S))
            self.one.kill("centre")
            self.early_kills += 1
        self.one.start_centre()
        self._until_more("the centre stores", self.witness.at_centre, before)
        pause(self.chance.uniform(*LIFE_S))
        self.one.check_running()
        self._aim(lambda: sum(self.proxy.counts.values()), UPLOAD_TAKES_S)
        self.one.kill("centre")
        return self.witness.at_centre() - before

    def _aim(self, moment: Callable[[], int], lasts_s: float) -> None:
        """Half of the time, wait until `moment` changes and then a random part of what follows."""
        if self.chance.random() >= AIMED_RATE:
            return
        before = moment()
        with suppress(TimeoutError):
            wait_until(
                "a moment to kill in",
                lambda: moment() != before,
                limit_s=AIM_LIMIT_S,
                look_every_s=AIM_STEP_S,
            )
            pause(self.chance.uniform(0.0, lasts_s))
            self.aimed_kills += 1

    def _until_more(self, what: str, count: Callable[[], int], before: int) -> None:
        """Return once there is more than `before`; the buffer is watched all the while."""

        def is_so() -> bool:
            self.one.check_running()
            self.witness.look()
            return count() > before

        try:
            wait_until(what, is_so, limit_s=START_LIMIT_S)
        except TimeoutError as error:
            error.add_note(_gateway_says(self.one))
            raise

    def drain(self) -> None:
        """Let everything arrive, stop the agent as an operator would, and note the last batches."""
        if "centre" not in self.one.running:
            self.one.start_centre()
        if "agent" not in self.one.running:
            self.one.start_agent()
        self._until_more("the last agent commits", self.witness.look, self.witness.look())
        wait_until("nothing waits", lambda: self.witness.unreceipted() <= 1, limit_s=DRAIN_LIMIT_S)
        code = self.one.stop("agent")
        self.witness.look()
        if code:
            raise RuntimeError(f"the agent stopped with code {code}")


def _gateway_says(one: Installation) -> str:
    """Return what the agent tells people of itself, for whoever asks why nothing happens."""
    command = (*AGENT, "status", "--config", str(one.config))
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMMAND_LIMIT_S, cwd=ROOT, check=False
    )
    return done.stdout + done.stderr


def campaign(target: str, count: int, *, seed: int, folder: Path) -> Report:
    """Run `count` cycles on a new installation; return the report.

    Args:
        target: agent or centre: which of them is killed.
        count: cycles.
        seed: of the plant, of the mishaps and of the times of the kills.
        folder: an empty or missing folder, kept for whoever wants to look.

    """
    began_ns = CLOCK.now().mono_ns
    with Installation(folder, seed=seed) as one, Proxy(one.centre_port, seed, RATES) as proxy:
        one.install(proxy.port)
        run = Campaign(one, proxy, Witness(one), random.Random(seed))  # noqa: S311 - chance
        cycle = run.agent_cycle if target == "agent" else run.centre_cycle
        if target == "agent":
            one.start_centre()
        else:
            one.start_agent()
        with Weather(proxy, seed):
            committed = [cycle() for _ in range(count)]
        run.drain()
        verdict = run.witness.verdict()
        sees_damage = run.witness.sees_damage(run.chance)
    return {
        "campaign": f"kill_{target}",
        "seed": seed,
        "count": count,
        "early_kills": run.early_kills,
        "aimed_kills": run.aimed_kills,
        "cycles_without_commit": committed.count(0),
        "seconds": round((CLOCK.now().mono_ns - began_ns) / 1e9, 1),
        "uplink": dict(proxy.counts),
        "checker_sees_damage": sees_damage,
        **verdict,
    }


def is_good(report: Report) -> bool:
    """Return whether nothing was lost, twice or invented, and every cycle committed readings."""
    return (
        report["exit_code"] == 0
        and report["checker_sees_damage"] is True
        and not report["cycles_without_commit"]
        and not report["forks"]
        and not report["batches_declared_lost"]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one campaign; print its report as one JSON line; return 1 if it failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=("agent", "centre"))
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one")
    parser.add_argument("--folder", type=Path, help="kept; default: temporary")
    known = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 31) if known.seed is None else known.seed
    print(f"kill_{known.target}: {known.count} cycles, seed {seed}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = known.folder or Path(temporary) / "installation"
        report = campaign(known.target, known.count, seed=seed, folder=folder)
    print(json.dumps({"is_good": is_good(report), **report}))
    return 0 if is_good(report) else 1


if __name__ == "__main__":
    sys.exit(main())
