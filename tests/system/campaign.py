"""`make campaign`: the fault campaigns, each within its time budget, with fresh seeds.

A piece of each is run by `make test`, with the seed of `seed_in_test`.

`--scale make` (the default) runs until the budget of budgets.toml is used; `issue` and `torture`
run the counts that stand there, in pieces, and go on where they were interrupted. `issue` notes its
results in docs/evidence/campaigns.md. Fewer cycles than `make test` runs is a failure.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING
from zlib import crc32

from tests.system.installation import CLOCK, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUDGETS = Path(__file__).with_name("budgets.toml")
EVIDENCE = ROOT / "docs" / "evidence" / "campaigns.md"
PROGRESS = ROOT / ".bench" / "campaigns"
# Where Debian has the programs of services, which an ordinary user's PATH does not name.
PROGRAMS = f"{os.defpath}:/usr/sbin:/usr/local/sbin"
# A piece that hangs is a failure, not a reason to wait for ever.
PIECE_LIMIT_S = 1_800
HEAD = """\
# Fault campaigns

Appended by `make campaign SCALE=issue`; each line is one piece of a campaign, on an installation
of its own. Any line can be run again: the command of budgets.toml with `--count` and `--seed`.

| campaign | commit | seed | count | good | figures |
| --- | --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """One campaign of budgets.toml; see the head of that file."""

    name: str
    command: tuple[str, ...]
    budget_s: float
    piece: int
    test: int
    issue: int
    torture: int
    needs_root: bool = False
    needs_program: str = ""
    is_whole: bool = False

    def wanted(self, scale: str) -> int | None:
        """Return how many cycles a scale asks for; None: as many as the budget allows."""
        return {"issue": self.issue, "torture": self.torture}.get(scale)

    def size(self, left: int | None) -> int:
        """Return the cycles of the next piece, where so many are left; None: no count is set."""
        if left is None:
            # Within a budget a piece is that of `make test`, so that it fits for certain.
            return self.test
        return left if self.is_whole else min(self.piece, left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One finished run of a campaign's command."""

    seed: int
    count: int
    is_good: bool
    report: dict[str, object]


def budgets(path: Path = BUDGETS) -> tuple[Budget, ...]:
    """Return the campaigns of a file."""
    with path.open("rb") as file:
        return tuple(
            Budget(name=name, **fields | {"command": tuple(fields["command"])})
            for name, fields in tomllib.load(file).items()
        )


def seed_in_test(name: str, variable: str = "") -> int:
    """Return the seed of a campaign's piece in `make test`: always the same for a name.

    What fails there was changed, and did not happen by chance; `make campaign` draws its seeds.
    An environment variable may give another.
    """
    given = os.environ.get(variable)
    return int(given) if given else crc32(name.encode()) & 0x7FFF_FFFF


def piece_run(budget: Budget, count: int, seed: int) -> Piece:
    """Run `count` cycles; a command that ends without its JSON line has failed."""
    command = [sys.executable, *budget.command, "--count", str(count), "--seed", str(seed)]
    limit_s = PIECE_LIMIT_S + (60 * count if budget.is_whole else 0)
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, text=True, cwd=ROOT, timeout=limit_s, check=False
        )
        report = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
        print(f"{budget.name}: seed {seed}: no result: {error!r}", file=sys.stderr)
        return Piece(seed=seed, count=0, is_good=False, report={})
    is_good = done.returncode == 0 and report["is_good"]
    return Piece(seed=seed, count=report["count"], is_good=is_good, report=report)


def pieces(budget: Budget, scale: str, *, already: int) -> Iterator[Piece]:
    """Yield the pieces of a campaign until its count or its budget is reached, or one fails."""
    began_ns, reached, longest_ns = CLOCK.now().mono_ns, already, 0
    wanted = budget.wanted(scale)
    while wanted is None or reached < wanted:
        piece_ns = CLOCK.now().mono_ns
        size = budget.size(None if wanted is None else wanted - reached)
        piece = piece_run(budget, size, secrets.randbelow(1 << 31))
        yield piece
        reached += piece.count
        longest_ns = max(longest_ns, CLOCK.now().mono_ns - piece_ns)
        over_ns = CLOCK.now().mono_ns - began_ns + longest_ns
        if not piece.is_good or (wanted is None and over_ns > budget.budget_s * 1e9):
            return


