"""Fails when a branch of `wire`, `quality`, `calc` or `programs` is not run by a test."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

FULLY_COVERED: Final = (
    "edge_agent/wire/",
    "edge_agent/quality/",
    "central_sync/calc/",
    "central_sync/programs/",
)


def main() -> int:
    """Read the coverage of the last test run; print what is missing; return 1 if anything is."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)]
        subprocess.run(command, check=True)
        files = json.loads(report.read_text(encoding="utf-8"))["files"]
    checked = {name: facts for name, facts in files.items() if name.startswith(FULLY_COVERED)}
    lacking = False
    for name, facts in sorted(checked.items()):
        if facts["missing_lines"] or facts["missing_branches"]:
            lacking = True
            print(f"{name}: lines {facts['missing_lines']}, branches {facts['missing_branches']}")
    if not checked:
        print("no file of the fully covered packages was measured")
    verdict = "not fully covered" if lacking or not checked else "100 % of branches"
    print(f"{', '.join(FULLY_COVERED)}: {verdict}")
    return int(lacking or not checked)


if __name__ == "__main__":
    sys.exit(main())
