"""Upgrade, rollback and removal of an installed gateway, and what an installation refuses."""

from __future__ import annotations

import shutil
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Protocol, cast

import pytest

from tests.systemd.gateway import (
    BAD_VERSION,
    NEXT_VERSION,
    ROOT,
    VERSION,
    bring,
    readings,
    status,
    verified,
    wait_for_more,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.systemd.container import Container

pytestmark = [
    pytest.mark.root,
    pytest.mark.xdist_group("containers"),
    pytest.mark.timeout(400),
]

# The bad version that dies does so 2 s after its start.
TRIAL = ("--trial", "3")
SHORT_TRIAL = ("--trial", "1")
SCRIPT = "/opt/edge-agent/current/share/edge-agent/install"
REMOVAL = "/opt/edge-agent/current/share/edge-agent/uninstall"
# Where an installation writes.
PLACES = ("/opt", "/etc", "/usr/local", "/var/lib")


class WriteList(Protocol):
    """`write_list` of .ci/wheelhouse.py, which is a program and no module."""

    def __call__(self, folder: Path) -> str: ...


def _write_list() -> WriteList:
    spec = spec_from_file_location("wheelhouse", ROOT / ".ci" / "wheelhouse.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("WriteList", module.write_list)


write_list = _write_list()


def current(gateway: Container) -> str:
    """Return the version that the next start of the agent would be."""
    return (gateway.root / "opt/edge-agent/current").readlink().name


def running(gateway: Container) -> object:
    """Return the version that runs."""
    return status(gateway)["agent"]["version"]


def tree(gateway: Container) -> str:
    """Return what is where an installation writes, with mode, size and time of change."""
    kinds = ("-newermt", "1970-01-01", "-printf", "%p %M %u %s %T@\\n")
    return gateway.run("find", *PLACES, *kinds)


def test_an_upgrade_runs_the_new_version_and_goes_on_with_the_chain(
    gateway_with_next: Container,
) -> None:
    gateway = gateway_with_next
    gateway.run("systemctl", "start", "edge-agent")
    wait_for_more(gateway, than=0)
    gateway.run("sh", "/srv/next/install", *SHORT_TRIAL)
    assert (current(gateway), running(gateway)) == (NEXT_VERSION, NEXT_VERSION)
    wait_for_more(gateway, than=readings(gateway))
    gateway.run(SCRIPT, "rollback", *SHORT_TRIAL)
    assert (current(gateway), running(gateway)) == (VERSION, VERSION)
    wait_for_more(gateway, than=readings(gateway))
    gateway.run("systemctl", "stop", "edge-agent")
    assert verified(gateway)


def test_an_upgrade_does_not_start_an_agent_that_was_stopped(gateway_with_next: Container) -> None:
    gateway = gateway_with_next
    gateway.run("sh", "/srv/next/install")
    assert current(gateway) == NEXT_VERSION
    assert gateway.service("ActiveState") == "inactive"


def test_an_upgrade_that_crashes_hangs_or_dies_in_its_trial_is_rolled_back(
    gateway: Container, bad_wheelhouse: Path
) -> None:
    limit = gateway.root / "etc/systemd/system/edge-agent.service.d/50-hasty.conf"
    limit.parent.mkdir()
    limit.write_text("[Service]\nTimeoutStartSec=3\n", encoding="utf-8")
    gateway.run("systemctl", "daemon-reload")
    gateway.run("systemctl", "start", "edge-agent")
    bring(gateway, bad_wheelhouse, "bad")
    for fault in ("crashes", "hangs", "dies"):
        kept = readings(gateway)
        (gateway.root / "var/lib/edge-agent/fault").write_text(fault, encoding="ascii")
        upgrade = gateway.attempt("sh", "/srv/bad/install", *TRIAL)
        assert upgrade.returncode == 1, fault
        assert f"{VERSION} runs again" in upgrade.stderr, fault
        assert (current(gateway), running(gateway)) == (VERSION, VERSION), fault
        wait_for_more(gateway, than=kept)
    assert (gateway.root / "opt/edge-agent" / BAD_VERSION).is_dir()
    gateway.run("systemctl", "stop", "edge-agent")
    assert verified(gateway)


def test_a_version_that_does_not_accept_the_configuration_is_not_switched_to(
    gateway_with_next: Container,
) -> None:
    gateway = gateway_with_next
    gateway.run("systemctl", "start", "edge-agent")
    process = gateway.service("MainPID")
    agent = gateway.root / "etc/edge-agent/agent.toml"
    agent.write_text(agent.read_text(encoding="utf-8") + "\n[nonsense]\n", encoding="utf-8")
    upgrade = gateway.attempt("sh", "/srv/next/install")
    assert upgrade.returncode == 78
    assert "nonsense" in upgrade.stderr
    assert current(gateway) == VERSION
    assert gateway.service("MainPID") == process


def test_the_same_installation_again_changes_nothing(gateway: Container) -> None:
    before = tree(gateway)
    gateway.run("sh", "/srv/this/install")
    after = tree(gateway)
    # The link is made anew: an installation that was cut off may have left it as it was.
    assert unlinked(after) == unlinked(before)


def unlinked(told: str) -> list[str]:
    """Return a tree without the folder of the links and the links themselves."""
    links = ("/opt/edge-agent ", "/opt/edge-agent/current ")
    return [line for line in told.splitlines() if not line.startswith(links)]


def test_a_dry_run_changes_nothing_and_says_what_would_be_done(
    bare_gateway: Container, wheelhouse: Path
) -> None:
    bring(bare_gateway, wheelhouse)
    before = tree(bare_gateway)
    said = bare_gateway.run("sh", "/srv/this/install", "--serial", "--dry-run")
    assert "would run: systemd-sysusers" in said
    assert tree(bare_gateway) == before
    assert bare_gateway.attempt("id", "edge-agent").returncode != 0


def test_an_installation_that_failed_half_way_is_finished_with_what_an_index_has(
    bare_gateway: Container, wheelhouse: Path
) -> None:
    bring(bare_gateway, wheelhouse)
    folder = bare_gateway.root / "srv/this"
    index = bare_gateway.root / "srv/index"
    index.mkdir()
    for wheel in folder.glob("*.whl"):
        if not wheel.name.startswith(("emissionwatch", "pip-")):
            wheel.rename(index / wheel.name)
    write_list(folder)
    assert bare_gateway.attempt("sh", "/srv/this/install").returncode == 1
    settings = ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/srv/index")
    bare_gateway.run("env", *settings, "sh", "/srv/this/install", "--online")
    assert bare_gateway.run("edge-agent", "--version") == f"{VERSION}\n"


@pytest.mark.parametrize("fault", ["a byte", "a missing wheel", "a wheel too many"])
def test_a_damaged_wheelhouse_is_refused_before_anything_is_changed(
    bare_gateway: Container, wheelhouse: Path, fault: str
) -> None:
    bring(bare_gateway, wheelhouse)
    before = tree(bare_gateway)
    (wheel,) = (bare_gateway.root / "srv/this").glob("emissionwatch*.whl")
    match fault:
        case "a byte":
            octets = bytearray(wheel.read_bytes())
            octets[len(octets) // 2] ^= 1
            wheel.write_bytes(octets)
        case "a missing wheel":
            wheel.unlink()
        case _:
            shutil.copy(wheel, wheel.with_name("other-1-py3-none-any.whl"))
    refused = bare_gateway.attempt("sh", "/srv/this/install")
    assert refused.returncode == 65, refused.stderr
    assert tree(bare_gateway) == before


def test_a_wheelhouse_for_another_machine_or_of_another_list_is_refused(
    bare_gateway: Container, wheelhouse: Path
) -> None:
    bring(bare_gateway, wheelhouse)
    folder = bare_gateway.root / "srv/this"
    other = bare_gateway.attempt("sh", "/srv/this/install", "--manifest", "0" * 64)
    assert (other.returncode, "SHA256SUMS: its digest is" in other.stderr) == (65, True)
    about = (folder / "wheelhouse.txt").read_text(encoding="utf-8")
    facts = dict(line.split("=") for line in about.splitlines())
    strange = about.replace(facts["machine"], "riscv64")
    (folder / "wheelhouse.txt").write_text(strange, encoding="utf-8")
    digest = write_list(folder)
    machine = bare_gateway.attempt("sh", "/srv/this/install", "--manifest", digest)
    assert (machine.returncode, "for riscv64 with Python" in machine.stderr) == (69, True)


def test_an_uninstallation_keeps_readings_and_key_which_the_next_one_finds(
    gateway: Container,
) -> None:
    gateway.run("systemctl", "enable", "--now", "edge-agent")
    wait_for_more(gateway, than=0)
    said = gateway.run(REMOVAL)
    assert "kept: /etc/edge-agent (configuration), /var/lib/edge-agent" in said
    assert leftovers(gateway) == {
        "/etc/edge-agent",
        "/etc/sysusers.d/edge-agent.conf",
        "/var/lib/edge-agent",
    }
    assert "edge-agent" not in gateway.run("systemctl", "list-unit-files")
    gateway.run("sh", "/srv/this/install")
    kept = readings(gateway)
    assert kept > 0
    gateway.run("systemctl", "start", "edge-agent")
    wait_for_more(gateway, than=kept)


def leftovers(gateway: Container) -> set[str]:
    """Return the outermost paths that bear our name still."""
    found = gateway.run("find", *PLACES, "/run", "-path", "*edge-agent*", "-prune")
    return set(found.split())


def test_a_purge_is_refused_while_readings_have_not_reached_the_centre(
    gateway: Container,
) -> None:
    gateway.run("systemctl", "start", "edge-agent")
    wait_for_more(gateway, than=0)
    refused = gateway.attempt(REMOVAL, "--purge")
    assert refused.returncode == 1
    assert "readings have not reached the centre" in refused.stderr
    assert readings(gateway) > 0
    aside = gateway.root / "var/lib/edge-agent/quarantine/20261121T000000Z-1"
    aside.mkdir(parents=True)
    refused = gateway.attempt(REMOVAL, "--purge")
    assert (refused.returncode, "damaged buffers were set aside" in refused.stderr) == (1, True)
    gateway.run(REMOVAL, "--purge", "--unsent")
    assert leftovers(gateway) == set()
    assert gateway.attempt("id", "edge-agent").returncode != 0
