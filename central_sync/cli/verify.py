"""`central-sync verify`: an archive, offline: PASS or FAIL, and what does not hold."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from central_sync.audit.report import Report
from central_sync.audit.source import source_of
from central_sync.audit.verify import Audit
from central_sync.errors import ExitCode, OperatorError
from central_sync.proofs.note import NoteKey
from edge_agent.wire.canonical import JsonValue
from edge_agent.wire.refusal import RefusedError

SHOWN: Final = 10
"""Findings that are printed; all of the first thousand are in the JSON."""

ROWS: Final = (
    ("gateways", "chains", "batches", "records", "events"),
    ("losses", "missing", "headstones", "forks", "branches", "quarantined"),
    ("uncertain", "alarms", "log_restarts", "after_revocation", "unlogged"),
    ("bundles", "bundles_missing", "profiles", "hourly_values", "log_entries", "log_size"),
)
"""Counts, as they are printed."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("archive", type=Path, metavar="ARCHIVE", help="a folder or a tar file")
    parser.add_argument(
        "--log-key",
        metavar="KEY|FILE",
        help="the log's key as you know it from elsewhere (GET /v1/log/key, an older archive)",
    )
    parser.add_argument(
        "--signatures-only",
        action="store_true",
        help="do not unpack readings: signatures, chains and log alone, several times faster",
    )
    parser.add_argument("--json", action="store_true", help="print the facts as one JSON object")


def run(arguments: argparse.Namespace) -> ExitCode:
    """Verify an archive; exit code 65 when anything does not hold."""
    pinned = None if arguments.log_key is None else _key(arguments.log_key)
    try:
        audit = Audit(
            source_of(arguments.archive),
            pinned=pinned,
            has_content=not arguments.signatures_only,
            told=_told,
        )
        report = audit.run()
    except OSError as fault:
        raise OperatorError(
            f"{arguments.archive}: cannot be read: {fault.strerror or fault}",
            exit_code=ExitCode.BAD_DATA,
        ) from fault
    except RefusedError as refused:
        report = Report()
        report.found("archive", str(refused))
    told = json.dumps(facts(report), indent=2) if arguments.json else in_words(report, pinned)
    print(told)
    return ExitCode.OK if report.is_passed else ExitCode.BAD_DATA


def facts(report: Report) -> Mapping[str, JsonValue]:
    """Return a report for a program."""
    return {
        "passed": report.is_passed,
        "log_key": report.log_key,
        "checkpoint": report.checkpoint,
        "counts": asdict(report.counts),
        "finding_count": report.finding_count,
        "findings": [asdict(finding) for finding in report.findings],
    }


def in_words(report: Report, pinned: NoteKey | None) -> str:
    """Return a report for a person."""
    counts = report.counts
    lines = [_row(asdict(counts), row) for row in ROWS]
    lines.append(f"log key: {report.log_key or 'none'}")
    if counts.undecoded:
        lines.append(f"readings were not unpacked, as asked: {counts.undecoded} batches")
    if pinned is None:
        lines.append("the log's key was taken from the archive itself: compare it with yours")
    lines += [f"  {one.subject}: {one.detail}" for one in report.findings[:SHOWN]]
    if report.is_passed:
        return "\n".join([*lines, "PASS"])
    first = report.findings[0]
    more = f", and {report.finding_count - 1} more" if report.finding_count > 1 else ""
    return "\n".join([*lines, f"FAIL: {first.subject} does not hold{more}"])


def _row(counts: Mapping[str, int], names: Sequence[str]) -> str:
    return "  ".join(f"{name.replace('_', ' ')} {counts[name]}" for name in names)


def _key(given: str) -> NoteKey:
    """Return the key in an argument: itself, or the file that has it."""
    try:
        text = given if "+" in given else Path(given).read_text(encoding="ascii").strip()
        return NoteKey.parse(text)
    except (OSError, ValueError, RefusedError) as fault:
        raise OperatorError(f"--log-key: {given}: {fault}", exit_code=ExitCode.USAGE) from fault


def _told(count: int) -> None:
    print(f"{count} batches checked", file=sys.stderr)
