"""An installation without running it: scripts that are clean, and pins that are those tested."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.systemd.gateway import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCRIPTS = [ROOT / "systemd" / name for name in ("install", "uninstall", "edge-agent")]
PINS = ROOT / ".ci" / "requirements"
SHELLCHECK = shutil.which("shellcheck")


def pinned(name: str) -> set[str]:
    """Return the lines of a file of pins that name a version, with their markers."""
    text = (PINS / name).read_text(encoding="utf-8")
    return {line.removesuffix(" \\") for line in text.splitlines() if re.match(r"[a-z]", line)}


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is missing: make system-packages")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_has_nothing_to_say(script: Path) -> None:
    result = subprocess.run(
        [str(SHELLCHECK), "--shell=sh", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.stdout, result.returncode) == ("", 0)


@pytest.mark.parametrize("script", SCRIPTS[:2], ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--help"], 0, ""),
        (["--nonsense"], 2, "--nonsense: unknown. See --help"),
    ],
)
def test_what_a_script_does_not_know_is_a_usage_error(
    script: Path, words: list[str], code: int, says: str
) -> None:
    result = subprocess.run(
        ["sh", script, *words], capture_output=True, text=True, check=False, timeout=10
    )
    assert result.returncode == code
    assert says in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--trial", "soon"], 2, "--trial soon: not a number of seconds"),
        (["--wheelhouse"], 2, "--wheelhouse: needs a value"),
        (["--wheelhouse", "/nonsense"], 65, "/nonsense: no such folder"),
        (["--dry-run"], 65, "no SHA256SUMS, so it is no wheelhouse"),
    ],
)
def test_a_mistake_is_told_with_what_to_do_instead(words: list[str], code: int, says: str) -> None:
    result = subprocess.run(
        ["sh", SCRIPTS[0], *words], capture_output=True, text=True, check=False, timeout=10
    )
    assert result.returncode == code
    assert says in result.stderr


def test_a_gateway_gets_the_versions_that_are_tested() -> None:
    def versions(name: str) -> set[str]:
        return {line.partition(" ")[0] for line in pinned(name)}

    assert versions("edge.txt") <= versions("run.txt") & versions("dev.txt")


def test_the_pins_of_a_gateway_do_not_depend_on_its_machine() -> None:
    # pip looks at the machine that builds a wheelhouse, not at the one it is for.
    assert not [line for line in pinned("edge.txt") if "machine" in line or "sys_platform" in line]


def test_what_the_centre_alone_needs_is_not_on_a_gateway() -> None:
    names = {line.partition("==")[0] for line in pinned("edge.txt")}
    assert not names & {"pyarrow", "fastapi", "uvicorn", "sqlalchemy", "plotly", "amqtt"}
    assert {"cryptography", "pymodbus", "asyncua", "dnp3py", "paho-mqtt"} <= names
