"""What a technician does at a gateway, and what can be asked of one that runs in a container."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.system.installation import wait_until

if TYPE_CHECKING:
    from tests.systemd.container import Container

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
NEXT_VERSION = f"{VERSION}+next"
BAD_VERSION = f"{VERSION}+bad"

# A plant of two analyzers. It runs from the first version, whichever is the current one.
PLANT = """\
[Service]
Type=exec
ExecStart=/opt/edge-agent/{version}/bin/edge-agent simulate --port 5020 --devices 2

[Install]
WantedBy=multi-user.target
"""
DEVICE = """\
name = "stack-{number}"
profile = "emissionwatch/simulated-stack"
endpoint = "tcp://127.0.0.1:{port}"

[[channels]]
number = {number}
point = "nox_ppm"
name = "NOx"
"""
LIMIT_S = 30.0


def bring(container: Container, wheelhouse: Path, name: str = "this") -> None:
    """Carry a wheelhouse to a gateway, as if on a stick."""
    shutil.copytree(wheelhouse, container.root / "srv" / name)


def configure(container: Container) -> None:
    """Do what a technician does after an installation, but for enabling the service."""
    centre = ("--centre", "http://127.0.0.1:8080")
    container.run("edge-agent", "init", "--facility", "PLANT", "--simulated", *centre)
    config = container.root / "etc/edge-agent"
    # Nothing here ever answers as a centre: any public key will do.
    shutil.copy(container.root / "var/lib/edge-agent/gateway.pub", config / "centre-receipt.pem")
    agent = config / "agent.toml"
    text = agent.read_text(encoding="utf-8")
    hasty = text.replace("[buffer]\n", "[buffer]\ncommit_interval_s = 1.0\n")
    agent.write_text(hasty, encoding="utf-8")
    add_device(container, 1)
    unit = container.root / "etc/systemd/system/plant.service"
    unit.write_text(PLANT.format(version=VERSION), encoding="utf-8")
    container.run("systemctl", "enable", "--now", "plant.service")


def add_device(container: Container, number: int) -> None:
    """Describe one more device."""
    path = container.root / f"etc/edge-agent/devices.d/stack-{number}.toml"
    path.write_text(DEVICE.format(number=number, port=5019 + number), encoding="utf-8")


def status(gateway: Container) -> dict[str, dict[str, object]]:
    """Return what the running agent says of itself."""
    told: dict[str, dict[str, object]] = json.loads(
        gateway.attempt("edge-agent", "status", "--json").stdout
    )
    return told


def readings(gateway: Container) -> int:
    """Return how many readings were signed and kept so far."""
    facts = json.loads(gateway.run("edge-agent", "buffer", "info", "--json"))
    return int(facts["readings"])


def wait_for_more(gateway: Container, than: int) -> None:
    """Return once more readings than these are kept."""
    wait_until("readings", lambda: readings(gateway) > than, limit_s=LIMIT_S)


def verified(gateway: Container) -> bool:
    """Return whether every signature, hash and number of the buffer is right."""
    return bool(json.loads(gateway.run("edge-agent", "buffer", "verify", "--json"))["verified"])


def exposure(gateway: Container) -> float:
    """Return what systemd thinks of the unit as it is in force, drop-ins included."""
    told = gateway.run("systemd-analyze", "security", "--no-pager", "edge-agent.service")
    return float(told.rpartition("edge-agent.service: ")[2].split()[0])
