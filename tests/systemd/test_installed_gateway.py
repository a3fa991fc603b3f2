"""A gateway installed from a wheelhouse, under its own systemd: start, watchdog, reload, reboot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.system.installation import wait_until
from tests.systemd.gateway import (
    LIMIT_S,
    add_device,
    exposure,
    readings,
    status,
    verified,
    wait_for_more,
)

if TYPE_CHECKING:
    from tests.systemd.container import Container

pytestmark = [
    pytest.mark.root,
    pytest.mark.xdist_group("containers"),
    # Debian's mirror, the package index and the first installation: for the first test only.
    pytest.mark.timeout(400),
]

LARGEST_EXPOSURE = 1.5
# A service that may open devices of this machine is exposed to them: docs/installation.md.
LARGEST_EXPOSURE_WITH_SERIAL_PORTS = 1.7
# WatchdogSec of the unit is a minute, and it waits 5 s before it starts again.
HASTY = "[Service]\nWatchdogSec=3\nRestartSec=1\n"


def test_an_installation_enables_and_starts_nothing(gateway: Container) -> None:
    assert gateway.service("ActiveState") == "inactive"
    assert gateway.service("UnitFileState") == "disabled"


def test_only_the_agent_can_look_into_configuration_and_state(gateway: Container) -> None:
    folders = ("/etc/edge-agent", "/etc/edge-agent/devices.d", "/var/lib/edge-agent")
    assert gateway.run("stat", "--format", "%U %G %a", *folders).splitlines() == [
        "edge-agent edge-agent 750",
        "edge-agent edge-agent 750",
        "edge-agent edge-agent 750",
    ]
    key = gateway.run("stat", "--format", "%U %a", "/var/lib/edge-agent/gateway.key")
    assert key == "edge-agent 600\n"


def test_the_programs_belong_to_root_and_nobody_else_can_write_them(gateway: Container) -> None:
    writable = ("!", "-type", "l", "-perm", "/022", "-o", "!", "-user", "root")
    assert gateway.run("find", "/opt/edge-agent/", "(", *writable, ")") == ""


def test_the_unit_as_installed_is_understood_and_hardened(gateway: Container) -> None:
    verified = gateway.attempt("systemd-analyze", "verify", "edge-agent.service")
    assert (verified.stdout, verified.stderr, verified.returncode) == ("", "", 0)
    assert exposure(gateway) <= LARGEST_EXPOSURE


def test_with_serial_ports_the_unit_is_still_hardened(gateway: Container) -> None:
    gateway.run("sh", "/srv/this/install", "--serial")
    assert "dialout" in gateway.run("id", "--name", "--groups", "edge-agent").split()
    assert gateway.service("PrivateDevices") == "no"
    assert "char-ttyUSB rw" in gateway.service("DeviceAllow")
    verified = gateway.attempt("systemd-analyze", "verify", "edge-agent.service")
    assert (verified.stdout, verified.stderr, verified.returncode) == ("", "", 0)
    assert exposure(gateway) <= LARGEST_EXPOSURE_WITH_SERIAL_PORTS
    gateway.run("systemctl", "start", "edge-agent")
    wait_for_more(gateway, than=0)


def test_the_service_reads_and_keeps_as_soon_as_it_is_enabled(gateway: Container) -> None:
    gateway.run("systemctl", "enable", "--now", "edge-agent")
    # `systemctl start` returns when the agent has said that it is ready.
    assert gateway.service("ActiveState") == "active"
    assert gateway.service("StatusText") == "polling 1 devices"
    wait_for_more(gateway, than=0)


def test_an_agent_that_hangs_is_killed_by_the_watchdog_and_started_again(
    gateway: Container,
) -> None:
    drop_in = gateway.root / "etc/systemd/system/edge-agent.service.d/50-hasty.conf"
    drop_in.parent.mkdir()
    drop_in.write_text(HASTY, encoding="utf-8")
    gateway.run("systemctl", "daemon-reload")
    gateway.run("systemctl", "start", "edge-agent")
    wait_for_more(gateway, than=0)
    hung, kept = gateway.service("MainPID"), readings(gateway)
    gateway.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGSTOP", "edge-agent")
    wait_until("the restart", lambda: gateway.service("NRestarts") == "1", limit_s=LIMIT_S)
    wait_for_more(gateway, than=kept)
    assert gateway.service("MainPID") != hung
    assert "Watchdog timeout" in gateway.run("journalctl", "--unit", "edge-agent", "--no-pager")
    gateway.run("systemctl", "stop", "edge-agent")
    assert verified(gateway)


def test_a_reload_takes_a_new_device_without_a_restart(gateway: Container) -> None:
    gateway.run("systemctl", "start", "edge-agent")
    process, before = gateway.service("MainPID"), status(gateway)["agent"]["config_hash"]
    add_device(gateway, 2)
    gateway.run("systemctl", "reload", "edge-agent")
    wait_until(
        "the second device",
        lambda: gateway.service("StatusText") == "polling 2 devices",
        limit_s=LIMIT_S,
    )
    assert status(gateway)["agent"]["config_hash"] != before
    assert (gateway.service("MainPID"), gateway.service("NRestarts")) == (process, "0")


def test_a_technician_applies_a_change_as_the_agent_s_user(gateway: Container) -> None:
    gateway.run("systemctl", "start", "edge-agent")
    process = gateway.service("MainPID")
    add_device(gateway, 2)
    # Root's command runs as edge-agent, to whom the service manager takes no orders.
    gateway.run("edge-agent", "apply")
    assert gateway.service("StatusText") == "polling 2 devices"
    assert (gateway.service("MainPID"), gateway.service("NRestarts")) == (process, "0")


def test_a_reload_of_a_faulty_configuration_keeps_the_running_one(gateway: Container) -> None:
    gateway.run("systemctl", "start", "edge-agent")
    process = gateway.service("MainPID")
    add_device(gateway, 2)
    path = gateway.root / "etc/edge-agent/devices.d/stack-2.toml"
    path.write_text(path.read_text(encoding="utf-8") + "nmae = 1\n", encoding="utf-8")
    gateway.run("systemctl", "reload", "edge-agent")
    wait_until(
        "the refusal",
        lambda: "nmae" in gateway.run("journalctl", "--unit", "edge-agent", "--no-pager"),
        limit_s=LIMIT_S,
    )
    assert gateway.service("StatusText") == "polling 1 devices"
    assert (gateway.service("ActiveState"), gateway.service("MainPID")) == ("active", process)


def test_after_a_reboot_the_agent_runs_and_the_chain_goes_on(gateway: Container) -> None:
    gateway.run("systemctl", "enable", "--now", "edge-agent")
    wait_for_more(gateway, than=0)
    gateway.reboot()
    kept = readings(gateway)
    assert kept > 0
    assert gateway.service("ActiveState") == "active"
    wait_for_more(gateway, than=kept)
    gateway.run("systemctl", "stop", "edge-agent")
    assert verified(gateway)


def test_a_missing_configuration_stops_the_service_for_an_operator(gateway: Container) -> None:
    (gateway.root / "etc/edge-agent/agent.toml").unlink()
    assert gateway.attempt("systemctl", "start", "edge-agent").returncode != 0
    # Restarting would not mend it: RestartPreventExitStatus.
    assert (gateway.service("ActiveState"), gateway.service("NRestarts")) == ("failed", "0")
    assert gateway.service("ExecMainStatus") == "78"
