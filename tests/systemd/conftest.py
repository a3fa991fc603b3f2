"""What tests of an installed gateway share: wheelhouses, and a layer that has one installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.systemd.container import Container, missing, root_file_system
from tests.systemd.gateway import BAD_VERSION, NEXT_VERSION, ROOT, bring, configure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a wheelhouse is made from: a version is built from a changed copy of it.
SOURCES = ("edge_agent", "central_sync", "firmware_profiles", "systemd", ".ci")
BUILD_FILES = ("pyproject.toml", "README.md", "LICENSE")
BUILD_LIMIT_S = 120

# How a version misbehaves is asked of a file, so that one build has every way.
FAULTS = '''\
def fault() -> None:
    """Misbehave in the way that the state folder names."""
    import os
    import signal
    import threading

    kind = Path("/var/lib/edge-agent/fault").read_text().strip()
    if kind == "crashes":
        raise RuntimeError("this version crashes")
    if kind == "hangs":
        threading.Event().wait()
    if kind == "dies":
        threading.Timer(2, os.kill, (os.getpid(), signal.SIGKILL)).start()


def main('''


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheelhouse of this tree."""
    return built(ROOT, tmp_path_factory.mktemp("wheelhouses") / "this")


@pytest.fixture(scope="session")
def next_wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheelhouse of this tree as a later version."""
    source = changed_copy(tmp_path_factory.mktemp("next"), NEXT_VERSION)
    return built(source, source.parent / "wheelhouse")


@pytest.fixture(scope="session")
def bad_wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheelhouse of a version that does what /var/lib/edge-agent/fault says."""
    source = changed_copy(tmp_path_factory.mktemp("bad"), BAD_VERSION)
    run = source / "edge_agent" / "cli" / "run.py"
    text = run.read_text(encoding="utf-8")
    asked = text.replace("def main(", FAULTS, 1).replace("    memory.begin()\n", "    fault()\n", 1)
    assert asked.count("fault()") == 2, "run.py has changed: mend this fixture"
    run.write_text(asked, encoding="utf-8")
    return built(source, source.parent / "wheelhouse")


@pytest.fixture(scope="session")
def bottom() -> Path:
    """A Debian as it is after its own installation; skips where there can be no container."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    return root_file_system()


@pytest.fixture(scope="session")
def installed(
    bottom: Path, wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A layer with the agent installed and configured, not yet enabled, and a plant that runs."""
    folder = tmp_path_factory.mktemp("installed") / "container"
    with Container([bottom], folder) as container:
        bring(container, wheelhouse)
        container.run("sh", "/srv/this/install")
        configure(container)
    yield folder / "changed"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def offered(
    bottom: Path, installed: Path, next_wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A layer where the next version is in its folder, but was refused for the configuration."""
    folder = tmp_path_factory.mktemp("offered") / "container"
    with Container([installed, bottom], folder) as container:
        bring(container, next_wheelhouse, "next")
        agent = container.root / "etc/edge-agent/agent.toml"
        good = agent.read_text(encoding="utf-8")
        agent.write_text(good + "\n[nonsense]\n", encoding="utf-8")
        assert container.attempt("sh", "/srv/next/install").returncode == 78
        agent.write_text(good, encoding="utf-8")
    yield folder / "changed"
    shutil.rmtree(folder)


@pytest.fixture
def gateway_with_next(
    bottom: Path, installed: Path, offered: Path, tmp_path: Path
) -> Iterator[Container]:
    """A booted gateway of the test's own; an installation of the next version only switches."""
    folder = tmp_path / "container"
    with Container([offered, installed, bottom], folder) as container:
        yield container
    shutil.rmtree(folder)


@pytest.fixture
def gateway(bottom: Path, installed: Path, tmp_path: Path) -> Iterator[Container]:
    """A booted gateway of the test's own, with the agent installed, not running."""
    folder = tmp_path / "container"
    with Container([installed, bottom], folder) as container:
        yield container
    shutil.rmtree(folder)


@pytest.fixture
def bare_gateway(bottom: Path, tmp_path: Path) -> Iterator[Container]:
    """A booted gateway of the test's own, on which nothing was installed."""
    folder = tmp_path / "container"
    with Container([bottom], folder) as container:
        yield container
    shutil.rmtree(folder)


def built(source: Path, folder: Path) -> Path:
    """Build the wheelhouse of a tree."""
    subprocess.run(
        [sys.executable, source / ".ci" / "wheelhouse.py", "--out", folder],
        check=True,
        capture_output=True,
        timeout=BUILD_LIMIT_S,
    )
    return folder


def changed_copy(folder: Path, version: str) -> Path:
    """Return a copy of this tree that has another version."""
    copy = folder / "source"
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BUILD_FILES:
        shutil.copy(ROOT / name, copy)
    project = copy / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    other, count = re.subn(r'^version = ".*"$', f'version = "{version}"', text, flags=re.MULTILINE)
    assert count == 1
    project.write_text(other, encoding="utf-8")
    return copy