def run(budget: Budget, scale: str) -> bool:
    """Run one campaign and print what it reached; return whether it is good."""
    if budget.needs_root and os.geteuid() != 0:
        print(f"{budget.name}: NOT RUN: it needs root: docs/contributing.md", flush=True)
        return True
    if budget.needs_program and not which(budget.needs_program, path=PROGRAMS):
        print(f"{budget.name}: NOT RUN: it needs {budget.needs_program}: make system-packages")
        return True
    if scale == "make" and not budget.test:
        print(f"{budget.name}: NOT RUN: it takes its time: make campaign SCALE=issue", flush=True)
        return True
    progress = PROGRESS / f"{budget.name}.{scale}.{_commit()}.jsonl"
    done = [json.loads(line) for line in _lines(progress)] if budget.wanted(scale) else []
    reached, is_good = sum(line["count"] for line in done), True
    for piece in pieces(budget, scale, already=reached):
        reached += piece.count
        is_good = piece.is_good
        print(f"{budget.name}: seed {piece.seed}: {json.dumps(piece.report)}", flush=True)
        if scale == "issue":
            _note_evidence(budget, piece)
        if is_good:
            progress.parent.mkdir(parents=True, exist_ok=True)
            with progress.open("a") as file:
                file.write(json.dumps({"seed": piece.seed, "count": piece.count}) + "\n")
    is_enough = reached >= (budget.wanted(scale) or budget.test)
    verdict = "good" if is_good and is_enough else "FAILED"
    print(f"{budget.name}: {reached} cycles, {verdict}", flush=True)
    return is_good and is_enough


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _commit() -> str:
    """Return the commit that is run, marked if what is run differs from it."""
    described = _git("describe", "--always", "--abbrev=12").stdout.strip()
    # The page that this program writes is no part of what it runs.
    is_other = _git("diff", "--quiet", "HEAD", "--", ".", ":!docs/evidence").returncode != 0
    return f"{described}-dirty" if described and is_other else described or "none"


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=False)


# The figures of a report that the evidence page shows.
SHOWN = (
    *(
        "seconds",
        "early_kills",
        "aimed_kills",
        "batches",
        "polls_served",
        "polls_found",
        "polls_in_gap",
    ),
    *(
        "flushes",
        "failed",
        "results",
        "polls_lost_to_kill",
        "lost_committed",
        "duplicates",
        "invented",
        "invalid",
        "uncovered",
    ),
    *("published", "published_alike", "found", "lost", "twice"),
    *("waiting", "intact", "salvaged", "salvaged_share", "silently_lost", "longest_start_s"),
    "of_chains_without_a_trace",
    *("modbus tcp", "rtu over tcp", "rtu serial"),
    *("taken", "fills", "at_centre", "in_buffer", "covered", "losses", "injected"),
    *("hostile", "set_back", "kinds", "alarms_due", "unseen", "false_alarms", "violations"),
    *("changes_per_s", "undetected", "misnamed", "command_wrong", "found_by", "found_by_careful"),
    *("befell", "packets", "exchanges", "receipts_forged", "receipts_believed"),
    *("passed", "targets"),
    *("cuts", "longest_back_s", "boot_events", "boot_events_wrong"),
    *("minutes", "agent", "centre", "largest_log_mib", "file_mib", "times_gone"),
)


def _note_evidence(budget: Budget, piece: Piece) -> None:
    """Append one line to the evidence page."""
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    head = "" if EVIDENCE.exists() else HEAD
    figures = ", ".join(f"{n} {piece.report[n]}" for n in SHOWN if n in piece.report)
    good = "yes" if piece.is_good else "NO"
    with EVIDENCE.open("a") as page:
        page.write(head)
        page.write(
            f"| {budget.name} | {_commit()} | {piece.seed} | {piece.count} | {good} | {figures} |\n"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaigns that are asked for; return 1 if one failed."""
    known = budgets()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("make", "issue", "torture"), default="make")
    parser.add_argument("only", nargs="?", choices=[budget.name for budget in known])
    options = parser.parse_args(arguments)
    chosen = [budget for budget in known if options.only in (None, budget.name)]
    results = [run(budget, options.scale) for budget in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
