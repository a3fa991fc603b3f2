"""The service units: systemd accepts them without a word, and they are hardened as they should."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "systemd"
UNIT = FOLDER / "edge-agent.service"
EXECUTABLES = {
    UNIT: "/opt/edge-agent/current/bin/edge-agent",
    FOLDER / "central-sync.service": "/opt/central-sync/bin/central-sync",
}
each_unit = pytest.mark.parametrize("unit", EXECUTABLES, ids=lambda path: path.stem)
# Exposure in tenths, as `systemd-analyze security --threshold` takes it.
LARGEST_EXPOSURE = 15

ANALYZE = shutil.which("systemd-analyze")
SYSUSERS = shutil.which("systemd-sysusers")
needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="systemd-analyze is missing: make system-packages"
)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run one of systemd's own checkers."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def service() -> dict[str, list[str]]:
    """Return the [Service] section: every value of every key, in order."""
    found: dict[str, list[str]] = {}
    _, _, section = UNIT.read_text(encoding="utf-8").partition("[Service]\n")
    for line in section.partition("\n[")[0].splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@needs_systemd
@each_unit
def test_systemd_has_nothing_to_say_about_the_unit(unit: Path, tmp_path: Path) -> None:
    # A misspelt key is only warned about, with exit code 0: any output is a failure.
    stub = tmp_path / "stub"
    stub.write_text("#!/bin/sh\n", encoding="ascii")
    stub.chmod(0o755)
    text = unit.read_text(encoding="utf-8")
    assert EXECUTABLES[unit] in text
    copy = tmp_path / unit.name
    copy.write_text(text.replace(EXECUTABLES[unit], str(stub)), encoding="utf-8")
    result = run(str(ANALYZE), "verify", str(copy))
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


@needs_systemd
def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    copy.write_text(text.replace("ProtectHome=", "ProtectHouse="), encoding="utf-8")
    assert "ProtectHouse" in run(str(ANALYZE), "verify", str(copy)).stderr


@needs_systemd
@each_unit
def test_the_exposure_stays_within_its_limit(unit: Path) -> None:
    threshold = f"--threshold={LARGEST_EXPOSURE}"
    result = run(str(ANALYZE), "security", "--offline=true", threshold, str(unit))
    assert result.returncode == 0, result.stdout[-300:]


@pytest.mark.skipif(SYSUSERS is None, reason="systemd-sysusers is missing: make system-packages")
@each_unit
def test_the_user_file_is_accepted(unit: Path) -> None:
    result = run(str(SYSUSERS), "--dry-run", str(unit.with_suffix(".sysusers")))
    assert (result.stderr.count("ignoring"), result.returncode) == (0, 0), result.stderr


def test_user_group_and_folders_carry_one_name() -> None:
    found = service()
    keys = ("User", "Group", "StateDirectory", "RuntimeDirectory", "ConfigurationDirectory")
    assert [found[key] for key in keys] == [["edge-agent"]] * len(keys)
    users = (FOLDER / "edge-agent.sysusers").read_text(encoding="utf-8")
    assert re.search(r"^u edge-agent ", users, re.MULTILINE)


def test_the_stop_limit_covers_commit_and_flush() -> None:
    from edge_agent.agent import COMMIT_LIMIT_S, FLUSH_LIMIT_S  # noqa: PLC0415 - heavy, one test

    assert float(service()["TimeoutStopSec"][0]) > COMMIT_LIMIT_S + FLUSH_LIMIT_S
