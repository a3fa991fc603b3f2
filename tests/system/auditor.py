"""The auditor campaign: single bytes of every file of an archive are changed, each must be found.

What is touched is verified anew as `central-sync verify` does it: a record by its own check, the
files of the log by theirs. One change in a few hundred goes through the whole auditor, and some
through the command, so that the short way is known to be the long one. A change counts as found
only if the thing that it touches is named: the hash, signature or place in the log of its batch,
its configuration, or the signed file of the log. A change inside a frame is also tried with the
frame's own hash put right, as a forger would: then signatures and signed hashes must find it,
unless the compressed bytes still unpack to what was signed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from central_sync.audit.source import FolderSource
from central_sync.audit.verify import Audit
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import export, furnish
from tests.system.changed_archive import Bench, Change
from tests.system.installation import CLOCK, ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence


BATCHES_EACH = 40
SCANS = 10
WHOLE_EVERY = 100
COMMANDS = 2
BAD_DATA = 65


def bench(folder: Path) -> Bench:
    """Return an archive of a centre that met everything, in memory and in `folder`/archive."""
    centre = Centre(folder / "state")
    furnish(centre, batches=BATCHES_EACH, scans=SCANS)
    export(centre, folder / "archive")
    centre.close()
    report = Audit(FolderSource(folder / "archive")).run()
    if not report.is_passed:
        raise RuntimeError(f"the archive does not hold as it is: {report.findings}")
    source = FolderSource(folder / "archive")
    return Bench({name: (folder / "archive" / name).read_bytes() for name in source.names()})


def command(archive: Path) -> int:
    """Return the exit code of `central-sync verify`."""
    run = "import sys; from central_sync.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", run, "verify", str(archive), "--json"],
        capture_output=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    return done.returncode


def commands(folder: Path, tested: Bench, changes: Sequence[Change]) -> list[str]:
    """Return what the command says wrongly of the archive and of copies with one change each."""
    wrong = [] if command(folder / "archive") == 0 else ["the archive as it is fails"]
    for change in changes:
        copy = folder / "copy"
        shutil.copytree(folder / "archive", copy)
        (copy / change.name).write_bytes(change.applied(tested.files[change.name]))
        if command(copy) != BAD_DATA:
            wrong.append(str(change))
        shutil.rmtree(copy)
    return wrong


def campaign(count: int, *, seed: int, folder: Path) -> dict[str, object]:
    """Change so many bytes; return what was found, and what was not."""
    chance = random.Random(seed)  # noqa: S311 - chance, not a secret
    tested = bench(folder)
    began_ns = CLOCK.now().mono_ns
    wholes = 0
    for number in range(count):
        change = tested.change(chance)
        tested.try_one(change)
        if number % WHOLE_EVERY == 0:
            tested.whole(change)
            wholes += 1
    seconds = (CLOCK.now().mono_ns - began_ns) / 1e9
    wrong = commands(folder, tested, [tested.change(chance) for _ in range(COMMANDS)])
    return {
        "count": count,
        "seconds": round(seconds, 1),
        "changes_per_s": round(count / max(seconds, 1e-9)),
        "archive_bytes": sum(map(len, tested.files.values())),
        "found_by": dict(sorted(tested.found_by.items())),
        "found_by_careful": dict(sorted(tested.found_by_careful.items())),
        "undetected": [str(change) for change in tested.undetected],
        "whole_runs": wholes,
        "misnamed": tested.misnamed,
        "command_wrong": wrong,
        "is_good": not (tested.undetected or tested.misnamed or wrong),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a piece and print its report as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = campaign(options.count, seed=options.seed, folder=Path(folder))
    print(json.dumps(report))
    return 0 if report["is_good"] else 1


if __name__ == "__main__":
    sys.exit(main())
