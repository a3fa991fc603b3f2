"""Each safeguard is switched off once, in a copy of the product: the campaign must notice.

A campaign that is always good proves nothing. The product itself has no such switches: a line of a
copy is replaced, and the same campaign that is good with the line is run without it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.system.installation import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_S = 300.0
COPIED = ("edge_agent", "central_sync", "firmware_profiles", "tests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """A safeguard, the line that is it, and what stands there without it.

    Attributes:
        file: of the product.
        line: stands there exactly once.
        instead: of the line.
        command: the campaign, which is good with the line.
        noticed: what of its report must not be 0.
        needs_root: whether the campaign makes file systems.

    """

    file: str
    line: str
    instead: str
    command: tuple[str, ...]
    noticed: str
    needs_root: bool = False


NETWORK = ("tests.system.network", "--together", "--count", "1", "--only")
OFF = {
    "receipts are believed unchecked": Off(
        file="edge_agent/uplink/genuine.py",
        line="            verify_receipt(receipt, key, places[receipt.batch_hash])\n",
        instead="",
        command=(*NETWORK, "impostor"),
        noticed="receipts_believed",
    ),
    "a column is left out of the hash": Off(
        file="edge_agent/wire/merkle.py",
        line="    packed = memoryview(np.ascontiguousarray(rows).tobytes())\n",
        instead=(
            "    rows = rows.copy()\n"
            '    rows["quality"] = 0\n'
            "    packed = memoryview(np.ascontiguousarray(rows).tobytes())\n"
        ),
        command=(*NETWORK, "reset"),
        noticed="invalid",
    ),
    "readings are given up without a loss event": Off(
        file="edge_agent/buffer/sealing.py",
        line="        lost = losses(given, reason=reason, at=now)\n",
        instead="        lost = ()\n",
        command=("tests.faults.full_disk", "--count", "1", "--seed", "13"),
        noticed="failed",
        needs_root=True,
    ),
}


@pytest.mark.system
@pytest.mark.timeout(LIMIT_S + 60)
@pytest.mark.parametrize("name", OFF)
def test_a_safeguard_that_is_off_is_noticed(name: str, tmp_path: Path) -> None:
    off = OFF[name]
    if off.needs_root and os.geteuid() != 0:
        pytest.skip("THIS SAFEGUARD WAS NOT SWITCHED OFF: root makes file systems")
    for folder in COPIED:
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__")
        )
    file = tmp_path / off.file
    text = file.read_text()
    assert text.count(off.line) == 1, "the safeguard has moved: name its line anew"
    file.write_text(text.replace(off.line, off.instead))
    done = subprocess.run(
        [sys.executable, "-m", *off.command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert not report["is_good"]
    assert report[off.noticed], json.dumps(report, indent=1)
