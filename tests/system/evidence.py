"""What is known of an installation from outside: its files, read while it runs, and the verdict.

Reads with `mode=ro`; the verdict is that of the independent checker, in a process of its own.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from tests.system.installation import ROOT

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.system.installation import Installation

Report: TypeAlias = dict[str, object]

CHECKER = ROOT / "tests" / "independent" / "checker.py"
CHECKER_LIMIT_S = 600.0
BUSY_S = 10.0
# A scan is stamped when its last answer arrived; on a busy machine that is late, never early.
AT_TOLERANCE_MS = "5000"
GAP_SLACK_MS = "250"


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query on table batch of a file that others may be writing.

    None, if the file is not there or was left before it had its tables.
    """
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_S)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'batch'").fetchall():
            return []
        return connection.execute(query).fetchall()


@dataclass
class Witness:
    """Notes which batches were seen committed, and when processes were killed.

    Attributes:
        installation: what is watched.
        utc_minus_boottime_ns: where the gateway's wall clock is wrong on purpose, by what its
            CLOCK_BOOTTIME lacks to UTC; then times are judged by that clock.
        seen: hashes of the batches seen in the gateway's buffer.
        with_readings: how many of them hold readings.

    """

    installation: Installation
    utc_minus_boottime_ns: int | None = None
    seen: set[bytes] = field(default_factory=set)
    with_readings: int = 0

    @property
    def journal(self) -> Path:
        """JSON lines, one per batch seen committed."""
        return self.installation.folder / "committed.jsonl"

    @property
    def kills(self) -> Path:
        """JSON lines, one per window around a kill."""
        return self.installation.folder / "kills.jsonl"

    def look(self) -> int:
        """Note what the buffer holds now; return how many batches with readings were ever seen."""
        query = "SELECT chain_id, batch_no, batch_hash, header FROM batch"
        with self.journal.open("a") as journal:
            for chain, number, named, header in rows(self.installation.buffer, query):
                if not (isinstance(chain, bytes) and isinstance(named, bytes)):
                    raise TypeError("the buffer's batch table is not what it should be")
                if named not in self.seen:
                    self.seen.add(named)
                    self.with_readings += record_count(header) > 0
                    line = {"chain": chain.hex(), "batch_no": number, "batch_hash": named.hex()}
                    journal.write(json.dumps(line) + "\n")
        return self.with_readings

    def note_kill(self, from_ns: int, at_ns: int, to_ns: int) -> None:
        """Note a kill, and the span in which polls may have been served and not kept, UTC ns."""
        with self.kills.open("a") as kills:
            line = {"from_ns": from_ns, "at_ns": at_ns, "to_ns": to_ns}
            kills.write(json.dumps(line) + "\n")

    def last_write_ns(self) -> int:
        """Return when the buffer's log was last written, ns; 0 while there is none."""
        log = self.installation.buffer.with_name("buffer.db-wal")
        try:
            return log.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def unreceipted(self) -> int:
        """Return how many batches of the buffer still wait for a receipt."""
        query = "SELECT count(*) FROM batch WHERE NOT receipted"
        counted = rows(self.installation.buffer, query)
        return int(str(counted[0][0])) if counted else 0

    def believed(self) -> int:
        """Return how many batches the gateway holds for receipted that the centre has not.

        It is not lost yet: it may be asked for again, as long as the gateway still has it.
        """
        query = "SELECT batch_hash FROM batch"
        receipted = rows(self.installation.buffer, f"{query} WHERE receipted")
        return len(set(receipted) - set(rows(self.installation.centre_file, query)))

    def at_centre(self) -> int:
        """Return how many batches with readings the centre holds."""
        query = "SELECT count(*) FROM batch WHERE record_count > 0"
        counted = rows(self.installation.centre_file, query)
        return int(str(counted[0][0])) if counted else 0

    def verdict(self, centre: Path | None = None, *, with_polls: bool = True) -> Report:
        """Return the checker's report over everything, with its exit code under `exit_code`.

        Args:
            centre: the centre's file; None: the one of the installation.
            with_polls: whether each answer of the plant is looked for; takes memory for each.

        """
        one = self.installation
        self.kills.touch()
        ahead_ns = self.utc_minus_boottime_ns
        by_boottime = () if ahead_ns is None else ("--utc-minus-boottime-ns", str(ahead_ns))
        polls = ("--served", str(one.served), "--map", str(one.folder / "map.json"))
        done = subprocess.run(
            [
                *(sys.executable, str(CHECKER), str(centre or one.centre_file)),
                *("--key", str(one.public_key), "--server-key", str(one.receipt_key)),
                *("--buffer", str(one.buffer), "--committed", str(self.journal)),
                *(polls if with_polls else ()),
                *("--kills", str(self.kills), "--at-tolerance-ms", AT_TOLERANCE_MS),
                *by_boottime,
                *("--slack-ms", GAP_SLACK_MS),
            ],
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

    def sees_damage(self, chance: random.Random) -> bool:
        """Return whether the checker finds one batch missing from a copy of the centre's file.

        A checker that never finds anything proves nothing: this is asked at the end of every run.
        """
        copy = self.installation.folder / "damaged.db"
        copy.unlink(missing_ok=True)
        source = f"file:{self.installation.centre_file}?mode=ro"
        with closing(sqlite3.connect(source, uri=True, timeout=BUSY_S)) as whole:
            whole.execute("SELECT 1").fetchall()
            with closing(sqlite3.connect(copy)) as damaged, damaged:
                whole.backup(damaged)
                chosen = "SELECT batch_hash FROM batch WHERE record_count > 0 ORDER BY batch_hash"
                hashes = damaged.execute(chosen).fetchall()
                damaged.execute("PRAGMA foreign_keys = OFF")
                damaged.execute("DELETE FROM batch WHERE batch_hash = ?", chance.choice(hashes))
        report = self.verdict(copy)
        return report["exit_code"] == 1 and bool(report["lost_committed"])


def record_count(header: object) -> int:
    """Return the number of readings that a header says (docs/wire-format.md section 2)."""
    if not isinstance(header, bytes):
        raise TypeError("a header is bytes")
    return int.from_bytes(header[64:68], "little")
