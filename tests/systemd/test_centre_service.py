"""The centre under its own systemd: its unit lets it do all that it does."""

from __future__ import annotations

import json
import shutil
import sysconfig
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.system.installation import wait_until
from tests.systemd.container import Container
from tests.systemd.gateway import LIMIT_S, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.root,
    pytest.mark.xdist_group("containers"),
    pytest.mark.timeout(400),
]

# The libraries of this very environment, and this tree: the same Python runs in the container.
LIBRARIES = Path(sysconfig.get_path("purelib"))
PROGRAM = """\
#!/bin/sh
PYTHONPATH=/srv/tree:/srv/libraries exec python3 -m central_sync "$@"
"""
SETTINGS = "allow_simulated = true\n"


@pytest.fixture
def centre(bottom: Path, installed: Path, tmp_path: Path) -> Iterator[Container]:
    """A booted machine with the centre's unit and store, not running; a gateway is on it too."""
    folder = tmp_path / "container"
    shown = {"/srv/tree": ROOT, "/srv/libraries": LIBRARIES}
    with Container([installed, bottom], folder, shown=shown) as container:
        units = container.root / "etc/systemd/system"
        shutil.copy(ROOT / "systemd/central-sync.service", units)
        users = container.root / "etc/sysusers.d/central-sync.conf"
        shutil.copy(ROOT / "systemd/central-sync.sysusers", users)
        program = container.root / "opt/central-sync/bin/central-sync"
        program.parent.mkdir(parents=True)
        program.write_text(PROGRAM, encoding="utf-8")
        program.chmod(0o755)
        container.run("systemd-sysusers")
        container.run("systemctl", "daemon-reload")
        owned = ("-m", "0700", "-o", "central-sync", "-g", "central-sync")
        container.run("install", "-d", *owned, "/var/lib/central-sync")
        (container.root / "var/lib/central-sync/centre.toml").write_text(SETTINGS, encoding="utf-8")
        as_centre(container, "migrate")
        yield container
    shutil.rmtree(folder)


def as_centre(container: Container, *words: str) -> None:
    """Run a command of the centre as its user."""
    program = ("/opt/central-sync/bin/central-sync", *words)
    container.run("runuser", "-u", "central-sync", "--", *program)


def enrol(container: Container) -> None:
    """Make gateway and centre known to each other, as `edge-agent init` says."""
    agent = container.root / "etc/edge-agent/agent.toml"
    text = agent.read_text(encoding="utf-8")
    agent.write_text(text.replace("[centre]\n", "[centre]\nupload_interval_s = 1.0\n"))
    gateway = tomllib.loads(text)["gateway"]["id"]
    centre = container.root / "var/lib/central-sync"
    shutil.copy(container.root / "var/lib/edge-agent/gateway.pub", centre / "stack.pub")
    as_centre(
        container,
        *("gateway", "add", gateway, "--facility", "PLANT", "--name", "stack"),
        *("--key", "/var/lib/central-sync/stack.pub"),
        *("--receipt-key-out", "/var/lib/central-sync/centre-receipt.pem"),
    )
    shutil.copy(centre / "centre-receipt.pem", container.root / "etc/edge-agent")


def test_the_centre_takes_what_a_gateway_sends_and_stops_in_an_orderly_way(
    centre: Container,
) -> None:
    enrol(centre)
    centre.run("systemctl", "start", "central-sync", "edge-agent")
    wait_until("receipts", lambda: receipted(centre) > 0, limit_s=LIMIT_S)
    centre.run("systemctl", "stop", "central-sync")
    assert centre.service("Result", "central-sync.service") == "success"
    assert centre.service("ExecMainStatus", "central-sync.service") == "0"


def receipted(container: Container) -> int:
    """Return how many readings the centre has signed for."""
    facts = json.loads(container.run("edge-agent", "buffer", "info", "--json"))
    return int(facts["readings"]) - int(facts["unreceipted_readings"])
