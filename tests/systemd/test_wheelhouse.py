"""The wheelhouse: everything that an installation needs, each file named, the same each time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.systemd.conftest import built
from tests.systemd.gateway import ROOT

if TYPE_CHECKING:
    from pathlib import Path

# It asks the package index.
pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.timeout(300)]


def test_every_file_is_named_with_its_digest(wheelhouse: Path) -> None:
    listing = (wheelhouse / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    named = {name: digest for digest, name in (line.split("  ") for line in listing)}
    there = {path.name: path for path in wheelhouse.iterdir() if path.name != "SHA256SUMS"}
    assert named == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in there.items()
    }


def test_it_has_all_that_an_installation_needs_and_no_more(wheelhouse: Path) -> None:
    there = {path.name for path in wheelhouse.iterdir()}
    wheels = {name for name in there if name.endswith(".whl")}
    assert there - wheels == {
        "SHA256SUMS",
        "edge-agent",
        "edge-agent-serial.conf",
        "edge-agent.service",
        "edge-agent.sysusers",
        "install",
        "requirements.txt",
        "uninstall",
        "wheelhouse.txt",
    }
    requirements = (wheelhouse / "requirements.txt").read_text(encoding="utf-8")
    own = [line for line in requirements.splitlines() if line.startswith("emissionwatch-edge==")]
    (wheel,) = wheelhouse.glob("emissionwatch_edge-*.whl")
    assert own[0].endswith(f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")


def test_the_same_tree_gives_the_same_bytes(wheelhouse: Path, tmp_path: Path) -> None:
    again = built(ROOT, tmp_path / "again")
    lists = [(folder / "SHA256SUMS").read_text(encoding="utf-8") for folder in (wheelhouse, again)]
    shutil.rmtree(again)
    assert lists[0] == lists[1]


def test_a_folder_that_is_something_else_is_not_replaced(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine", encoding="ascii")
    with pytest.raises(subprocess.CalledProcessError):
        built(ROOT, tmp_path)
    assert precious.read_text(encoding="ascii") == "mine"
